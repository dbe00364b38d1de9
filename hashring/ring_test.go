package hashring

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func mustNew[T any](tb testing.TB, nodes []Node[T], o Options) *Ring[T] {
	tb.Helper()
	r, err := New(nodes, o)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func named(prefix string, n int) []Node[string] {
	nodes := make([]Node[string], n)
	for i := range nodes {
		nodes[i].ID = fmt.Sprintf("%s-%03d", prefix, i)
		nodes[i].Value = nodes[i].ID
	}
	return nodes
}

func TestInvalidOptionsNameFieldAndLimit(t *testing.T) {
	for want, o := range map[string]Options{
		"Options.VNodes = -1, want 1 … 65536":     {VNodes: -1},
		"Options.VNodes = 65537, want 1 … 65536":  {VNodes: 65537},
		"Options.LoadFactor = 1, want 1.01 … 100": {LoadFactor: 1},
		"Options.LoadFactor = -2":                 {LoadFactor: -2},
		"Options.LoadFactor = 100.5":              {LoadFactor: 100.5},
		"Options.LoadFactor = NaN":                {LoadFactor: math.NaN()},
		"Options.LoadFactor = +Inf":               {LoadFactor: math.Inf(1)},
	} {
		r, err := New(Nodes("a"), o)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(fmt.Sprint(err), want) || r != nil {
			t.Errorf("New with %+v: %v, %v; want ErrInvalid with %q", o, r, err, want)
		}
	}
	for _, o := range []Options{{VNodes: 1}, {VNodes: 65536}, {LoadFactor: 1.01}, {LoadFactor: 100}} {
		if _, err := New(Nodes("a"), o); err != nil {
			t.Errorf("New with %+v: %v", o, err)
		}
	}
}

func TestInvalidNodesAreRefusedAndChangeNothing(t *testing.T) {
	heavy := make([]Node[string], 2049) // 2049 · 2²⁰ points are one node too many
	for i := range heavy {
		heavy[i] = Node[string]{ID: strconv.Itoa(i), Weight: 4096}
	}
	for want, nodes := range map[string][]Node[string]{
		"Node.ID is empty":                                  {{ID: ""}},
		`Node.ID "a" is given twice`:                        {{ID: "a"}, {ID: "b"}, {ID: "a"}},
		`Node.Weight of "a" is -1`:                          {{ID: "a", Weight: -1}},
		`Node.Weight of "b" is NaN`:                         {{ID: "b", Weight: math.NaN()}},
		`Node.Weight of "c" is +Inf`:                        {{ID: "c", Weight: math.Inf(1)}},
		`is 4096.1, with 256 VNodes at most 4096`:           {{ID: "d", Weight: 4096.1}},
		`Node.Tokens of "a" is empty`:                       {{ID: "a", Tokens: []uint64{}}},
		`set on "z" and not on "a"`:                         {{ID: "a"}, {ID: "z", Zone: "zone"}},
		`set on "a" and not on "z"`:                         {{ID: "a", Zone: "zone"}, {ID: "z"}},
		"2148532224 points in all, want at most 2147483648": heavy,
	} {
		if _, err := New(nodes, Options{}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want ErrInvalid with %q", err, want)
		}
		r := mustNew(t, []Node[string]{{ID: "q", Zone: "q"}}, Options{})
		before := r.Snapshot()
		nodes := append(slices.Clip(nodes), Node[string]{ID: "last", Zone: "q"}, Node[string]{ID: "last2"})
		for name, change := range map[string]func() (Change[string], error){
			"Add": func() (Change[string], error) { return r.Add(nodes...) },
			"Set": func() (Change[string], error) { return r.Set(nodes) },
		} {
			c, err := change()
			if !errors.Is(err, ErrInvalid) || c.Old != nil || c.New != nil || r.Snapshot() != before {
				t.Errorf("%s of %q: %v, want ErrInvalid, no change, the old version", name, want, err)
			}
			for range c.Moves(1) {
				t.Error("a failed change moves something")
			}
		}
	}
}

func TestZonesAreCountedOverTheResult(t *testing.T) {
	r := mustNew(t, []Node[string]{{ID: "a", Zone: "x"}}, Options{})
	if _, err := r.Add(Node[string]{ID: "b"}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a node without a zone beside one with: %v", err)
	}
	if _, err := r.Add(Node[string]{ID: "a"}); err != nil {
		t.Errorf("the last zoned node may become unzoned: %v", err)
	}
}

func TestSmallWeightStillOwnsKeys(t *testing.T) {
	r := mustNew(t, []Node[string]{{ID: "big"}, {ID: "small", Weight: 1e-9}}, Options{})
	if got := r.Snapshot().Stats().Share["small"]; got <= 0 {
		t.Errorf("share of a small weight is %v", got)
	}
}

func TestSlicesPassedInAreCopied(t *testing.T) {
	tokens := []uint64{1 << 60, 1 << 62, 1 << 62}
	nodes := []Node[string]{{ID: "b", Tokens: tokens}, {ID: "a"}}
	r := mustNew(t, nodes, Options{})
	before := r.Snapshot().Fingerprint()
	nodes[0].ID, nodes[1].ID = "x", "y"
	tokens[0] = 7
	if got := r.Snapshot().Fingerprint(); got != before {
		t.Error("a change of the caller's slices changed the ring")
	}
	if n, _ := r.Snapshot().Node("b"); !slices.Equal(n.Tokens, []uint64{1 << 60, 1 << 62}) {
		t.Errorf("tokens are %x, want ascending without duplicates", n.Tokens)
	}
	got := r.GetN("key", 2)
	got[0] = "scribble"
	for range r.Snapshot().AllRanges(2) {
		for _, list := range r.Snapshot().AllRanges(2) {
			list[0].ID = "scribble"
		}
		break
	}
	if r.Snapshot().Fingerprint() != before || r.GetN("key", 2)[0] == "scribble" {
		t.Error("a change of returned slices changed the ring")
	}
}

func TestEmptyRingAnswers(t *testing.T) {
	built := mustNew(t, []Node[string]{}, Options{})
	emptied := mustNew(t, Nodes("a", "b"), Options{})
	emptied.Remove("a", "b")
	var zero Ring[string]
	for name, r := range map[string]*Ring[string]{"built": built, "emptied": emptied, "zero": &zero} {
		if v, ok := r.Get("key"); ok || v != "" {
			t.Errorf("%s: Get gave %q, %v", name, v, ok)
		}
		buf := []string{"kept"}
		if got := r.AppendN(buf, "key", 3); len(got) != 1 || len(r.GetN("key", 3)) != 0 {
			t.Errorf("%s: AppendN gave %v", name, got)
		}
		for range r.Walk("key") {
			t.Errorf("%s: Walk yields", name)
		}
		s := r.Snapshot()
		if s == nil || s != r.Snapshot() {
			t.Fatalf("%s: Snapshot is nil or changes", name)
		}
		for range s.AllRanges(3) {
			t.Errorf("%s: AllRanges yields", name)
		}
		for range s.All() {
			t.Errorf("%s: All yields", name)
		}
		for range s.Group([]string{"key"}) {
			t.Errorf("%s: Group yields", name)
		}
		if _, ok := s.Owner(7); ok || s.Len() != 0 || s.Ranges("a", 1) != nil {
			t.Errorf("%s: has an owner", name)
		}
		if st := s.Stats(); st.Nodes != 0 || st.Peak != 0 || st.StdDev != 0 || st.Share != nil || st.Bytes != 0 {
			t.Errorf("%s: Stats %+v", name, st)
		}
		if got := s.Fingerprint(); got != 0xecd6331efb6bf88a {
			t.Errorf("%s: fingerprint %x", name, got)
		}
		if s.Token("user:42") != 0xdc1fea7da8d2d1c2 {
			t.Errorf("%s: tokens need no node", name)
		}
		c := r.Remove("nobody")
		for range c.Moves(3) {
			t.Errorf("%s: a removal from nothing moves something", name)
		}
	}
	c, err := zero.Add(Nodes("a")...)
	if err != nil {
		t.Fatal(err)
	}
	for m := range c.Moves(1) {
		if len(m.Old) != 0 || m.Range != (Range{0, math.MaxUint64}) || m.Gained()[0].ID != "a" {
			t.Errorf("first node: %+v", m)
		}
	}
}

func TestNilSidesOfAChangeAreEmpty(t *testing.T) {
	s := mustNew(t, Nodes("a"), Options{}).Snapshot()
	for name, c := range map[string]Change[string]{"join": {New: s}, "leave": {Old: s}} {
		n := 0
		for m := range c.Moves(2) {
			n++
			if m.Range.Fraction() != 1 || len(m.Gained())+len(m.Lost()) != 1 {
				t.Errorf("%s: %+v", name, m)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d moves", name, n)
		}
	}
	for range (Change[string]{}).Moves(1) {
		t.Error("the zero Change moves something")
	}
	if moves, err := Diff[string](nil, s, 1); err != nil {
		t.Error(err)
	} else {
		for range moves {
			return
		}
		t.Error("Diff from nil has no moves")
	}
}

func TestOneNodeOwnsAll(t *testing.T) {
	for _, o := range []Options{{}, {VNodes: 1}, {LoadFactor: 1.01}, {VNodes: 1, LoadFactor: 1.01}} {
		r := mustNew(t, Nodes("a"), o)
		s := r.Snapshot()
		if got := s.Ranges("a", 1); len(got) != 1 || got[0] != (Range{0, math.MaxUint64}) {
			t.Errorf("%+v: ranges %x", o, got)
		}
		for _, token := range []uint64{0, 1, 1 << 63, math.MaxUint64} {
			if n, ok := s.Owner(token); !ok || n.ID != "a" {
				t.Errorf("%+v: owner of %x is %q", o, token, n.ID)
			}
		}
		if st := s.Stats(); st.Share["a"] != 1 || st.Peak != 1 || st.StdDev != 0 {
			t.Errorf("%+v: stats %+v", o, st)
		}
	}
}

func TestEqualMembershipKeepsTablesAndAdoptsValues(t *testing.T) {
	r := mustNew(t, []Node[int]{{ID: "a", Value: 1}, {ID: "b", Value: 1}}, Options{})
	old := r.Snapshot()
	c, err := r.Set([]Node[int]{{ID: "b", Value: 2, Weight: 1}, {ID: "a", Value: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if &c.New.ring.tokens[0] != &old.ring.tokens[0] {
		t.Error("equal membership rebuilt the tables")
	}
	for range c.Moves(2) {
		t.Error("equal membership moves something")
	}
	for n := range r.Walk("key") {
		if n.Value != 2 {
			t.Errorf("%s kept its old value", n.ID)
		}
	}
	if v, _ := old.Get("key"); v != 1 {
		t.Error("an old snapshot changed")
	}
}

func TestConstantHashIsLegal(t *testing.T) {
	constant := func(string) uint64 { return 42 }
	for _, bound := range []float64{0, 1.01, 2} {
		r := mustNew(t, Nodes("c", "a", "b"), Options{Hash: constant, LoadFactor: bound})
		if bound == 0 {
			if v, _ := r.Get("key"); v != "a" {
				t.Errorf("owner is %q, want the lowest ID", v)
			}
			if got := r.GetN("key", 5); !slices.Equal(got, []string{"a", "b", "c"}) {
				t.Errorf("order %v, want by ID", got)
			}
			r.Remove("a")
			if v, _ := r.Get("key"); v != "b" {
				t.Errorf("owner after removal is %q", v)
			}
		}
		if got := r.GetN("key", 5); len(got) < 2 {
			t.Errorf("bound %v: order %v", bound, got)
		}
	}
}

func TestTokenBytesEqualsToken(t *testing.T) {
	for _, o := range []Options{{}, {Seed: 9}, {HashTags: true}, {Hash: func(s string) uint64 { return uint64(len(s)) }}} {
		s := mustNew(t, Nodes("a"), o).Snapshot()
		for _, key := range []string{"", "a", "{x}y", strings.Repeat("long", 100)} {
			if s.Token(key) != s.TokenBytes([]byte(key)) {
				t.Errorf("%+v: %q differs", o, key)
			}
		}
		if s.TokenBytes(nil) != s.Token("") {
			t.Error("nil bytes are not the empty key")
		}
	}
}

func TestWithAndWithoutChangeNothing(t *testing.T) {
	r := mustNew(t, Nodes("a", "b", "c"), Options{})
	s := r.Snapshot()
	before := s.Fingerprint()
	with, err := s.With(Nodes("d")...)
	if err != nil {
		t.Fatal(err)
	}
	without := s.Without("b", "nobody")
	if r.Snapshot() != s || s.Fingerprint() != before || s.Len() != 3 {
		t.Error("a what-if changed the ring")
	}
	if with.Len() != 4 || without.Len() != 2 || s.Without("nobody").Fingerprint() != before {
		t.Error("With or Without has the wrong members")
	}
	if c, err := r.Add(Nodes("d")...); err != nil || c.New.Fingerprint() != with.Fingerprint() {
		t.Error("Add gives another placement than With")
	}
}

func TestDiffComparesTuningsAndRefusesOtherMappings(t *testing.T) {
	base := mustNew(t, Nodes("a", "b"), Options{}).Snapshot()
	for name, o := range map[string]Options{
		"seed": {Seed: 1}, "tags": {HashTags: true}, "hash": {Hash: func(s string) uint64 { return Hash(s) + 1 }},
	} {
		other := mustNew(t, Nodes("a", "b"), o).Snapshot()
		if _, err := Diff(base, other, 1); !errors.Is(err, ErrIncomparable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tuned := mustNew(t, Nodes("a", "b", "c"), Options{VNodes: 100, LoadFactor: 1.1}).Snapshot()
	moves, err := Diff(base, tuned, 1)
	if err != nil {
		t.Fatal(err)
	}
	for m := range moves {
		for _, token := range []uint64{m.Range.First, m.Range.Last} {
			a, _ := base.Owner(token)
			b, _ := tuned.Owner(token)
			if a.ID != m.Old[0].ID || b.ID != m.New[0].ID || a.ID == b.ID {
				t.Fatalf("move %+v at %x: %s → %s", m, token, a.ID, b.ID)
			}
		}
	}
}

func TestRangeArithmetic(t *testing.T) {
	whole := Range{0, math.MaxUint64}
	if whole.Fraction() != 1 || (Range{5, 5}).Fraction() != math.Ldexp(1, -64) || (Range{0, 1<<63 - 1}).Fraction() != 0.5 {
		t.Error("Fraction")
	}
	r := Range{10, 20}
	if r.Contains(9) || !r.Contains(10) || !r.Contains(20) || r.Contains(21) {
		t.Error("Contains")
	}
}

func TestModuloAndJumpOutOfRange(t *testing.T) {
	for _, n := range []int{0, -1, math.MinInt} {
		if Modulo(7, n) != -1 || Jump(7, n) != -1 {
			t.Errorf("%d buckets", n)
		}
	}
	if Modulo(math.MaxUint64, 10) != 5 || Modulo(7, 1) != 0 || Jump(7, 1) != 0 {
		t.Error("Modulo or Jump")
	}
	for n := 1; n < 200; n++ { // growing moves keys only to the new bucket
		a, b := Jump(Hash("key"), n), Jump(Hash("key"), n+1)
		if b != a && b != n {
			t.Errorf("Jump moved from %d to %d of %d", a, b, n+1)
		}
	}
}
