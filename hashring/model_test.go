package hashring

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// program is a random or fuzzed history of one ring, decoded from bytes. It runs against a map as the model of
// the membership and the oracle as the model of the placement.
type program struct {
	t    testing.TB
	data []byte
	log  []string
	ring *Ring[string]
	o    Options
	want map[string]Node[string]
	zone bool
}

func (p *program) byte() int {
	if len(p.data) == 0 {
		return 0
	}
	b := p.data[0]
	p.data = p.data[1:]
	return int(b)
}

func (p *program) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s\noptions %+v\nprogram:\n%v", fmt.Sprintf(format, args...), p.o, p.log)
}

// options chooses tiny spaces, so that collisions, wraps and full nodes are the rule.
func (p *program) options() {
	p.o.VNodes = 1 + p.byte()%4
	if mode := p.byte(); mode%2 == 1 {
		p.o.LoadFactor = []float64{1.01, 1.05, 1.25, 2, 100}[mode/2%5]
	}
	if seed := p.byte(); seed%4 == 1 {
		p.o.Seed = uint64(seed)
	}
	if mask := p.byte() % 8; mask >= 3 {
		p.o.Hash = func(s string) uint64 { return Hash(s) & (1<<mask - 1) }
	} else if mask == 2 {
		p.o.Hash = func(string) uint64 { return 7 }
	}
	p.zone = p.byte()%2 == 1
}

func (p *program) node() Node[string] {
	n := Node[string]{ID: string(rune('a' + p.byte()%9))}
	if p.zone {
		n.Zone = string(rune('x' + p.byte()%3))
	}
	shape := p.byte()
	n.Weight = []float64{0, 1, 0.01, 0.5, 2, 3.3}[shape%6]
	if shape%3 == 2 {
		for range 1 + p.byte()%4 {
			n.Tokens = append(n.Tokens, []uint64{0, 1, 2, 3, 5, 1 << 62, 1 << 63, 1<<63 + 1, 1<<64 - 2, 1<<64 - 1}[p.byte()%10])
		}
	}
	n.Value = fmt.Sprint(n.ID, p.byte())
	return n
}

func (p *program) run(checks int) {
	p.options()
	p.want = map[string]Node[string]{}
	ring, err := New[string](nil, p.o)
	if err != nil {
		p.fail("New: %v", err)
	}
	p.ring = ring
	for step := 0; len(p.data) > 0; step++ {
		before := p.membership()
		c := p.step()
		if step%max(1, checks) == 0 || len(p.data) == 0 {
			p.checkRing()
			p.checkMoves(before, c)
		}
	}
}

func (p *program) membership() []Node[string] {
	var nodes []Node[string]
	for _, n := range p.want {
		nodes = append(nodes, n)
	}
	return nodes
}

// step does one operation on both sides and returns its Change.
func (p *program) step() Change[string] {
	var c Change[string]
	var err error
	switch op := p.byte(); op % 4 {
	case 0, 1:
		n := p.node()
		p.log = append(p.log, fmt.Sprintf("Add(%+v)\n", n))
		p.want[n.ID] = n
		c, err = p.ring.Add(n)
	case 2:
		id := string(rune('a' + p.byte()%9))
		p.log = append(p.log, fmt.Sprintf("Remove(%s)\n", id))
		delete(p.want, id)
		c = p.ring.Remove(id, "unknown")
	case 3:
		set := map[string]Node[string]{}
		for range p.byte() % 6 {
			n := p.node()
			set[n.ID] = n
		}
		p.want = set
		p.log = append(p.log, fmt.Sprintf("Set(%+v)\n", p.membership()))
		c, err = p.ring.Set(p.membership())
	}
	if err != nil {
		p.fail("%v", err)
	}
	return c
}

// checkRing compares every answer with the oracle, at every boundary and beside it.
func (p *program) checkRing() {
	s, o := p.ring.Snapshot(), newOracle(p.membership(), p.o)
	if s.Len() != len(p.want) {
		p.fail("Len %d, want %d", s.Len(), len(p.want))
	}
	for _, token := range o.probes() {
		want := o.order(token)
		var got []string
		for n := range s.WalkToken(token) {
			if p.want[n.ID].Value != n.Value {
				p.fail("value of %s is %q, want %q", n.ID, n.Value, p.want[n.ID].Value)
			}
			got = append(got, n.ID)
		}
		if !slices.Equal(got, want) {
			p.fail("order of token %#x is %v, want %v", token, got, want)
		}
		owner, ok := s.Owner(token)
		if ok != (len(want) > 0) || ok && owner.ID != want[0] {
			p.fail("owner of token %#x is %v, %v, want %v", token, owner, ok, want)
		}
	}
	for i := range 10 {
		key := fmt.Sprint("key", i)
		for n := -1; n <= len(p.want)+1; n++ {
			want := o.first(o.pos(key), n)
			got := s.GetN(key, n)
			for j := range got {
				got[j] = got[j][:1] // the value begins with the ID
			}
			if !slices.Equal(got, want) {
				p.fail("GetN(%q, %d) = %v, want %v", key, n, got, want)
			}
		}
	}
	fresh, err := New(p.membership(), p.o)
	if err != nil {
		p.fail("New: %v", err)
	}
	if a, b := fresh.Snapshot().Fingerprint(), s.Fingerprint(); a != b {
		p.fail("fingerprint depends on history: %x, fresh %x", b, a)
	}
	if !reflect.DeepEqual(fresh.Snapshot().placement, s.placement) {
		p.fail("tables depend on history")
	}
	p.checkRanges(s, o)
}

