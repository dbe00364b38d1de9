package golanglru

import "time"

// entries is an exact LRU without a lock. Index 0 of nodes is the head of both rings.
type entries[K comparable, V any] struct {
	index map[K]uint32
	nodes []node[K, V]
	free  uint32 // first of the unused nodes, linked by newer; 0: none
	size  int    // most entries; 0 and unlimited: no limit
	limit bool   // size counts
	len   int

	ages     []age // the ring by age, beside nodes; nil where nothing expires
	lifetime time.Duration

	listening bool         // somebody wants to hear of departures
	gone      []pair[K, V] // what he has to hear of
}

type node[K comparable, V any] struct {
	older, newer uint32 // ring by use
	key          K
	value        V
}

type age struct {
	older, newer uint32 // ring by age
	deadline     time.Time
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

func newEntries[K comparable, V any](size int, limit bool, lifetime time.Duration) entries[K, V] {
	s := entries[K, V]{
		index:    map[K]uint32{},
		nodes:    make([]node[K, V], 1),
		size:     size,
		limit:    limit,
		lifetime: lifetime,
	}
	if lifetime > 0 {
		s.ages = make([]age, 1)
	}
	return s
}

// touch makes an entry the newest by use.
func (s *entries[K, V]) touch(i uint32) {
	if s.nodes[0].older != i {
		s.unlink(i)
		s.link(i)
	}
}

func (s *entries[K, V]) link(i uint32) {
	last := s.nodes[0].older
	s.nodes[i].older, s.nodes[i].newer = last, 0
	s.nodes[last].newer = i
	s.nodes[0].older = i
}

func (s *entries[K, V]) unlink(i uint32) {
	n := &s.nodes[i]
	s.nodes[n.older].newer = n.newer
	s.nodes[n.newer].older = n.older
}

// renew makes an entry the youngest by age.
func (s *entries[K, V]) renew(i uint32, now time.Time) {
	if s.ages == nil {
		return
	}
	last := s.ages[0].older
	s.ages[i] = age{older: last, deadline: now.Add(s.lifetime)}
	s.ages[last].newer = i
	s.ages[0].older = i
}

func (s *entries[K, V]) forgetAge(i uint32) {
	if s.ages == nil {
		return
	}
	a := s.ages[i]
	s.ages[a.older].newer = a.newer
	s.ages[a.newer].older = a.older
}

// add stores a value and reports whether another entry had to go.
func (s *entries[K, V]) add(key K, value V, now time.Time) (evicted bool) {
	if i, ok := s.index[key]; ok {
		s.touch(i)
		s.forgetAge(i)
		s.renew(i, now)
		s.nodes[i].value = value
		return false
	}
	if s.limit && s.len == s.size && s.len > 0 { // before the new entry, which so takes the node over
		s.remove(s.nodes[0].newer)
		evicted = true
	}
	i := s.take()
	s.nodes[i].key, s.nodes[i].value = key, value
	s.link(i)
	s.renew(i, now)
	if key == key { //nolint:gocritic // a key that differs from itself (NaN) could never be deleted from the map
		s.index[key] = i
	}
	s.len++
	if s.limit && s.len > s.size { // after Resize(0)
		s.remove(i)
		evicted = true
	}
	return evicted
}

// take returns the index of an unused node.
func (s *entries[K, V]) take() uint32 {
	if i := s.free; i != 0 {
		s.free = s.nodes[i].newer
		return i
	}
	s.nodes = append(s.nodes, node[K, V]{})
	if s.ages != nil {
		s.ages = append(s.ages, age{})
	}
	return uint32(len(s.nodes) - 1)
}

// remove takes an entry out and notes its departure.
func (s *entries[K, V]) remove(i uint32) {
	n := &s.nodes[i]
	if s.listening {
		s.gone = append(s.gone, pair[K, V]{n.key, n.value})
	}
	delete(s.index, n.key)
	s.unlink(i)
	s.forgetAge(i)
	*n = node[K, V]{newer: s.free}
	s.free = i
	s.len--
}

// removeOldest removes the entry that was used least recently and returns it.
func (s *entries[K, V]) removeOldest() (key K, value V, ok bool) {
	i := s.nodes[0].newer
	if i == 0 {
		return key, value, false
	}
	key, value = s.nodes[i].key, s.nodes[i].value
	s.remove(i)
	return key, value, true
}

// resize changes the limit and returns how many entries had to go.
func (s *entries[K, V]) resize(size int) (evicted int) {
	s.size = max(size, 0)
	for s.limit && s.len > s.size {
		s.remove(s.nodes[0].newer)
		evicted++
	}
	return evicted
}

// purge removes everything, oldest first.
func (s *entries[K, V]) purge() {
	if s.listening {
		for i := s.nodes[0].newer; i != 0; i = s.nodes[i].newer {
			s.gone = append(s.gone, pair[K, V]{s.nodes[i].key, s.nodes[i].value})
		}
	}
	clear(s.index)
	clear(s.nodes)
	s.nodes = s.nodes[:1]
	if s.ages != nil {
		clear(s.ages)
		s.ages = s.ages[:1]
	}
	s.free, s.len = 0, 0
}

// expire removes what is over at now and returns the deadline of the next entry, zero without one.
func (s *entries[K, V]) expire(now time.Time) (next time.Time) {
	if s.ages == nil {
		return next
	}
	for {
		i := s.ages[0].newer
		if i == 0 {
			return next
		}
		if d := s.ages[i].deadline; d.After(now) {
			return d
		}
		s.remove(i)
	}
}

func (s *entries[K, V]) keys() []K {
	out := make([]K, 0, s.len)
	for i := s.nodes[0].newer; i != 0; i = s.nodes[i].newer {
		out = append(out, s.nodes[i].key)
	}
	return out
}

func (s *entries[K, V]) values() []V {
	out := make([]V, 0, s.len)
	for i := s.nodes[0].newer; i != 0; i = s.nodes[i].newer {
		out = append(out, s.nodes[i].value)
	}
	return out
}

// departed returns what the listener has to hear of, and forgets it.
func (s *entries[K, V]) departed() []pair[K, V] {
	gone := s.gone
	s.gone = nil
	return gone
}
