package hashring

import (
	"iter"
	"sync"
	"sync/atomic"
)

// Ring is a live ring: reads take no lock and do not allocate, also while a writer builds the next version;
// writers are serialised. The zero Ring is empty, with default Options. Do not copy it after first use.
type Ring[T any] struct {
	// current is published by writers, which hold mu, after the snapshot is complete, and by the first reader
	// of a zero Ring; every read loads it once. nil stands for an empty ring with default options.
	current atomic.Pointer[Snapshot[T]]
	mu      sync.Mutex // serialises writers
}

// New returns a ring of these nodes; none is fine. ErrInvalid names the field and its limit, or quotes the ID.
func New[T any](nodes []Node[T], o Options) (*Ring[T], error) {
	c, err := newConfig(o)
	if err != nil {
		return nil, err
	}
	empty := Snapshot[T]{config: c}
	s, err := empty.exactly(nodes)
	if err != nil {
		return nil, err
	}
	r := new(Ring[T])
	r.current.Store(s)
	return r, nil
}

// Get returns the value of the node that owns the key; false only on an empty ring.
func (r *Ring[T]) Get(key string) (T, bool) {
	s := r.current.Load()
	if s == nil || len(s.nodes) == 0 {
		var none T
		return none, false
	}
	return s.nodes[s.own.owner(s.token(key))].Value, true
}

// GetN returns the values of the first min(n, nodes) nodes of the key's preference order, each node once:
// the owner, then its replicas. With zones, distinct zones come first. n below 1 gives none.
func (r *Ring[T]) GetN(key string, n int) []T { return r.Snapshot().GetN(key, n) }

// AppendN appends what GetN returns to dst. With room in dst it does not allocate up to 16 nodes and 8 zones.
func (r *Ring[T]) AppendN(dst []T, key string, n int) []T { return r.Snapshot().AppendN(dst, key, n) }

// Walk yields all nodes in the preference order of the key, lazily, each node once. It stays with the version
// that was current at the call.
func (r *Ring[T]) Walk(key string) iter.Seq[Node[T]] {
	s := r.current.Load()
	return func(yield func(Node[T]) bool) { s.walkKey(key, yield) }
}

// Set makes the membership exactly these nodes. On an error the ring is as before and the Change is zero.
// An equal membership adopts the new values and moves nothing.
func (r *Ring[T]) Set(nodes []Node[T]) (Change[T], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.Snapshot()
	after, err := before.exactly(nodes)
	if err != nil {
		return Change[T]{}, err
	}
	return r.publish(before, after), nil
}

// Add puts nodes in, or replaces those with the same ID: it states the wanted outcome and may be repeated.
// One ID twice in a call is ErrInvalid. On an error the ring is as before and the Change is zero.
func (r *Ring[T]) Add(nodes ...Node[T]) (Change[T], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.Snapshot()
	after, err := before.With(nodes...)
	if err != nil {
		return Change[T]{}, err
	}
	return r.publish(before, after), nil
}

// Remove takes nodes out; an unknown ID is ignored.
func (r *Ring[T]) Remove(ids ...string) Change[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.Snapshot()
	return r.publish(before, before.Without(ids...))
}

// publish switches readers over; the caller holds mu.
func (r *Ring[T]) publish(before, after *Snapshot[T]) Change[T] {
	r.current.Store(after)
	return Change[T]{Old: before, New: after}
}

// Snapshot returns the current version; never nil.
func (r *Ring[T]) Snapshot() *Snapshot[T] {
	if s := r.current.Load(); s != nil {
		return s
	}
	return r.begin()
}

// begin gives a zero Ring its empty version, unless somebody else was first.
func (r *Ring[T]) begin() *Snapshot[T] {
	c, _ := newConfig(Options{}) // the zero Options are valid
	r.current.CompareAndSwap(nil, &Snapshot[T]{config: c})
	return r.current.Load()
}
