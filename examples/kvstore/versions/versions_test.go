package versions

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

type ticks struct{ now uint64 }

func (c *ticks) Next() storage.Stamp {
	c.now++
	return storage.Stamp{Time: c.now, Node: "t"}
}

func replica(tb testing.TB, node string, clock Clock) *Replica {
	tb.Helper()
	store, err := storage.Open(tb.TempDir(), storage.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = store.Close() })
	return NewReplica(node, store, clock)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// oracle knows every write with everything that its writer had seen, as sets of names.
type oracle map[string]map[string]bool

// left are the names among the known ones that no other known one has seen.
func (o oracle) left(known map[string]bool) map[string]bool {
	rest := maps.Clone(known)
	for name := range known {
		for seen := range o[name] {
			delete(rest, seen)
		}
	}
	return rest
}

// TestRandomProgramsKeepExactlyWhatNobodyHasReplaced writes at random nodes with the context of random earlier reads, merges random
// pairs, and lets nodes forget what they have handed on; sets of names are the oracle.
func TestRandomProgramsKeepExactlyWhatNobodyHasReplaced(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		clock, history := &ticks{}, oracle{}
		const nodes = 4
		var all [nodes]*Replica
		var known [nodes]map[string]bool
		for i := range all {
			all[i], known[i] = replica(t, fmt.Sprint("n", i), clock), map[string]bool{}
		}
		type read struct {
			context string
			known   map[string]bool
		}
		reads := []read{{"", nil}}
		check := func(i int) Set {
			set, err := all[i].load("k")
			must(t, err)
			var got, want []string
			for _, v := range set.Versions {
				got = append(got, string(v.Data))
			}
			want = slices.Sorted(maps.Keys(history.left(known[i])))
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: node %d has %v, want %v", seed, i, got, want)
			}
			return set
		}
		for step := range 40 {
			i, j := rng.IntN(nodes), rng.IntN(nodes)
			switch op := rng.IntN(10); {
			case op < 4:
				r, name := reads[rng.IntN(len(reads))], fmt.Sprint("v", step)
				_, err := all[i].Update(wire.Change{How: wire.SetIf, Entry: storage.Entry{Key: "k", Stamp: storage.Stamp{Node: r.context}, Value: []byte(name)}})
				must(t, err)
				history[name] = maps.Clone(r.known)
				known[i][name] = true
				maps.Copy(known[i], r.known)
			case op < 5:
				set, name := check(i), fmt.Sprint("v", step)
				_, err := all[i].Update(wire.Change{How: wire.Set, Entry: storage.Entry{Key: "k", Value: []byte(name)}})
				must(t, err)
				history[name] = maps.Clone(known[i])
				known[i][name] = true
				_ = set
			case op < 7 && i != j:
				e, found, err := all[i].store.Get("k")
				must(t, err)
				if found {
					must(t, all[j].Merge(e))
					maps.Copy(known[j], known[i])
				}
				if rng.IntN(3) == 0 && found { // handed on
					must(t, all[i].Forget(e, func() {}))
					known[i] = map[string]bool{}
				}
			default:
				reads = append(reads, read{check(i).Seen.String(), maps.Clone(known[i])})
			}
			check(i)
			check(j)
		}
	}
}

func TestARepeatedPutMakesNoSibling(t *testing.T) {
	clock := &ticks{}
	a, b := replica(t, "a", clock), replica(t, "b", clock)
	put := wire.Change{How: wire.SetIf, ID: 7, Entry: storage.Entry{Key: "k", Value: []byte("v")}}
	for range 3 {
		_, err := a.Update(put)
		must(t, err)
	}
	again, err := b.Update(put) // the client did not get the answer of a
	must(t, err)
	must(t, a.Merge(again))
	set, err := a.load("k")
	if must(t, err); len(set.Versions) != 1 {
		t.Errorf("%d versions", len(set.Versions))
	}
}

func TestWhatHasChangedIsNotForgotten(t *testing.T) {
	a := replica(t, "a", &ticks{})
	put := wire.Change{How: wire.Set, Entry: storage.Entry{Key: "k", Value: []byte("v")}}
	e, err := a.Update(put)
	must(t, err)
	_, err = a.Update(put)
	must(t, err)
	if err := a.Forget(e, func() { t.Error("gone") }); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
}

func TestDeletionsAreVersionsToo(t *testing.T) {
	a := replica(t, "a", &ticks{})
	_, err := a.Update(wire.Change{How: wire.Set, Entry: storage.Entry{Key: "k", Value: []byte("v")}})
	must(t, err)
	e, err := a.Update(wire.Change{How: wire.Set, Entry: storage.Entry{Key: "k", Deleted: true}})
	if must(t, err); !e.Deleted {
		t.Error("a deleted key is listed")
	}
	e, err = a.Update(wire.Change{How: wire.SetIf, Entry: storage.Entry{Key: "k", Value: []byte("w")}})
	if must(t, err); e.Deleted {
		t.Error("a write beside the deletion is hidden")
	}
	if _, err := a.Update(wire.Change{How: wire.Add, Entry: storage.Entry{Key: "k"}}); !errors.Is(err, wire.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestSetSurvivesTheDisk(t *testing.T) {
	s := Set{Seen: Vector{}}.Put("a@1", Vector{}, Version{ID: 5, Data: []byte("x")}).Put("b@2", Vector{}, Version{Deleted: true})
	b := s.Encode()
	got, err := Decode(b)
	if err != nil || !got.Equal(s) || len(got.Versions) != 2 || !got.Versions[1].Deleted {
		t.Errorf("%+v became %+v, %v", s, got, err)
	}
	if _, err := Decode(b[:len(b)-1]); err == nil {
		t.Error("half a set was taken")
	}
	for _, bad := range []string{"a", "a:", "a:0", "a:-1", ":1", "a:1,"} {
		if _, err := Parse(bad); !errors.Is(err, wire.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
