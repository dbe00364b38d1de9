package linear

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// machines are three acceptors without a network. A message is lost with the given probability, on its way or on its way back.
type machines struct {
	tb   testing.TB
	dirs []string
	mu   sync.Mutex
	all  []*Acceptor
	rng  *rand.Rand
	loss float64
}

func newMachines(tb testing.TB, n int, seed uint64) *machines {
	tb.Helper()
	m := &machines{tb: tb, rng: rand.New(rand.NewPCG(seed, 0))}
	for i := range n {
		m.dirs = append(m.dirs, tb.TempDir())
		m.all = append(m.all, nil)
		m.restart(i)
	}
	return m
}

func (m *machines) restart(i int) {
	if old := m.all[i]; old != nil {
		if err := old.store.Close(); err != nil {
			m.tb.Fatal(err)
		}
	}
	store, err := storage.Open(m.dirs[i], storage.Options{})
	if err != nil {
		m.tb.Fatal(err)
	}
	if m.all[i], err = NewAcceptor(m.dirs[i], store); err != nil {
		m.tb.Fatal(err)
	}
}

func (m *machines) lost() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rng.Float64() < m.loss
}

// each asks all acceptors in a random order until two have answered.
func (m *machines) each(op func(a *Acceptor) ([]storage.Entry, error)) (got [][]storage.Entry, err error) {
	m.mu.Lock()
	order := m.rng.Perm(len(m.all))
	m.mu.Unlock()
	failed := errors.New("lost")
	for _, i := range order {
		if m.lost() {
			continue
		}
		entries, err := op(m.all[i])
		if _, refused := errors.AsType[*wire.RefusedError](err); refused {
			failed = err
		}
		if err == nil && !m.lost() {
			got = append(got, entries)
		}
		if len(got) > len(m.all)/2 {
			return got, nil
		}
	}
	return nil, failed
}

// one is the replicas of one key.
type one struct {
	*machines
	key string
}

func newest(got [][]storage.Entry) (e []storage.Entry, count int) {
	for _, g := range got {
		switch {
		case len(g) == 0:
		case e == nil || g[0].Stamp.Compare(e[0].Stamp) > 0:
			e, count = g, 1
		case g[0].Stamp == e[0].Stamp:
			count++
		}
	}
	return slices.Clone(e), count
}

func (o one) Read(context.Context) ([]storage.Entry, bool, error) {
	got, err := o.each(func(a *Acceptor) ([]storage.Entry, error) {
		e, found, err := a.store.Get(o.key)
		if err != nil || !found {
			return nil, err
		}
		return []storage.Entry{e}, nil
	})
	e, count := newest(got)
	return e, count > len(o.all)/2, err
}

func (o one) Promise(_ context.Context, ballot storage.Stamp) ([]storage.Entry, error) {
	got, err := o.each(func(a *Acceptor) ([]storage.Entry, error) { return a.Promise(o.key, ballot) })
	e, _ := newest(got)
	return e, err
}

func (o one) Accept(_ context.Context, e storage.Entry) error {
	_, err := o.each(func(a *Acceptor) ([]storage.Entry, error) { return nil, a.Accept(e) })
	return err
}

// ticks is a clock that only counts.
type ticks struct {
	name string
	mu   sync.Mutex
	now  uint64
}

func (c *ticks) Next() storage.Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	return storage.Stamp{Time: c.now, Node: c.name}
}

func (c *ticks) Observe(s storage.Stamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = max(c.now, s.Time)
}

func plus(id uint64) wire.Change {
	return wire.Change{How: wire.Add, ID: id, Entry: storage.Entry{Key: "n", Value: []byte("1")}}
}

// TestIncrementsUnderLossAreDoneOnceEach repeats every increment until it is acknowledged, while messages are lost and acceptors
// restart.
func TestIncrementsUnderLossAreDoneOnceEach(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			m := newMachines(t, 3, seed)
			m.loss = 0.2
			const clients, each = 4, 25
			var names atomic.Uint64
			var all sync.WaitGroup
			for client := range clients {
				clock := &ticks{name: fmt.Sprint("c", client)}
				all.Go(func() {
					for range each {
						id := names.Add(1) // ascending with time
						for {
							if _, err := Change(t.Context(), one{m, "n"}, clock, plus(id)); err == nil {
								break
							}
							<-time.After(time.Millisecond)
						}
					}
				})
			}
			all.Wait()
			m.loss = 0
			got, err := Read(t.Context(), one{m, "n"}, &ticks{name: "r"}, "n")
			if err != nil || len(got) != 1 || string(got[0].Value) != strconv.Itoa(clients*each) {
				t.Errorf("seed %d: got %v, %v", seed, got, err)
			}
		})
	}
}

func TestAVersionStaysTheSameWhenItIsWrittenBack(t *testing.T) {
	m, clock := newMachines(t, 3, 1), &ticks{name: "c"}
	set := wire.Change{How: wire.Set, ID: 1, Entry: storage.Entry{Key: "k", Value: []byte("v")}}
	made, err := Change(t.Context(), one{m, "k"}, clock, set)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // an identity change accepts it again under a later ballot
		if _, err := Change(t.Context(), one{m, "k"}, clock, wire.Change{How: wire.Nothing, Entry: storage.Entry{Key: "k"}}); err != nil {
			t.Fatal(err)
		}
		got, err := Read(t.Context(), one{m, "k"}, clock, "k")
		if err != nil || got[0].Stamp != made[0].Stamp || string(got[0].Value) != "v" {
			t.Errorf("got %v, %v, want %v", got, err, made)
		}
	}
	set.How, set.ID, set.Entry.Stamp = wire.SetIf, 2, made[0].Stamp
	if _, err := Change(t.Context(), one{m, "k"}, clock, set); err != nil {
		t.Errorf("the version of the first write is no longer good: %v", err)
	}
	set.ID = 3
	if _, err := Change(t.Context(), one{m, "k"}, clock, set); !errors.Is(err, wire.ErrConflict) {
		t.Errorf("an old version is good: %v", err)
	}
	set.ID, set.Entry.Stamp = 4, storage.Stamp{}
	if _, err := Change(t.Context(), one{m, "k"}, clock, set); !errors.Is(err, wire.ErrConflict) {
		t.Errorf("no version is good while there is one: %v", err)
	}
}

