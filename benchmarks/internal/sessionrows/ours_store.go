package sessionrows

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

func randomID(rng *rand.Rand) (id session.ID) {
	binary.LittleEndian.PutUint64(id[:8], rng.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rng.Uint64())
	return id
}

// heap is what is in use after a collection.
func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func ourRecord(rng *rand.Rand, i int, expires time.Time) session.Record {
	return session.Record{
		ID: randomID(rng), UserID: "user-" + strconv.Itoa(10_000_000_000+i), CreatedAt: expires, ExpiresAt: expires, Deadline: expires,
		Payload: make([]byte, 200),
	}
}

func ourFootprint(n int) (float64, error) {
	store, err := ourStore(n)
	if err != nil {
		return 0, err
	}
	rng := rand.New(rand.NewPCG(1, 1))
	before := heap()
	for i := range n {
		if err := store.Save(context.Background(), ourRecord(rng, i, time.Now().Add(time.Hour))); err != nil {
			return 0, err
		}
	}
	per := (heap() - before) / float64(n)
	runtime.KeepAlive(store)
	return per, nil
}

// ourStall returns the longest Load or Save while n expired sessions are swept.
func ourStall(n int) (float64, error) {
	store, err := ourStore(2*n + 1_000_000) // room for what beside saves, however long a sweep takes
	if err != nil {
		return 0, err
	}
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(1, 1))
	// They all expire at one moment, so that none goes before the sweep.
	expiry := time.Now().Add(time.Duration(n) * 6 * time.Microsecond).Add(500 * time.Millisecond)
	for i := range n {
		if err := store.Save(ctx, ourRecord(rng, i, expiry)); err != nil {
			return 0, err
		}
	}
	live := ourRecord(rng, n, time.Now().Add(time.Hour))
	if err := store.Save(ctx, live); err != nil {
		return 0, err
	}
	runtime.GC()
	<-time.After(time.Until(expiry) + time.Second)
	var worst longest
	for left := n; left > 0; left -= n / 20 {
		if err := beside(&worst, store, n/20, rng, live); err != nil {
			return 0, err
		}
		<-time.After(20 * time.Millisecond) // a process that never rests is stopped by the scheduler, which is not our stall
	}
	if left, err := store.Sweep(ctx, n); left > 0 || err != nil {
		return 0, fmt.Errorf("%d records are left: %w", left, err)
	}
	return worst.ms(), nil
}

// beside loads and saves while some records are swept.
func beside(worst *longest, store *session.MemoryStore, sweep int, rng *rand.Rand, live session.Record) error {
	ctx := context.Background()
	swept := make(chan error)
	go func() {
		_, err := store.Sweep(ctx, sweep)
		swept <- err
	}()
	for i := 0; ; i++ {
		select {
		case err := <-swept:
			return err
		default:
		}
		var err error
		worst.time(func() { _, err = store.Load(ctx, live.ID) })
		if err != nil {
			return err
		}
		rec := ourRecord(rng, i, live.ExpiresAt)
		worst.time(func() { err = store.Save(ctx, rec) })
		if err != nil {
			return err
		}
	}
}

// ourScaling serves ReadUserID on one and on two processors, from a store of n sessions, of some or of one of them.
func ourScaling(n, asked int) (float64, error) {
	store, err := ourStore(n)
	if err != nil {
		return 0, err
	}
	m, err := session.New[Data](store, session.Options{})
	if err != nil {
		return 0, err
	}
	var requests []*http.Request
	for range min(n, asked) { // requests are larger than sessions; the rest of the store is filled below
		r, err := ourLogin(m)
		if err != nil {
			return 0, err
		}
		requests = append(requests, r)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := len(requests); i < n; i++ {
		if err := store.Save(context.Background(), ourRecord(rng, i, time.Now().Add(time.Hour))); err != nil {
			return 0, err
		}
	}
	return scaling(ourHandler(m, readUserID), requests), nil
}

// scaling is the throughput of two processors by twice that of one, the median of five pairs.
func scaling(h http.Handler, requests []*http.Request) float64 {
	const turns = 9
	var ratios []float64
	throughput(h, requests, 2) // the heap gets its pages from the system, which takes longer than the requests
	for range turns {
		one := throughput(h, requests, 1)
		two := throughput(h, requests, 2)
		ratios = append(ratios, two/(2*one))
	}
	return medianOf(ratios)
}

func throughput(h http.Handler, requests []*http.Request, procs int) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	runtime.GC() // what the last turn has left is room for this one
	const each = 20_000
	took := inParallel(procs, 1, func() {
		w, at := newSink(), rand.IntN(len(requests))
		for range each {
			clear(w.h)
			h.ServeHTTP(w, requests[at])
			at = (at + 7919) % len(requests)
		}
	})
	return float64(procs*each) / took.Seconds()
}
