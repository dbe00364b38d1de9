package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// A Manager serves sessions whose data has type T (Values for a key-value bag). Safe for concurrent use.
type Manager[T any] struct {
	opts       Options // resolved
	store      Store   // nil on the client side
	lagging    bool    // the store reads from replicas: tokens are stamped
	versions   bool    // the store can be asked for a newer record
	keys       *Keyring
	aad        [][]byte // client side, by transport: binds a sealed session to the place it was sent to
	transports []Transport
	vary       []string          // request headers that they read
	zero       string            // encoding of the zero T; "" if it has none
	local      local             // the store, if it can do without copies
	turns      [64]chan struct{} // of size one: commits that have met a conflict queue up here, by ID
	counters   counters
}

// New returns a manager that keeps its sessions in store. An error is ErrInvalid and names the field.
func New[T any](store Store, opts Options) (*Manager[T], error) {
	if store == nil {
		return nil, fmt.Errorf("%w: store is nil", ErrInvalid)
	}
	if err := opts.resolve(false); err != nil {
		return nil, err
	}
	if opts.MaxPerUser > 0 && !indexes(store) {
		return nil, fmt.Errorf("%w: MaxPerUser %d needs a store with UserIndexer", ErrInvalid, opts.MaxPerUser)
	}
	m := newManager[T](opts)
	m.store, m.keys = store, opts.Keys
	if memory, ok := store.(*MemoryStore); ok { // not what embeds one: its own Load or Save would be passed by
		m.local = memory
	}
	m.lagging = lagging(store)
	_, m.versions = store.(FreshLoader)
	return m, nil
}

// NewClientSide returns a manager that seals the whole session into the cookie. It stores nothing:
// List, Revoke and RevokeUser return errors.ErrUnsupported, parallel updates are last-write-wins, and
// Logout cannot end a stolen copy (Options.Check can).
func NewClientSide[T any](keys *Keyring, opts Options) (*Manager[T], error) {
	if keys == nil {
		return nil, fmt.Errorf("%w: keys is nil", ErrInvalid)
	}
	if err := opts.resolve(true); err != nil {
		return nil, err
	}
	m := newManager[T](opts)
	m.keys = keys
	for _, t := range m.transports {
		m.aad = append(m.aad, []byte("session v1 "+transportLabel(t)))
	}
	return m, nil
}

func newManager[T any](opts Options) *Manager[T] {
	m := &Manager[T]{opts: opts, transports: flatten(opts.Transport)}
	m.vary = varies(m.transports)
	if zero, err := opts.Codec.Marshal(new(T)); err == nil {
		m.zero = string(zero)
	}
	for i := range m.turns {
		m.turns[i] = make(chan struct{}, 1)
	}
	return m
}

func (m *Manager[T]) clientSide() bool { return m.store == nil }

// Handler is the middleware: inside next, Get finds the session of the request, and what next changed is
// committed before the first byte of the response leaves. Several managers may be nested.
func (m *Manager[T]) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !safe(r.Method) && m.attached(r) {
			if err := m.crossOrigin(r); err != nil {
				m.opts.ErrorHandler(w, r, err)
				return
			}
		}
		q := &request[T]{m: m, r: r}
		q.writer.inner, q.writer.hooks = w, q
		next.ServeHTTP(q.writer.wrap(), r.WithContext(q)) //nolint:contextcheck // the commit outlives a client that has gone, by intent
		q.writer.finish()                                 // not deferred: a panic of next commits nothing
	})
}

// safe methods do not change anything (RFC 9110, section 9.2.1).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions || method == ""
}

// attached tells whether a browser may have attached a token without being asked. It looks at all transports: a
// made-up bearer token in front must not hide a cookie behind.
func (m *Manager[T]) attached(r *http.Request) bool {
	for _, t := range m.transports {
		if t.Ambient() {
			if _, ok := t.Token(r, 0); ok {
				return true
			}
		}
	}
	return false
}

func (m *Manager[T]) crossOrigin(r *http.Request) error {
	if err := m.opts.CrossOrigin.Check(r); err != nil {
		return fmt.Errorf("%w: %w", ErrCrossOrigin, err)
	}
	return nil
}

// RequireLogin passes only requests of a logged-in session; the others go to Options.ErrorHandler with
// ErrLoginRequired (401 by default).
func (m *Manager[T]) RequireLogin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := m.Get(r.Context())
		if err == nil && s.UserID() == "" {
			err = ErrLoginRequired
		}
		if err != nil {
			m.opts.ErrorHandler(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Get returns the session of this request and loads it on the first call. The session is never nil: with an
// error (ErrUnavailable, ErrNoMiddleware) it is anonymous, empty and read-only, and the browser's cookie
// stays as it is.
func (m *Manager[T]) Get(ctx context.Context) (*Session[T], error) {
	q := m.request(ctx)
	if q == nil {
		return m.readOnly(ctx, ErrNoMiddleware), ErrNoMiddleware
	}
	if s := q.session.Load(); s != nil {
		return s, s.got()
	}
	return q.load(ctx)
}

// Lookup returns the session of a token outside HTTP (gRPC, WebSocket, workers); "" gives a new anonymous
// one. ErrNotFound if the token is not good; the session is then as with an error of Get. Changes are committed
// by Save only.
func (m *Manager[T]) Lookup(ctx context.Context, token string) (*Session[T], error) {
	s := &Session[T]{m: m, ctx: ctx}
	if token == "" {
		return s, nil
	}
	var found verdict
	var err error
	for i := range m.transports { // only client-side sessions depend on it
		if found, err = m.open(ctx, s, token, uint8(i)); err != nil || found == verdictGood || !m.clientSide() {
			break
		}
	}
	if err == nil && found != verdictGood {
		err = ErrNotFound
	}
	if err != nil {
		return m.readOnly(ctx, err), err
	}
	return s, nil
}

func (m *Manager[T]) readOnly(ctx context.Context, err error) *Session[T] {
	return &Session[T]{m: m, ctx: ctx, err: err, fixed: true}
}

// storeError counts and wraps what a store has answered; the caller's own context stays visible through it.
func (m *Manager[T]) storeError(op string, id ID, err error) error {
	m.counters.add(countStoreErrors)
	if id == (ID{}) {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, op, err)
	}
	return fmt.Errorf("%w: %s %s: %w", ErrUnavailable, op, id, err)
}

// String and GoString tell nothing: a manager holds keys.
func (m *Manager[T]) String() string { return "session.Manager" }

// GoString is String.
func (m *Manager[T]) GoString() string { return "session.Manager" }

// unsupported is what a manager without a user index answers.
func unsupported(op string) error { return fmt.Errorf("session: %s: %w", op, errors.ErrUnsupported) }
