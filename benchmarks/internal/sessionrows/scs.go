package sessionrows

import (
	"context"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

func medianOf(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

func scsManager(o requestOptions) *scs.SessionManager {
	m := scs.New()
	m.Store = memstore.NewWithCleanupInterval(0)
	if o.idle {
		m.IdleTimeout = 20 * time.Minute
	}
	return m
}

// scsLogin stores a session and returns its token.
func scsLogin(m *scs.SessionManager) (string, error) {
	ctx, err := m.Load(context.Background(), "")
	if err != nil {
		return "", err
	}
	m.Put(ctx, "user", userID)
	m.Put(ctx, "n", 1)
	m.Put(ctx, "flash", "hello")
	m.Put(ctx, "lang", "de")
	token, _, err := m.Commit(ctx)
	return token, err
}

func scsHandler(m *scs.SessionManager, do work) http.Handler {
	answer := page()
	return m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if do != untouched {
			ctx := r.Context()
			switch {
			case m.GetString(ctx, "user") != userID:
				panic("scs: wrong user")
			case do == readData && (m.GetInt(ctx, "n") == 0 || m.GetString(ctx, "flash") == "" || m.GetString(ctx, "lang") != "de"):
				panic("scs: wrong data")
			case do == update:
				m.Put(ctx, "n", m.GetInt(ctx, "n")+1)
			}
		}
		answer(w)
	}))
}

func scsRequest(do work, o requestOptions) harness.Contender {
	return harness.Contender{Name: "scs", Setup: func() (harness.Op, func(), error) {
		m := scsManager(o)
		token, err := scsLogin(m)
		if err != nil {
			return nil, nil, err
		}
		if o.noCookie {
			token = ""
		}
		r, err := requestWith(m.Cookie.Name, token)
		return serve(scsHandler(m, do), r), nil, err
	}}
}

func scsFlood() harness.Contender {
	return harness.Contender{Name: "scs", Setup: func() (harness.Op, func(), error) {
		m := scsManager(requestOptions{})
		r, err := requestWith(m.Cookie.Name, strings.Repeat("A", 43))
		answer := page()
		h := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if m.GetString(r.Context(), "user") != "" {
				panic("scs: a made-up token is good")
			}
			answer(w)
		}))
		return serve(h, r), nil, err
	}}
}

func scsLostUpdates(z sizes) (float64, error) {
	m := scsManager(requestOptions{})
	token, err := scsLogin(m)
	if err != nil {
		return 0, err
	}
	r, err := requestWith(m.Cookie.Name, token)
	if err != nil {
		return 0, err
	}
	h := scsHandler(m, update)
	each := z.increments/writers + 1
	inParallel(writers, each, func() { h.ServeHTTP(newSink(), r) })
	ctx, err := m.Load(context.Background(), token)
	if err != nil {
		return 0, err
	}
	return lost(m.GetInt(ctx, "n")-1, writers*each), nil
}

// scsToken has the form of the package's tokens: 43 characters.
func scsToken(rng *rand.Rand) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, 43)
	for i := range b {
		b[i] = letters[rng.IntN(len(letters))]
	}
	return string(b)
}

func scsFootprint(n int) (float64, error) {
	store := memstore.NewWithCleanupInterval(0)
	rng := rand.New(rand.NewPCG(1, 1))
	before := heap()
	for range n {
		if err := store.Commit(scsToken(rng), make([]byte, 200), time.Now().Add(time.Hour)); err != nil {
			return 0, err
		}
	}
	per := (heap() - before) / float64(n)
	runtime.KeepAlive(store)
	return per, nil
}

// scsStall runs the package's own clean-up, whose timer is the only way to start it.
func scsStall(n int) (float64, error) {
	fill := time.Duration(n)*6*time.Microsecond + 500*time.Millisecond
	store := memstore.NewWithCleanupInterval(fill + 2*time.Second)
	defer store.StopCleanup()
	expiry := time.Now().Add(fill)
	rng := rand.New(rand.NewPCG(1, 1))
	for range n {
		if err := store.Commit(scsToken(rng), make([]byte, 200), expiry); err != nil {
			return 0, err
		}
	}
	live := scsToken(rng)
	if err := store.Commit(live, make([]byte, 200), time.Now().Add(time.Hour)); err != nil {
		return 0, err
	}
	runtime.GC()
	var worst longest
	var found atomic.Bool
	<-time.After(time.Until(expiry) + time.Second)
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		var err error
		worst.time(func() {
			var ok bool
			_, ok, err = store.Find(live)
			found.Store(ok)
		})
		if err != nil || !found.Load() {
			return 0, err
		}
		token := scsToken(rng)
		worst.time(func() { err = store.Commit(token, nil, time.Now().Add(time.Hour)) })
		if err != nil {
			return 0, err
		}
	}
	return worst.ms(), nil
}

func scsScaling(n, asked int) (float64, error) {
	m := scsManager(requestOptions{})
	var requests []*http.Request
	for range min(n, asked) {
		token, err := scsLogin(m)
		if err != nil {
			return 0, err
		}
		r, err := requestWith(m.Cookie.Name, token)
		if err != nil {
			return 0, err
		}
		requests = append(requests, r)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := len(requests); i < n; i++ {
		if err := m.Store.Commit(scsToken(rng), make([]byte, 200), time.Now().Add(time.Hour)); err != nil {
			return 0, err
		}
	}
	return scaling(scsHandler(m, readUserID), requests), nil
}
