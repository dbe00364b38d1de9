package sessionrows

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/session"
)

// Data are the three fields.
type Data struct {
	N     int
	Flash string
	Lang  string
}

const userID = "user-of-16-bytes"

func ourKeys() (*session.Keyring, error) { return session.NewKeyring([]byte(strings.Repeat("k", 32))) }

func ourStore(n int) (*session.MemoryStore, error) {
	return session.NewMemoryStore(session.MemoryOptions{MaxSessions: n + 1000, MaxBytes: 4 << 30})
}

func ourManager(opts session.Options) (*session.Manager[Data], error) {
	store, err := ourStore(1000)
	if err != nil {
		return nil, err
	}
	return session.New[Data](store, opts)
}

// ourLogin stores a session and returns a request that carries it.
func ourLogin(m *session.Manager[Data]) (*http.Request, error) {
	ctx := context.Background()
	s, err := m.Lookup(ctx, "")
	if err != nil {
		return nil, err
	}
	err = s.Update(func(d *Data) error { *d = Data{1, "hello", "de"}; return nil })
	if err == nil {
		err = s.Login(ctx, userID, session.LoginOptions{})
	}
	if err != nil {
		return nil, err
	}
	return requestWith("__Host-Http-session", s.Token())
}

func requestWith(name, value string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://example.com/", nil)
	if err == nil && value != "" {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r, err
}

func ourHandler(m *session.Manager[Data], do work) http.Handler {
	answer := page()
	return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if do != untouched {
			s, err := m.Get(r.Context())
			switch {
			case err != nil || s.UserID() != userID:
				panic("session: wrong user")
			case do == readData && s.Data().Lang != "de":
				panic("session: wrong data")
			case do == update:
				if err := s.Update(func(d *Data) error { d.N++; return nil }); err != nil {
					panic(err)
				}
			}
		}
		answer(w)
	}))
}

func ourRequest(do work, o requestOptions) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		opts := session.Options{IdleTimeout: -1}
		if o.idle {
			opts.IdleTimeout = 20 * time.Minute
		}
		m, err := ourManager(opts)
		if err != nil {
			return nil, nil, err
		}
		r, err := ourLogin(m)
		if o.noCookie {
			r.Header.Del("Cookie")
		}
		return serve(ourHandler(m, do), r), nil, err
	}}
}

func ourSealedRequest(do work) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		keys, err := ourKeys()
		if err != nil {
			return nil, nil, err
		}
		m, err := session.NewClientSide[Data](keys, session.Options{})
		if err != nil {
			return nil, nil, err
		}
		r, err := ourLogin(m)
		return serve(ourHandler(m, do), r), nil, err
	}}
}

func ourFlood() harness.Contender {
	return harness.Contender{Name: "ours, Keys set", Setup: func() (harness.Op, func(), error) {
		keys, err := ourKeys()
		if err != nil {
			return nil, nil, err
		}
		m, err := ourManager(session.Options{Keys: keys})
		if err != nil {
			return nil, nil, err
		}
		r, err := requestWith("__Host-Http-session", strings.Repeat("Ab3_", 20))
		answer := page()
		h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s, err := m.Get(r.Context()); err != nil || s.UserID() != "" {
				panic("session: a made-up token is good")
			}
			answer(w)
		}))
		return serve(h, r), nil, err
	}}
}

const writers = 64

// ourParallelUpdates returns commits a second, or the share of updates that were lost.
func ourParallelUpdates(z sizes, rate bool) (float64, error) {
	m, err := ourManager(session.Options{})
	if err != nil {
		return 0, err
	}
	r, err := ourLogin(m)
	if err != nil {
		return 0, err
	}
	h := ourHandler(m, update)
	took := inParallel(writers, z.increments/writers+1, func() { h.ServeHTTP(newSink(), r) })
	total := writers * (z.increments/writers + 1)
	if rate {
		return float64(total) / took.Seconds(), nil
	}
	token, _ := session.Cookie{}.Token(r, 0)
	s, err := m.Lookup(context.Background(), token)
	return lost(s.Data().N-1, total), err
}

func lost(kept, total int) float64 { return 100 * float64(total-kept) / float64(total) }

// inParallel runs f n times in each of some goroutines.
func inParallel(goroutines, n int, f func()) time.Duration {
	var wg sync.WaitGroup
	began := time.Now()
	for range goroutines {
		wg.Go(func() {
			for range n {
				f()
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

func ourSealOpen(size int) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		keys, err := ourKeys()
		value, aad := strings.Repeat("x", size), []byte("session")
		var sealed, opened []byte // Seal and Open append, so their buffers serve again
		return func(n int) {
			for range n {
				plain, err := json.Marshal(value)
				if err != nil {
					panic(err)
				}
				sealed = keys.Seal(sealed[:0], plain, aad)
				cookie := base64.RawURLEncoding.EncodeToString(sealed)
				sealed, err = base64.RawURLEncoding.AppendDecode(sealed[:0], []byte(cookie))
				if err != nil {
					panic(err)
				}
				opened, _, err = keys.Open(opened[:0], sealed, aad)
				if err != nil {
					panic(err)
				}
				var back string
				if err := json.Unmarshal(opened, &back); err != nil || len(back) != size {
					panic("session: round trip")
				}
			}
		}, nil, err
	}}
}

func ourKeyring(size int) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		keys, err := ourKeys()
		plain := make([]byte, size)
		var sealed, opened []byte
		return func(n int) {
			for range n {
				sealed = keys.Seal(sealed[:0], plain, nil)
				var err error
				if opened, _, err = keys.Open(opened[:0], sealed, nil); err != nil {
					panic(err)
				}
			}
		}, nil, err
	}}
}

// raw is a Codec whose encoding is the data itself: capacity counts encoded bytes.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}

func ourCapacity() (float64, error) {
	keys, err := ourKeys()
	if err != nil {
		return 0, err
	}
	m, err := session.NewClientSide[[]byte](keys, session.Options{Codec: raw{}})
	if err != nil {
		return 0, err
	}
	s, err := m.Lookup(context.Background(), "")
	if err == nil {
		err = s.Login(context.Background(), userID, session.LoginOptions{})
	}
	if err != nil {
		return 0, err
	}
	for n := 2000; ; n++ {
		err := s.Update(func(data *[]byte) error { *data = make([]byte, n); return nil })
		if errors.Is(err, session.ErrTooLarge) {
			return float64(n - 1), nil
		}
		if err == nil {
			err = s.Save(context.Background())
		}
		if err != nil {
			return 0, err
		}
	}
}

// longest keeps the maximum of durations seen by several goroutines.
type longest struct{ ns atomic.Int64 }

func (l *longest) time(f func()) {
	began := time.Now()
	f()
	took := time.Since(began).Nanoseconds()
	for {
		old := l.ns.Load()
		if took <= old || l.ns.CompareAndSwap(old, took) {
			return
		}
	}
}

func (l *longest) ms() float64 { return float64(l.ns.Load()) / 1e6 }
