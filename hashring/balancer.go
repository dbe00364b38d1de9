package hashring

import (
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
)

const defaultBalance = 1.25 // a quarter above the mean: about one spill in five at full load, and no hot node

// Balancer bounds the load in flight: a key goes to the first node of its preference list whose load is under
// LoadFactor times its fair share of all leases. It follows the membership of its ring by itself and is safe
// for concurrent use.
type Balancer[T any] struct {
	ring  *Ring[T]
	bound uint64 // LoadFactor, fixed point
	_     [64]byte
	// total counts leases in flight and attempts. An attempt raises it before a node's counter and lowers it
	// after, so the sum of the counters never exceeds it and a cap computed from it is never too small.
	total   atomic.Int64
	_       [56]byte // own cache line: every lease writes it
	spilled atomic.Uint64
	forced  atomic.Uint64
	// roster is published under mu when the snapshot of the ring has changed; Acquire reads it.
	roster atomic.Pointer[roster[T]]
	mu     sync.Mutex
	byID   map[string]*load // guarded by mu
}

// BalancerOptions tune a Balancer.
type BalancerOptions struct {
	// LoadFactor is the bound of a node's load over its fair share, 1.01 … 100; 0 means 1.25.
	LoadFactor float64
}

// BalancerStats is a view of the leases in flight.
type BalancerStats struct {
	Total   int            // leases in flight
	Load    map[string]int // by node ID; only nodes with load
	Spilled uint64         // grants that did not go to the first allowed node
	Forced  uint64         // grants over the bound, because every allowed node was full
}

// Lease is a place on a node, taken by Acquire. It must not be copied; one goroutine at a time may use it.
type Lease[T any] struct {
	Node Node[T]
	_    noCopy
	b    *Balancer[T]
	load *load // nil when released
}

// noCopy makes vet report copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// load counts the leases of one ID, through its comings and goings. A departed node's counter is retired at
// zero: its value becomes retired for ever, under mu, and nobody can take a lease from it.
type load struct {
	n        atomic.Int64
	departed atomic.Bool // set under mu; read by Release, to see whether a counter at zero must be retired
	id       string
	_        [64 - 32]byte // neighbours' leases do not share the cache line
}

const retired = -1

// roster is the load counters of one snapshot.
type roster[T any] struct {
	s     *Snapshot[T]
	loads []*load
	parts []uint64 // F·q by node
	total uint64   // Q
}

// NewBalancer returns a balancer over a ring. ErrInvalid names the field.
func NewBalancer[T any](r *Ring[T], o BalancerOptions) (*Balancer[T], error) {
	if r == nil {
		return nil, fmt.Errorf("%w: NewBalancer needs a ring", ErrInvalid)
	}
	bound, err := fixedFactor(o.LoadFactor)
	if err != nil {
		return nil, fmt.Errorf("%w: BalancerOptions.LoadFactor = %v, want %v … %d, or 0 for %v",
			err, o.LoadFactor, minFactor, maxFactor, defaultBalance)
	}
	if bound == 0 {
		bound = defaultBalance * factorOne
	}
	return &Balancer[T]{ring: r, bound: bound, byID: make(map[string]*load)}, nil
}

// Acquire takes a lease on the first node of the key's preference list that is under its bound,
// ceil(LoadFactor·(total+1)·q/Q); false only on an empty ring. No load exceeds its bound through Acquire,
// however many goroutines call it. Release the lease when the work is done.
func (b *Balancer[T]) Acquire(key string) (Lease[T], bool) {
	r := b.current()
	if len(r.loads) == 0 {
		return Lease[T]{}, false
	}
	token := r.s.token(key)
	owner := r.s.own.owner(token)
	total := b.total.Add(1)
	if r.loads[owner].take(r.limit(owner, total)) {
		return Lease[T]{Node: r.s.nodes[owner], b: b, load: r.loads[owner]}, true
	}
	return b.spill(token)
}

// spill walks on from a full owner; the total is raised already. The bounds add up to more than the total, so
// a walk fails only when other goroutines take every place during it.
func (b *Balancer[T]) spill(token uint64) (Lease[T], bool) {
	for {
		r := b.current()
		if len(r.loads) == 0 {
			b.total.Add(-1)
			return Lease[T]{}, false
		}
		rank := 0
		for i := range r.s.order(token) {
			if r.loads[i].take(r.limit(i, b.total.Load())) {
				if rank > 0 {
					b.spilled.Add(1)
				}
				return Lease[T]{Node: r.s.nodes[i], b: b, load: r.loads[i]}, true
			}
			rank++
		}
		runtime.Gosched()
	}
}

