package sessionrows

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/sessions"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// backends are the rows of the stores beside memory: files, Redis, caches. The requests and the handlers are those of the
// other rows.
func backends() []harness.Row {
	rows := []harness.Row{
		{
			Workload: "FileSave: read and change one field, without fsync", MaxAllocs: harness.NoAllocLimit,
			Ours: ourFiles(update, session.FileOptions{NoSync: true}), Peers: []harness.Contender{gorillaFiles(update)},
			Target: harness.AtLeast(1),
		},
		{
			Workload: "FileSave: the same with fsync; gorilla has none", MaxAllocs: harness.NoAllocLimit,
			Ours: ourFiles(update, session.FileOptions{}), Peers: []harness.Contender{gorillaFiles(update)},
			Target: harness.Report(),
		},
		{
			Workload: "FileRead: read the user", MaxAllocs: harness.NoAllocLimit,
			Ours: ourFiles(readUserID, session.FileOptions{}), Peers: []harness.Contender{gorillaFiles(readUserID)},
			Target: harness.AtLeast(1),
		},
		{
			Workload: "CachedBurst: six parallel loads of one session", Unit: "inner loads", MaxAllocs: harness.NoAllocLimit,
			Ours:   harness.Contender{Name: "CachedStore", Value: cachedBurst},
			Target: harness.Limit(1),
		},
	}
	return append(rows, redisRows()...)
}

// onStore serves requests of one logged-in session kept in a store.
func onStore(do work, store session.Store) (harness.Op, error) {
	m, err := session.New[Data](store, session.Options{IdleTimeout: 20 * time.Minute})
	if err != nil {
		return nil, err
	}
	r, err := ourLogin(m)
	return serve(ourHandler(m, do), r), err
}

func ourFiles(do work, opts session.FileOptions) harness.Contender {
	name := "FileStore"
	if opts.NoSync {
		name += ", NoSync"
	}
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		dir, err := os.MkdirTemp("", "sessionrows")
		if err != nil {
			return nil, nil, err
		}
		done := func() { _ = os.RemoveAll(dir) }
		store, err := session.NewFileStore(dir, opts)
		if err != nil {
			done()
			return nil, nil, err
		}
		op, err := onStore(do, store)
		return op, func() {
			_ = store.Close(context.Background())
			done()
		}, err
	}}
}

// gorillaFiles keeps the same fields in a FilesystemStore.
func gorillaFiles(do work) harness.Contender {
	return harness.Contender{Name: "gorilla FilesystemStore", Setup: func() (harness.Op, func(), error) {
		dir, err := os.MkdirTemp("", "sessionrows")
		if err != nil {
			return nil, nil, err
		}
		done := func() { _ = os.RemoveAll(dir) }
		store := sessions.NewFilesystemStore(dir, []byte("a hash key of thirty-two bytes !"))
		blank, err := requestWith("", "")
		if err != nil {
			return nil, done, err
		}
		s, err := store.New(blank, "session")
		if err != nil {
			return nil, done, err
		}
		s.Values["user"], s.Values["n"], s.Values["flash"], s.Values["lang"] = userID, 1, "hello", "de"
		w := newSink()
		if err := store.Save(blank, w, s); err != nil {
			return nil, done, err
		}
		cookie, err := http.ParseSetCookie(w.h.Get("Set-Cookie"))
		if err != nil {
			return nil, done, err
		}
		r, err := requestWith("session", cookie.Value)
		answer := page()
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.WithContext(r.Context()) // as a server has it: the package caches in its context
			s, err := store.Get(r, "session")
			if err != nil || s.Values["user"] != userID {
				panic("gorilla: wrong session")
			}
			if do == update {
				s.Values["n"] = s.Values["n"].(int) + 1
				if err := store.Save(r, w, s); err != nil {
					panic(err)
				}
			}
			answer(w)
		})
		return serve(h, r), done, err
	}}
}

// cachedBurst counts what reaches the store behind the cache; each load takes 20 ms, so that the six meet.
func cachedBurst() (float64, error) {
	memory, err := ourStore(1)
	if err != nil {
		return 0, err
	}
	inner := sessiontest.Faulty(memory, func(c sessiontest.Call) sessiontest.Fault {
		if c.Op == "Load" {
			return sessiontest.Fault{Delay: 20 * time.Millisecond}
		}
		return sessiontest.Fault{}
	})
	store, err := session.NewCachedStore(inner, session.CacheOptions{})
	if err != nil {
		return 0, err
	}
	t := time.Now()
	rec := session.Record{ID: session.ID{1}, ExpiresAt: t.Add(time.Hour), Deadline: t.Add(time.Hour)}
	if err := memory.Save(context.Background(), rec); err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() { _, errs[i] = store.Load(context.Background(), rec.ID) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, fmt.Errorf("burst: %w", err)
	}
	return float64(inner.Calls("Load")), nil
}
