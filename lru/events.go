package lru

// event is a departure of which the listener must hear.
type event[K comparable, V any] struct {
	entry Entry[K, V]
	cause Cause
}

// tell delivers the events of a shard in order. One goroutine at a time does it; another one that comes meanwhile
// leaves its events to the first, which keeps the order of each key without making anybody wait: the listener may
// call the cache. Events that a panic of the listener left over are delivered by the next operation.
func (s *shard[K, V]) tell() {
	for {
		s.mu.Lock()
		if s.telling || len(s.events) == 0 {
			s.mu.Unlock()
			return
		}
		batch := s.events
		s.events, s.telling = nil, true
		s.mu.Unlock()
		s.tellAll(batch)
	}
}

func (s *shard[K, V]) tellAll(batch []event[K, V]) {
	done := 0
	defer func() { // also after a panic or Goexit of the listener
		s.mu.Lock()
		s.telling = false
		if done < len(batch) {
			s.events = append(batch[done:len(batch):len(batch)], s.events...)
		}
		s.mu.Unlock()
	}()
	for _, ev := range batch {
		done++
		s.cache.opts.OnRemove(ev.entry, ev.cause)
	}
}