// AcquireFunc is Acquire among the nodes that allow accepts, the healthy ones. When all of them are full it
// takes the one with the least load for its weight, the first such in preference order, and counts it as
// Forced: a bound must not turn a partial failure into a full one. False only if no node is allowed.
// allow may be called more than once per node; nil allows all.
func (b *Balancer[T]) AcquireFunc(key string, allow func(Node[T]) bool) (Lease[T], bool) {
	if allow == nil {
		return b.Acquire(key)
	}
	b.total.Add(1)
	granted := false
	defer func() { // also when allow panics
		if !granted {
			b.total.Add(-1)
		}
	}()
	for {
		r := b.current()
		token := r.s.token(key)
		least, rank := -1, 0
		for i := range r.s.order(token) {
			if !allow(r.s.nodes[i]) {
				continue
			}
			if r.loads[i].take(r.limit(i, b.total.Load())) {
				if rank > 0 {
					b.spilled.Add(1)
				}
				granted = true
				return Lease[T]{Node: r.s.nodes[i], b: b, load: r.loads[i]}, true
			}
			if least < 0 || r.lighter(int(i), least) {
				least = int(i)
			}
			rank++
		}
		if least < 0 {
			return Lease[T]{}, false
		}
		if r.loads[least].take(math.MaxInt64) {
			b.forced.Add(1)
			granted = true
			return Lease[T]{Node: r.s.nodes[least], b: b, load: r.loads[least]}, true
		}
	}
}

// Release gives the place back; the second call does nothing. It is right also when the node has left the
// ring, or has come back.
func (l *Lease[T]) Release() {
	if l.load == nil {
		return
	}
	counter := l.load
	l.load = nil
	if counter.n.Add(-1) == 0 && counter.departed.Load() {
		l.b.mu.Lock()
		l.b.retire(counter)
		l.b.mu.Unlock()
	}
	l.b.total.Add(-1)
}

// Stats returns the leases in flight. Under concurrent use its figures are read one after the other.
func (b *Balancer[T]) Stats() BalancerStats {
	b.current()
	b.mu.Lock()
	defer b.mu.Unlock()
	st := BalancerStats{
		Total:   int(b.total.Load()),
		Load:    make(map[string]int),
		Spilled: b.spilled.Load(),
		Forced:  b.forced.Load(),
	}
	for id, l := range b.byID {
		if n := l.n.Load(); n > 0 {
			st.Load[id] = int(n)
		}
	}
	return st
}

// current returns the roster of the ring's current snapshot.
func (b *Balancer[T]) current() *roster[T] {
	s := b.ring.Snapshot()
	if r := b.roster.Load(); r != nil && r.s == s {
		return r
	}
	return b.follow()
}

// follow makes the roster of a new snapshot.
func (b *Balancer[T]) follow() *roster[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.ring.Snapshot() // again: it may have changed while we waited
	if r := b.roster.Load(); r != nil && r.s == s {
		return r
	}
	r := &roster[T]{s: s, loads: make([]*load, len(s.nodes)), parts: make([]uint64, len(s.nodes))}
	for i := range s.nodes {
		n := &s.nodes[i]
		l := b.byID[n.ID]
		if l == nil {
			l = &load{id: n.ID}
			b.byID[n.ID] = l
		}
		l.departed.Store(false)
		q := uint64(s.points(n.Weight))
		r.loads[i], r.parts[i] = l, b.bound*q
		r.total += q
	}
	if old := b.roster.Load(); old != nil {
		for i, l := range old.loads {
			if _, stays := s.number(old.s.nodes[i].ID); !stays {
				l.departed.Store(true)
				b.retire(l)
			}
		}
	}
	b.roster.Store(r)
	return r
}

// retire drops the counter of a departed node if it is at zero; the caller holds mu.
func (b *Balancer[T]) retire(l *load) {
	if l.departed.Load() && l.n.CompareAndSwap(0, retired) {
		delete(b.byID, l.id)
	}
}

// take adds a lease if the load is under the limit; false when it is not, or when the counter is retired.
func (l *load) take(limit int64) bool {
	for {
		n := l.n.Load()
		if n >= limit || n == retired {
			return false
		}
		if l.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// limit is ceil(F·total·q/Q), where total includes the lease that is asked for.
func (r *roster[T]) limit(i uint32, total int64) int64 {
	hi, lo := bits.Mul64(r.parts[i], uint64(total))
	if hi >= r.total {
		return math.MaxInt64 // over four thousand million leases
	}
	limit, rest := bits.Div64(hi, lo, r.total)
	if rest > 0 {
		rest = 1
	}
	return int64((limit + rest + factorOne - 1) >> 32)
}

// lighter says whether node i has less load for its weight than node j.
func (r *roster[T]) lighter(i, j int) bool {
	// load[i]/q[i] < load[j]/q[j], multiplied out in 128 bits; parts are proportional to q.
	ahi, alo := bits.Mul64(uint64(max(0, r.loads[i].n.Load())), r.parts[j])
	bhi, blo := bits.Mul64(uint64(max(0, r.loads[j].n.Load())), r.parts[i])
	return ahi < bhi || ahi == bhi && alo < blo
}
