package lru

import (
	"sync"
	"sync/atomic"
)

// tag is one tag that entries in the cache have.
type tag struct {
	name  string
	stamp atomic.Uint64 // clock of its last invalidation; stored by InvalidateTags, read by every reader of an entry
	refs  int           // entries that have it; under tags.mu
}

// tags invalidates by barrier: an entry is dead if one of its tags was stamped after the birth of the entry. No
// index from tags to keys is kept; a tag is freed with the last of its entries.
type tags struct {
	clock atomic.Uint64 // advanced by InvalidateTags under mu, read without

	mu    sync.Mutex // taken inside the lock of a shard, never around it
	known map[string]*tag
	// Stamps of tags that no entry had. A load that is still running may come with such a tag.
	unknown map[string]uint64
	floor   uint64 // stamps up to here may have been dropped from unknown
}

// maxUnknown bounds the memory for invalidations of tags that nobody has. Beyond it loads in flight are voided.
const maxUnknown = 1024

// invalid reports whether one of the tags was invalidated after birth. The common answer takes one load.
func (t *tags) invalid(list []*tag, birth uint64) bool {
	if len(list) == 0 || t.clock.Load() == birth {
		return false
	}
	for _, r := range list {
		if r.stamp.Load() > birth {
			return true
		}
	}
	return false
}

// acquire returns the records of names, one reference each.
func (t *tags) acquire(names []string) []*tag {
	if len(names) == 0 {
		return nil
	}
	list := make([]*tag, 0, len(names))
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		r := t.known[name]
		if r == nil {
			r = &tag{name: name}
			r.stamp.Store(t.unknown[name])
			delete(t.unknown, name)
			t.known[name] = r
		}
		r.refs++
		list = append(list, r)
	}
	return list
}

func (t *tags) release(list []*tag) {
	if len(list) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range list {
		if r.refs--; r.refs == 0 {
			delete(t.known, r.name)
			t.remember(r.name, r.stamp.Load())
		}
	}
}

// remember keeps the stamp of a tag without entries for the loads in flight.
func (t *tags) remember(name string, stamp uint64) {
	if stamp <= t.floor {
		return
	}
	if len(t.unknown) >= maxUnknown {
		t.floor = t.clock.Load()
		clear(t.unknown)
		return
	}
	t.unknown[name] = stamp
}

// voids reports whether a load that began at birth must not be stored with these tags.
func (t *tags) voids(list []*tag, birth uint64) bool {
	if t.invalid(list, birth) {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return birth < t.floor && len(list) > 0
}

// invalidate stamps the names and reports whether an entry has one of them.
func (t *tags) invalidate(names []string) (hit bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Add(1)
	for _, name := range names {
		if r := t.known[name]; r != nil {
			r.stamp.Store(now)
			hit = true
		} else {
			t.remember(name, now)
		}
	}
	return hit
}

// counts is for the invariant checker: the references per tag.
func (t *tags) counts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]int, len(t.known))
	for name, r := range t.known {
		out[name] = r.refs
	}
	return out
}
