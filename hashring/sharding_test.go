package hashring

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestHashTagFollowsRedisCluster(t *testing.T) {
	for key, want := range map[string]string{
		"":               "",
		"user:42":        "user:42",
		"{user:42}:cart": "user:42",
		"cart:{user:42}": "user:42",
		"x{}y":           "x{}y",
		"foo{}{bar}":     "foo{}{bar}",
		"foo{{bar}}zap":  "{bar",
		"foo{bar}{zap}":  "bar",
		"}{a}":           "a",
		"{open":          "{open",
		"{":              "{",
		"a}b{c":          "a}b{c",
	} {
		if got := HashTag(key); got != want {
			t.Errorf("HashTag(%q) = %q, want %q", key, got, want)
		}
		if slot := Slot(key); slot < 0 || slot >= 16384 || slot != Slot(want) && HashTag(want) == want {
			t.Errorf("Slot(%q) = %d", key, slot)
		}
	}
}

func TestCRC16EqualsTheBitwiseDefinition(t *testing.T) {
	for i := range 500 {
		s := strconv.FormatUint(mix64(uint64(i))|1<<63, 10)[:i%15]
		var crc uint16
		for _, c := range []byte(s) {
			crc ^= uint16(c) << 8
			for range 8 {
				if crc&0x8000 != 0 {
					crc = crc<<1 ^ 0x1021
				} else {
					crc <<= 1
				}
			}
		}
		if got := crc16(s); got != crc {
			t.Fatalf("crc16(%q) = %x, want %x", s, got, crc)
		}
	}
}

func TestHashTagsApplyToKeysAndNotToIDs(t *testing.T) {
	nodes := []string{"{x}1", "{x}2", "{x}3"}
	r := mustNew(t, Nodes(nodes...), Options{HashTags: true})
	if got := r.Snapshot().Stats(); got.StdDev > 0.3 {
		t.Errorf("IDs were cut to their tags: %+v", got)
	}
	for i := range 100 {
		a, _ := r.Get(fmt.Sprintf("{user:%d}:cart", i))
		if b, _ := r.Get(fmt.Sprintf("user:%d", i)); a != b {
			t.Fatal("keys of one tag have two owners")
		}
	}
}

func TestGroupGathersKeysByOwner(t *testing.T) {
	for _, o := range []Options{{}, {LoadFactor: 1.05}} {
		s := mustNew(t, named("n", 30), o).Snapshot()
		var keys []string
		for i := range 200 {
			keys = append(keys, fmt.Sprint("key", i*7%150)) // some come twice
		}
		want := map[string][]string{}
		for _, key := range keys {
			id, _ := s.Get(key)
			want[id] = append(want[id], key)
		}
		got := map[string][]string{}
		last := ""
		for n, list := range s.Group(keys) {
			if n.ID <= last {
				t.Errorf("%s comes after %s", n.ID, last)
			}
			last = n.ID
			got[n.ID] = list
		}
		for id, list := range got {
			got[id] = append(list, "appended")[:len(list)] // must not write into a neighbour
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("Group gave %v, want %v", got, want)
		}
		for range s.Group(nil) {
			t.Error("no keys, and a group")
		}
		for range s.Group(keys) {
			break
		}
	}
}

