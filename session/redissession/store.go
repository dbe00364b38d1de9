package redissession

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// Reply is what a client's Do returns; go-redis's *Cmd is one.
type Reply interface{ Result() (any, error) }

// Options configure a Store.
type Options struct {
	Prefix string // of all keys; "" = "session:"; no braces, at most 128 bytes
}

// Store is a session.Store and session.UserIndexer on a Redis or Valkey server. Safe for concurrent use. Expiry is
// the server's own: there is nothing to sweep.
type Store struct {
	do     func(ctx context.Context, args ...any) (any, error)
	prefix string
	names  map[script]string // what EVALSHA calls each script; made by New, read only
}

// Errors of the package, beside those of package session.
var (
	// ErrReply is a reply of another shape than the command has: another program writes to the same keys, or a proxy
	// changes replies. It is never taken for "no session".
	ErrReply = errors.New("redissession: unexpected reply")
)

const (
	defaultPrefix = "session:"
	maxPrefix     = 128
	maxUserID     = 255
	// exact bounds times in milliseconds: the scripts compare them as doubles.
	exact = 1 << 53
)

// New returns a store that sends its commands through do, for example rdb.Do of go-redis. It sends nothing by itself.
// All arguments of do are strings. An error is session.ErrInvalid and names the argument.
func New[R Reply](do func(ctx context.Context, args ...any) R, opts Options) (*Store, error) {
	if do == nil {
		return nil, fmt.Errorf("%w: do is nil", session.ErrInvalid)
	}
	if opts.Prefix == "" {
		opts.Prefix = defaultPrefix
	}
	if len(opts.Prefix) > maxPrefix || strings.ContainsAny(opts.Prefix, "{}") {
		return nil, fmt.Errorf("%w: Prefix %q, want at most %d bytes without braces", session.ErrInvalid, opts.Prefix, maxPrefix)
	}
	return &Store{prefix: opts.Prefix, names: names(save, touch, remove, enter, list, heal), do: func(ctx context.Context, args ...any) (any, error) {
		return do(ctx, args...).Result()
	}}, nil
}

// The braces make the ID, or the hash of the user, what a cluster places the key by.
func (s *Store) sessionKey(id session.ID) string { return s.prefix + "{" + id.String() + "}" }

func (s *Store) userKey(userID string) string {
	sum := sha256.Sum256([]byte(userID))
	return s.prefix + "user:{" + base64.RawURLEncoding.EncodeToString(sum[:]) + "}"
}

func now() int64 { return time.Now().UnixMilli() }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// Load implements session.Store: one HMGET.
func (s *Store) Load(ctx context.Context, id session.ID) (session.Record, error) {
	if err := ctx.Err(); err != nil {
		return session.Record{}, err
	}
	reply, err := s.do(ctx, "HMGET", s.sessionKey(id), "v", "u", "c", "e", "d", "p")
	if err != nil {
		return session.Record{}, fmt.Errorf("redissession: load: %w", err)
	}
	rec, err := decodeRecord(id, reply)
	if err == nil && rec.ExpiresAt.UnixMilli() <= now() {
		err = session.ErrNotFound
	}
	if err != nil {
		return session.Record{}, err
	}
	return rec, nil
}

// Save implements session.Store: one script, and three more round trips when a record gets another user or deadline,
// which is at a login (two if it is new).
func (s *Store) Save(ctx context.Context, rec session.Record) error {
	created, deadline := rec.CreatedAt.UnixMilli(), rec.Deadline.UnixMilli()
	expires, t := min(rec.ExpiresAt.UnixMilli(), deadline), now()
	switch {
	case len(rec.UserID) > maxUserID:
		return fmt.Errorf("%w: user ID of %d bytes, at most %d", session.ErrInvalid, len(rec.UserID), maxUserID)
	case deadline >= exact:
		return fmt.Errorf("%w: Deadline in year %d", session.ErrInvalid, rec.Deadline.Year())
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	indexed, bound := "0", false
	switch {
	case rec.UserID == "" || expires <= t:
		indexed = "1" // nothing to find
	case rec.Version == 0:
		bound = true
	}
	nonce := strconv.FormatUint(rand.Uint64(), 36)
	for {
		if bound {
			indexed = "1"
			if err := s.index(ctx, rec.UserID, rec.ID, deadline); err != nil {
				return err
			}
		}
		reply, err := s.text(ctx, save, s.sessionKey(rec.ID), strconv.FormatUint(rec.Version, 10), decimal(t), rec.UserID,
			decimal(created), decimal(expires), decimal(deadline), string(rec.Payload), indexed,
			strconv.FormatUint(rec.Version+1, 10), nonce)
		switch {
		case err != nil:
			return fmt.Errorf("redissession: save: %w", err)
		case reply == "saved" && bound:
			// Once more: a query that looked between the first entry and the save has taken the member for one
			// without a session.
			return s.index(ctx, rec.UserID, rec.ID, deadline)
		case reply == "saved":
			return nil
		case reply == "index" && !bound:
			bound = true
		case reply == "conflict":
			return session.ErrConflict
		case reply == "gone":
			return session.ErrNotFound
		default:
			return fmt.Errorf("%w: %.40q to save", ErrReply, reply)
		}
	}
}

// Touch implements session.Store: one script.
func (s *Store) Touch(ctx context.Context, id session.ID, expiresAt time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	reply, err := s.text(ctx, touch, s.sessionKey(id), decimal(now()), decimal(min(expiresAt.UnixMilli(), exact-1)))
	switch {
	case err != nil:
		return fmt.Errorf("redissession: touch: %w", err)
	case reply == "touched":
		return nil
	case reply == "gone":
		return session.ErrNotFound
	}
	return fmt.Errorf("%w: %.40q to touch", ErrReply, reply)
}

// Remove implements session.Store: one script, and one ZREM if the session had a user.
func (s *Store) Remove(ctx context.Context, id session.ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	gone, err := s.remove(ctx, id, "0", "")
	if err == nil && gone.userID != "" {
		// The session has ended; an entry that stays is removed when the user's sessions are listed, or expires.
		_, _ = s.do(ctx, "ZREM", s.userKey(gone.userID), id.String())
	}
	return err
}

// removed is what a script has removed: nothing, a live or an expired record.
type removed struct {
	any, live bool
	userID    string
}

// remove removes a record; with only "1" if it belongs to the user.
func (s *Store) remove(ctx context.Context, id session.ID, only, userID string) (removed, error) {
	reply, err := s.text(ctx, remove, s.sessionKey(id), only, userID, decimal(now()))
	if err != nil {
		return removed{}, fmt.Errorf("redissession: remove: %w", err)
	}
	kind, user := "", ""
	if reply != "" {
		kind, user = reply[:1], reply[1:]
	}
	switch {
	case kind == "-" && user == "":
		return removed{}, nil
	case kind == "+" || kind == "=":
		return removed{any: true, live: kind == "+", userID: user}, nil
	}
	return removed{}, fmt.Errorf("%w: %.40q to remove", ErrReply, reply)
}
