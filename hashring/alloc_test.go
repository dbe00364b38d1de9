package hashring

import (
	"strconv"
	"testing"
	"time"
)

// sink keeps results alive.
type sink struct {
	name   string
	names  []string
	number uint64
}

// TestHotPathsDoNotAllocate is the gate for every call on a request path.
func TestHotPathsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, o := range map[string]Options{
		"plain": {}, "bound": {LoadFactor: 1.1}, "seed": {Seed: 3}, "tags": {HashTags: true}, "hash": {Hash: Hash},
	} {
		for _, zones := range []int{0, 3, 8} {
			r := mustNew(t, benchNodes(100, zones), o)
			s := r.Snapshot()
			b, err := NewBalancer(r, BalancerOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var out sink
			buf := make([]string, 0, 16)
			raw := []byte("user:42")
			for call, run := range map[string]func(){
				"Ring.Get":     func() { out.name, _ = r.Get("user:42") },
				"Snapshot.Get": func() { out.name, _ = s.Get("user:42") },
				"AppendN 3":    func() { out.names = r.AppendN(buf, "user:42", 3) },
				"AppendN 16":   func() { out.names = s.AppendN(buf, "user:42", 16) },
				"Token":        func() { out.number = s.Token("user:42") },
				"TokenBytes":   func() { out.number = s.TokenBytes(raw) },
				"Owner": func() {
					n, _ := s.Owner(out.number)
					out.name = n.ID
				},
				"Walk": func() {
					left := 16
					for n := range r.Walk("user:42") {
						out.name = n.ID
						if left--; left == 0 {
							break
						}
					}
				},
				"Snapshot.WalkToken": func() {
					left := 16
					for n := range s.WalkToken(out.number) {
						out.name = n.ID
						if left--; left == 0 {
							break
						}
					}
				},
				"Acquire": func() {
					lease, _ := b.Acquire("user:42")
					out.name = lease.Node.ID
					lease.Release()
				},
				"AcquireFunc": func() {
					lease, _ := b.AcquireFunc("user:42", func(n Node[string]) bool { return n.ID != out.name })
					lease.Release()
				},
			} {
				if call == "Walk" && strconv.IntSize == 32 {
					continue // an atomic load is a call there, too large for Walk to be inlined
				}
				if got := testing.AllocsPerRun(100, run); got != 0 {
					t.Errorf("%s, %d zones: %s allocates %v times", name, zones, call, got)
				}
			}
		}
	}
}

func TestBuildAllocatesFiveTimes(t *testing.T) {
	nodes := benchNodes(1000, 0)
	if got := testing.AllocsPerRun(3, func() { mustNew(t, nodes, Options{VNodes: 160}) }); got > 5 {
		t.Errorf("New allocates %v times, want 5: ring, snapshot, nodes, points, owners with index", got)
	}
}

func TestGroupAllocatesOnce(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := mustNew(t, benchNodes(100, 0), Options{}).Snapshot()
	for keys, want := range map[int]float64{1: 1, 1000: 1, 2048 - 100: 1, 5000: 2} {
		table := benchKeys()[:keys]
		if got := testing.AllocsPerRun(10, func() {
			for range s.Group(table) {
			}
		}); got > want {
			t.Errorf("Group of %d keys allocates %v times, want %v", keys, got, want)
		}
	}
}

func TestMemoryPerPoint(t *testing.T) {
	for _, nodes := range []int{1, 7, 100, 2000, 2048, 2049} {
		st := mustNew(t, named("node", nodes), Options{}).Snapshot().Stats()
		if per := float64(st.Bytes) / float64(st.Points); per > 28.2 {
			t.Errorf("%d nodes: %.1f bytes a point", nodes, per)
		}
	}
}

// TestHostileTokensStayCheap puts 100 000 explicit tokens into one bucket: a scan of it would cost a thousand
// times a usual lookup.
func TestHostileTokensStayCheap(t *testing.T) {
	hostile := make([]uint64, 100_000)
	for i := range hostile {
		hostile[i] = 1<<63 + uint64(2*i)
	}
	start := time.Now()
	usual := mustNew(t, named("node", 400), Options{}).Snapshot()
	build := time.Since(start)
	between := make([]uint64, len(hostile)) // a second node's tokens between those: the worst order for insertion
	for i := range between {
		between[i] = hostile[i] + 1
	}
	start = time.Now()
	mustNew(t, []Node[string]{{ID: "evil", Tokens: hostile}, {ID: "more", Tokens: between}}, Options{})
	if took := time.Since(start); took > 100*build+100*time.Millisecond {
		t.Errorf("hostile build takes %v, a usual one %v", took, build)
	}
	s := mustNew(t, []Node[string]{{ID: "good", Value: "good"}, {ID: "evil", Tokens: hostile}}, Options{}).Snapshot()
	for i := range hostile { // right at first: on, before and after each token
		for d := range uint64(3) {
			token := hostile[i] - 1 + d
			want := "evil"
			if token > hostile[len(hostile)-1] {
				break
			}
			if n, _ := s.Owner(token); n.ID != want && n.ID != "good" {
				t.Fatalf("owner of %x is %s", token, n.ID)
			}
			if at := s.ring.find(token); s.ring.tokens[at] < token || at > 0 && s.ring.tokens[at-1] >= token {
				t.Fatalf("find(%x) = %d", token, at)
			}
		}
	}
	best := func(s *Snapshot[string], token func(i int) uint64) time.Duration {
		best := time.Hour
		for range 20 {
			start := time.Now()
			for i := range 10_000 {
				s.Owner(token(i))
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	normal := best(usual, func(i int) uint64 { return mix64(uint64(i)) })
	attacked := best(s, func(i int) uint64 { return 1<<63 + uint64(i*19%199_999) })
	if attacked > 30*normal {
		t.Errorf("hostile lookups take %v, usual ones %v", attacked, normal)
	}
}
