package session_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/sysblocks/sysblocks/session"
)

// sink is a ResponseWriter that costs as little as one can.
type sink struct {
	h http.Header
	n int
}

func (s *sink) Header() http.Header { return s.h }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Write(p []byte) (int, error) {
	s.n += len(p)
	return len(p), nil
}

// bench is one request that can be served again and again.
type bench struct {
	m    *session.Manager[Data]
	r    *http.Request
	sink sink
}

func newBench(tb testing.TB, opts session.Options) *bench {
	tb.Helper()
	m, err := session.New[Data](memory(tb, session.MemoryOptions{}), opts)
	if err != nil {
		tb.Fatal(err)
	}
	return benchOf(tb, m)
}

func benchOf(tb testing.TB, m *session.Manager[Data]) *bench {
	tb.Helper()
	ctx := context.Background()
	s, err := m.Lookup(ctx, "")
	if err == nil {
		err = s.Update(func(d *Data) error { d.N, d.Flash, d.Lang = 1, "hello", "de"; return nil })
	}
	if err == nil {
		err = s.Login(ctx, "user-of-16-bytes", session.LoginOptions{})
	}
	if err != nil {
		tb.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://example.com/", nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "__Host-Http-session", Value: s.Token()})
	return &bench{m: m, r: r, sink: sink{h: http.Header{}}}
}

// serve runs f as the handler of one request.
func (b *bench) serve(f http.HandlerFunc) func() {
	h := b.m.Handler(f)
	return func() {
		clear(b.sink.h)
		h.ServeHTTP(&b.sink, b.r)
	}
}

func write(w http.ResponseWriter) { _, _ = w.Write(page) }

var page = []byte("page")

func (b *bench) untouched() func() {
	return b.serve(func(w http.ResponseWriter, _ *http.Request) { write(w) })
}

func (b *bench) readUserID() func() {
	return b.serve(func(w http.ResponseWriter, r *http.Request) {
		s, _ := b.m.Get(r.Context())
		if s.UserID() == "" {
			panic("anonymous")
		}
		write(w)
	})
}

func (b *bench) readData() func() {
	return b.serve(func(w http.ResponseWriter, r *http.Request) {
		s, _ := b.m.Get(r.Context())
		if s.Data().N == 0 {
			panic("empty")
		}
		write(w)
	})
}

func (b *bench) update() func() {
	return b.serve(func(w http.ResponseWriter, r *http.Request) {
		s, _ := b.m.Get(r.Context())
		if err := s.Update(increment); err != nil {
			panic(err)
		}
		write(w)
	})
}

func TestAllocationsPerRequest(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	b := newBench(t, session.Options{})
	anonymous := newBench(t, session.Options{})
	anonymous.r.Header.Del("Cookie")
	ring := keyring(t, 1)
	var sealed, opened []byte
	for _, c := range []struct {
		name string
		f    func()
		most float64
	}{
		{"NoCookie", anonymous.untouched(), 5},
		{"Untouched", b.untouched(), 5},
		{"ReadUserID", b.readUserID(), 6},
		{"Update", b.update(), 30},
		{"SealOpen", func() {
			sealed = ring.Seal(sealed[:0], page, nil)
			opened, _, _ = ring.Open(opened[:0], sealed, nil)
		}, 6},
	} {
		got := testing.AllocsPerRun(200, c.f)
		t.Logf("%-10s %v allocations", c.name, got)
		if got > c.most {
			t.Errorf("%s: %v allocations, at most %v", c.name, got, c.most)
		}
	}
}