func TestSubsetIsTheBeginningOfTheWalk(t *testing.T) {
	s := mustNew(t, benchNodes(30, 3), Options{LoadFactor: 1.2}).Snapshot()
	for n := -1; n <= 32; n++ {
		sub := s.Subset("tenant", n)
		var want []string
		for node := range s.Walk("tenant") {
			if len(want) < n {
				want = append(want, node.ID)
			}
		}
		slices.Sort(want)
		if got := slices.Collect(sub.All()); !slices.Equal(ids(got), want) {
			t.Fatalf("Subset(%d) has %v, want %v", n, ids(got), want)
		}
		fresh := mustNew(t, slices.Collect(sub.All()), Options{LoadFactor: 1.2}).Snapshot()
		if !reflect.DeepEqual(fresh.placement, sub.placement) {
			t.Fatalf("Subset(%d) is another ring than one of its nodes", n)
		}
	}
	// A join alters at most one node of any shard.
	joined, err := s.With(Node[string]{ID: "joiner", Zone: "zone-1"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		key := fmt.Sprint("tenant", i)
		after := ids(slices.Collect(joined.Subset(key, 4).All()))
		changed := 0
		for n := range s.Without().Subset(key, 4).All() {
			if !slices.Contains(after, n.ID) {
				changed++
			}
		}
		if changed > 2 { // with a bound the owner may change as well
			t.Errorf("%s: a join replaced %d of 4 nodes", key, changed)
		}
	}
}

func TestSpecRoundTrip(t *testing.T) {
	nodes := []Node[string]{{ID: "a", Weight: 2, Zone: "x"}, {ID: "b", Tokens: []uint64{0, math.MaxUint64}, Zone: "y"}}
	r := mustNew(t, nodes, Options{VNodes: 7, LoadFactor: 1.5, Seed: math.MaxUint64, HashTags: true})
	text, err := json.Marshal(r.Snapshot().Spec())
	if err != nil {
		t.Fatal(err)
	}
	var spec Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	back, err := FromSpec(spec, nil, func(id string) (string, error) { return "value of " + id, nil })
	if err != nil {
		t.Fatal(err)
	}
	if back.Snapshot().Fingerprint() != r.Snapshot().Fingerprint() || !reflect.DeepEqual(back.Snapshot().placement, r.Snapshot().placement) {
		t.Errorf("the ring of %s is another", text)
	}
	if n, _ := back.Snapshot().Node("a"); n.Value != "value of a" {
		t.Errorf("value %q", n.Value)
	}
	if !strings.Contains(string(text), `"seed":"18446744073709551615"`) {
		t.Errorf("the seed is not a string: %s", text)
	}
	if _, err := FromSpec[string](spec, func(s string) uint64 { return Hash(s) + 1 }, nil); !errors.Is(err, ErrIncomparable) {
		t.Errorf("another hash: %v", err)
	}
	spec.Nodes[0].Weight = 3
	if _, err := FromSpec[string](spec, nil, nil); !errors.Is(err, ErrIncomparable) {
		t.Errorf("another weight: %v", err)
	}
	spec.Fingerprint = 0
	if _, err := FromSpec[string](spec, nil, nil); err != nil {
		t.Errorf("no fingerprint, no check: %v", err)
	}
	refused := errors.New("no route")
	if _, err := FromSpec(spec, nil, func(string) (int, error) { return 0, refused }); !errors.Is(err, refused) {
		t.Errorf("error of value: %v", err)
	}
	spec.VNodes = -1
	if _, err := FromSpec[int](spec, nil, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("bad spec: %v", err)
	}
}

// FuzzSpec decodes hostile JSON: no panic, and what is accepted survives a round trip.
func FuzzSpec(f *testing.F) {
	f.Add([]byte(`{"vnodes":3,"nodes":[{"id":"a"},{"id":"b","weight":0.5,"tokens":[1,1,0]}]}`))
	f.Add([]byte(`{"vnodes":1,"load_factor":1.01,"seed":"7","nodes":[{"id":"a","zone":"z"}],"fingerprint":"1"}`))
	f.Add([]byte(`{"nodes":[{"id":"a","tokens":[18446744073709551615,0]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var spec Spec
		if json.Unmarshal(text, &spec) != nil || len(spec.Nodes) > 8 || spec.VNodes > 300 {
			return
		}
		for _, n := range spec.Nodes {
			if n.Weight > 100 {
				return
			}
		}
		r, err := FromSpec[int](spec, nil, nil)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrIncomparable) {
				t.Fatalf("unexpected error: %v", err)
			}
			return
		}
		again, err := json.Marshal(r.Snapshot().Spec())
		if err != nil {
			t.Fatal(err)
		}
		var second Spec
		if err := json.Unmarshal(again, &second); err != nil {
			t.Fatal(err)
		}
		if _, err := FromSpec[int](second, nil, nil); err != nil {
			t.Fatalf("%s does not survive: %v", again, err)
		}
	})
}

// TestRangeMapEqualsTheNaiveModel compares with a map of bounds and a linear search.
func TestRangeMapEqualsTheNaiveModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 4))
	for range 50 {
		var m RangeMap[float64, int]
		model := map[float64]int{}
		keys := []float64{math.Inf(-1), -1, 0, 0.5, 1, 2, 3, math.Inf(1)}
		for step := range 100 {
			k := keys[rnd.IntN(len(keys))]
			if rnd.IntN(3) > 0 {
				m.Set(k, step)
				model[k] = step
			} else {
				_, had := model[k]
				delete(model, k)
				if m.Remove(k) != had {
					t.Fatalf("Remove(%v) is not %v", k, had)
				}
			}
			for _, key := range append(keys, -0.5, 0.25, 2.5, 1e9) {
				best, want, ok := math.Inf(-1), 0, false
				for from, owner := range model {
					if from <= key && (!ok || from >= best) {
						best, want, ok = from, owner, true
					}
				}
				if got, found := m.Get(key); got != want || found != ok {
					t.Fatalf("Get(%v) = %v, %v, want %v, %v of %v", key, got, found, want, ok, model)
				}
			}
			if m.Len() != len(model) {
				t.Fatalf("Len %d, want %d", m.Len(), len(model))
			}
			last, n := math.Inf(-1), 0
			for from, owner := range m.All() {
				if n++; from < last || model[from] != owner {
					t.Fatalf("All gives %v: %v", from, owner)
				}
				last = from
			}
			if n != len(model) {
				t.Fatalf("All has %d of %d", n, len(model))
			}
		}
	}
}

func TestRangeMapTakesNaNAsLowest(t *testing.T) {
	var m RangeMap[float64, string]
	m.Set(0, "positive")
	m.Set(math.NaN(), "rest")
	m.Set(math.NaN(), "all else")
	if v, ok := m.Get(-5); !ok || v != "all else" || m.Len() != 2 {
		t.Errorf("Get(-5) = %q, %v, %d ranges", v, ok, m.Len())
	}
	if !m.Remove(math.NaN()) || m.Len() != 1 {
		t.Error("a bound of NaN cannot be removed")
	}
	if _, ok := m.Get(-5); ok {
		t.Error("keys below the lowest bound have an owner")
	}
}

func TestRangeMapReadersSeeWholeVersions(t *testing.T) {
	var m RangeMap[int, int]
	m.Set(0, 0)
	var wg sync.WaitGroup
	for g := range 2 {
		wg.Go(func() {
			for i := range 500 {
				m.Set(g*1000+i, i)
				m.Remove(g*1000 + i/2)
			}
		})
		wg.Go(func() {
			for i := range 2000 {
				last := -1
				for from := range m.All() {
					if from <= last {
						t.Errorf("bounds %d, %d", last, from)
						return
					}
					last = from
				}
				m.Get(i)
			}
		})
	}
	wg.Wait()
}