func ids(nodes []Node[string]) []string {
	var names []string
	for _, n := range nodes {
		names = append(names, n.ID)
	}
	return names
}

// checkRanges holds AllRanges and Ranges to the oracle.
func (p *program) checkRanges(s *Snapshot[string], o *oracle) {
	for n := 0; n <= 4; n++ {
		next, wrapped := uint64(0), false
		var previous []string
		held := map[string][]Range{}
		for r, nodes := range s.AllRanges(n) {
			names := ids(nodes)
			if r.First != next || r.Last < r.First || wrapped {
				p.fail("AllRanges(%d): %x does not follow %#x", n, r, next)
			}
			if slices.Equal(names, previous) {
				p.fail("AllRanges(%d): neighbours of %x are not merged", n, r)
			}
			for _, token := range []uint64{r.First, r.Last, r.First + (r.Last-r.First)/2} {
				if want := o.first(token, n); !slices.Equal(names, want) {
					p.fail("AllRanges(%d): %v at %#x, want %v", n, names, token, want)
				}
			}
			next, wrapped, previous = r.Last+1, r.Last == 1<<64-1, names
			for _, id := range names {
				if h := held[id]; len(h) > 0 && h[len(h)-1].Last+1 == r.First {
					h[len(h)-1].Last = r.Last
				} else {
					held[id] = append(h, r)
				}
			}
		}
		if (n > 0 && len(p.want) > 0) != wrapped {
			p.fail("AllRanges(%d) ends before %#x", n, next)
		}
		for c := 'a'; c <= 'j'; c++ {
			if got := s.Ranges(string(c), n); !slices.Equal(got, held[string(c)]) {
				p.fail("Ranges(%c, %d) = %x, want %x", c, n, got, held[string(c)])
			}
		}
	}
}

// checkMoves compares the moves of a change with brute force at every boundary of either side.
func (p *program) checkMoves(before []Node[string], c Change[string]) {
	a, b := newOracle(before, p.o), newOracle(p.membership(), p.o)
	for n := 0; n <= 4; n++ {
		var moves []Move[string]
		for m := range c.Moves(n) {
			if len(moves) > 0 {
				last := moves[len(moves)-1]
				if m.Range.First <= last.Range.Last {
					p.fail("Moves(%d): %x does not follow %x", n, m.Range, last.Range)
				}
				if m.Range.First == last.Range.Last+1 && slices.Equal(ids(m.Old), ids(last.Old)) && slices.Equal(ids(m.New), ids(last.New)) {
					p.fail("Moves(%d): %x and %x are not merged", n, last.Range, m.Range)
				}
			}
			moves = append(moves, m)
		}
		for _, token := range append(a.probes(), b.probes()...) {
			old, now := a.first(token, n), b.first(token, n)
			i := slices.IndexFunc(moves, func(m Move[string]) bool { return m.Range.Contains(token) })
			switch {
			case i < 0 && !slices.Equal(old, now):
				p.fail("Moves(%d) has not %v → %v at %#x", n, old, now, token)
			case i >= 0 && (!slices.Equal(ids(moves[i].Old), old) || !slices.Equal(ids(moves[i].New), now)):
				p.fail("Moves(%d) has %v → %v at %#x, want %v → %v", n, ids(moves[i].Old), ids(moves[i].New), token, old, now)
			case i >= 0 && slices.Equal(old, now):
				p.fail("Moves(%d) moves %#x, which stays with %v", n, token, now)
			}
		}
	}
}

// TestRingEqualsTheNaiveModel runs random histories on tiny token spaces.
func TestRingEqualsTheNaiveModel(t *testing.T) {
	runs := 600
	if testing.Short() {
		runs = 100
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range runs {
		data := make([]byte, 10+rnd.IntN(90))
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		p := program{t: t, data: data}
		p.run(3)
	}
}

// FuzzHistory is the model test with histories from the fuzzer.
func FuzzHistory(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 2, 0})
	f.Add([]byte{3, 1, 1, 2, 1, 0, 0, 0, 2, 3, 0, 9, 8, 7, 1, 0, 1, 1, 5, 1, 2, 2, 2, 3, 4})
	f.Add([]byte{0, 1, 0, 7, 1, 3, 5, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 0, 3, 3, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 120 {
			return
		}
		p := program{t: t, data: data}
		p.run(2)
	})
}