// TestARepeatedChangeDoesNotPassForAnothersVersion: who is told a version may make the next change depend on it.
func TestARepeatedChangeDoesNotPassForAnothersVersion(t *testing.T) {
	m, clock := newMachines(t, 3, 1), &ticks{name: "c"}
	put := func(id uint64) []storage.Entry {
		got, err := Change(t.Context(), one{m, "k"}, clock, wire.Change{How: wire.Set, ID: id, Entry: storage.Entry{Key: "k"}})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := put(1)
	if again := put(1); len(again) != 1 || again[0].Stamp != first[0].Stamp {
		t.Errorf("the same change made %v and %v", first, again)
	}
	put(2)
	if again := put(1); len(again) != 0 {
		t.Errorf("a replaced version is said to be there: %v", again)
	}
}

func TestAPromiseOutlivesARestart(t *testing.T) {
	m := newMachines(t, 1, 1)
	if _, err := m.all[0].Promise("k", storage.Stamp{Time: 10, Node: "b"}); err != nil {
		t.Fatal(err)
	}
	m.restart(0)
	old := storage.Entry{Key: "k", Stamp: storage.Stamp{Time: 9, Node: "a"}}
	err := m.all[0].Accept(old)
	refused, ok := errors.AsType[*wire.RefusedError](err)
	if !ok {
		t.Fatalf("a write that was overtaken is stored after a restart: %v", err)
	}
	old.Stamp.Time = refused.By.Time + 1 // what a writer learns from the refusal lets it go on
	if _, err := m.all[0].Promise("k", old.Stamp); err != nil {
		t.Error(err)
	}
	if err := m.all[0].Accept(old); err != nil {
		t.Error(err)
	}
}

func TestPromisesRefuseOlderWritesAndOnlyThose(t *testing.T) {
	a := newMachines(t, 1, 1).all[0]
	at := func(time uint64) storage.Stamp { return storage.Stamp{Time: time, Node: "n"} }
	write := func(time uint64) error { return a.Accept(storage.Entry{Key: "k", Stamp: at(time)}) }
	promise := func(time uint64) error { _, err := a.Promise("k", at(time)); return err }
	for i, step := range []struct {
		err error
		ok  bool
	}{
		{promise(5), true},
		{promise(5), false},
		{promise(4), false},
		{write(4), false},
		{write(5), true},
		{write(5), true},
		{promise(5), false},
		{promise(7), true},
		{write(5), true},
		{write(6), false},
		{write(8), true},
		{write(7), false},
		{promise(8), false},
		{promise(9), true},
	} {
		if (step.err == nil) != step.ok {
			t.Errorf("step %d: %v", i, step.err)
		}
	}
}

func TestForgottenPromisesBecomeOneForAllKeys(t *testing.T) {
	a := newMachines(t, 1, 1).all[0]
	for i := range uint64(inFlight + 1) {
		if _, err := a.Promise(fmt.Sprint("k", i), storage.Stamp{Time: i + 1, Node: "n"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.promised) != 0 {
		t.Errorf("%d promises in memory", len(a.promised))
	}
	if err := a.Accept(storage.Entry{Key: "k5", Stamp: storage.Stamp{Time: 3, Node: "n"}}); err == nil {
		t.Error("a promise was broken")
	}
}

func TestAnOperationTooOldToKnowIsRefused(t *testing.T) {
	m, clock := newMachines(t, 3, 1), &ticks{name: "c"}
	for id := uint64(1); id <= remembered+1; id++ {
		if _, err := Change(t.Context(), one{m, "n"}, clock, plus(id)); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[uint64]bool{1: false, 2: true, remembered: true, remembered + 1: true} {
		if _, err := Change(t.Context(), one{m, "n"}, clock, plus(id)); (err == nil) != want {
			t.Errorf("operation %d again: %v", id, err)
		}
	}
	got, err := Read(t.Context(), one{m, "n"}, clock, "n")
	if err != nil || string(got[0].Value) != strconv.Itoa(remembered+1) {
		t.Errorf("got %s, %v", got[0].Value, err)
	}
}

func TestCellSurvivesTheDisk(t *testing.T) {
	for _, c := range []Cell{{}, {Made: storage.Stamp{Time: 1 << 60, Node: "n1"}, By: 2, IDs: []uint64{1, 2, 1 << 63}, Data: []byte("data")}, {Data: make([]byte, 10)}} {
		b := c.Encode()
		got, err := Decode(b)
		if err != nil || got.Made != c.Made || got.By != c.By || !slices.Equal(got.IDs, c.IDs) || string(got.Data) != string(c.Data) {
			t.Errorf("%+v became %+v, %v", c, got, err)
		}
		for n := range len(b) - len(c.Data) {
			if _, err := Decode(b[:n]); err == nil {
				t.Errorf("%d bytes of %d were taken", n, len(b))
			}
		}
	}
}
