package hashring

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// TestReadersSeeOneVersionThatIsAlive lets readers run while writers call Set, Add and Remove. Every node
// carries the number of the version that set it; an answer must be of a version that was current at some
// moment of the call, and all nodes of one answer must be of one version.
func TestReadersSeeOneVersionThatIsAlive(t *testing.T) {
	const versions = 400
	var started, published atomic.Int64
	nodes := func(v int64) []Node[int64] {
		var nodes []Node[int64]
		for i := range 4 + int(v)%5 {
			nodes = append(nodes, Node[int64]{ID: fmt.Sprint("n", i), Weight: float64(1 + v%3), Zone: strconv.Itoa(i % 3), Value: v})
		}
		return nodes
	}
	r := mustNew(t, nodes(0), Options{VNodes: 20})
	var readers, writers sync.WaitGroup
	for g := range 3 {
		readers.Go(func() {
			for i := 0; published.Load() < versions; i++ {
				key := fmt.Sprint(g, i)
				low := published.Load()
				list := r.GetN(key, 9)
				if owner, ok := r.Get(key); !ok || owner >= 0 && owner < low {
					t.Errorf("Get gave version %d, %d is older than the call", owner, low)
					return
				}
				high := started.Load()
				seen := int64(-1)
				for _, v := range list {
					if v < 0 { // the guest, set by the other writer
						continue
					}
					if v < low || v > high || seen >= 0 && v != seen {
						t.Errorf("versions %v in an answer between %d and %d", list, low, high)
						return
					}
					seen = v
				}
				runtime.Gosched()
			}
		})
	}
	writers.Go(func() {
		for v := int64(1); v <= versions; v++ {
			started.Store(v)
			if _, err := r.Set(nodes(v)); err != nil {
				t.Error(err)
			}
			published.Store(v)
			runtime.Gosched()
		}
	})
	writers.Go(func() {
		for published.Load() < versions {
			if _, err := r.Add(Node[int64]{ID: "guest", Zone: "1", Value: -1}); err != nil {
				t.Error(err)
			}
			r.Remove("guest")
			runtime.Gosched()
		}
	})
	writers.Wait()
	readers.Wait()
}

// TestChangesOfConcurrentWritersChain checks that each Change is the step of its own writer: the old side of one
// is the new side of exactly one other.
func TestChangesOfConcurrentWritersChain(t *testing.T) {
	var r Ring[string]
	first := r.Snapshot()
	var mu sync.Mutex
	next := map[*Snapshot[string]]*Snapshot[string]{}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				c, err := r.Add(Node[string]{ID: fmt.Sprint(g, "-", i)})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if next[c.Old] != nil {
					t.Error("two changes start from one version")
				}
				next[c.Old] = c.New
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	n := 0
	for s := first; next[s] != nil; s = next[s] {
		n++
	}
	if n != 200 || r.Snapshot().Len() != 200 {
		t.Errorf("a chain of %d changes, %d nodes, want 200", n, r.Snapshot().Len())
	}
}

func TestZeroRingUnderConcurrentFirstUse(t *testing.T) {
	for range 100 {
		var r Ring[string]
		got := make([]*Snapshot[string], 4)
		var wg sync.WaitGroup
		for g := range got {
			wg.Go(func() { got[g] = r.Snapshot() })
		}
		wg.Wait()
		for _, s := range got {
			if s != got[0] || s == nil {
				t.Fatal("first readers disagree about the empty version")
			}
		}
	}
}
