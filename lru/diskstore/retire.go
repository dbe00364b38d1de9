package diskstore

// retireBatch frames are looked at under one hold of the lock.
const retireBatch = 128

// listed is a frame of the segment that is being emptied.
type listed struct {
	hash uint64
	at   int64
	size int64
}

// retireOldest starts the goroutine that empties the oldest segment and deletes it, unless it runs.
//
// If less than a quarter of what was put there is still wanted, that is written again at the end; otherwise it is the
// oldest that we have, and goes.
func (s *Store[K, V]) retireOldest() {
	if s.retiring || len(s.segments) < 2 {
		return
	}
	s.retiring = true
	seg := s.segments[0]
	budget := int64(0)
	if seg.live < seg.puts/4 {
		budget = s.opts.SegmentSize / 4
	}
	go s.retire(seg, seg.size, budget)
}

func (s *Store[K, V]) retire(seg *segment, size, budget int64) {
	batch := make([]listed, 0, retireBatch)
	from := int64(len(title(s.title)))
	_, err := seg.frames(from, size, func(at int64, h head, key []byte) error {
		if h.kind != put {
			return nil
		}
		if batch = append(batch, listed{s.hash(key), at, h.size()}); len(batch) < retireBatch {
			return nil
		}
		err := s.retireFrames(seg, batch, &budget)
		batch = batch[:0]
		return err
	})
	if err == nil {
		err = s.retireFrames(seg, batch, &budget)
	}
	s.mu.Lock()
	defer s.end()
	s.retiring = false
	s.retired.Broadcast()
	if s.state != nil || len(s.segments) == 0 || s.segments[0] != seg {
		return
	}
	if err != nil { // damage: the list of its frames is not complete
		for h, p := range s.index {
			if p.segment() == seg.id {
				delete(s.index, h)
			}
		}
	}
	s.segments = s.segments[1:]
	if err := s.destroy(seg); err != nil {
		_ = s.disable(err) // told by end
	}
}

// retireFrames moves the frames of a batch that the index still points to, or forgets them once the budget is used up.
func (s *Store[K, V]) retireFrames(seg *segment, batch []listed, budget *int64) error {
	s.mu.Lock()
	defer s.end()
	for _, f := range batch {
		if s.state != nil {
			return s.state
		}
		if p, known := s.index[f.hash]; !known || p != placeOf(seg, f.at) {
			continue
		}
		moved, err := s.move(seg, f, budget)
		if err != nil {
			return err
		}
		if !moved {
			delete(s.index, f.hash)
			seg.live--
		}
	}
	return nil
}

func (s *Store[K, V]) move(seg *segment, f listed, budget *int64) (moved bool, err error) {
	if *budget -= f.size; *budget < 0 {
		return false, nil
	}
	frame := make([]byte, f.size)
	if _, err := seg.file.ReadAt(frame, f.at); err != nil {
		return false, nil //nolint:nilerr // a frame that cannot be read is a miss
	}
	if !s.fits(len(frame)) && !s.room(1) { // must not wait for itself
		return false, nil
	}
	if !s.fits(len(frame)) {
		if err := s.addSegment(); err != nil {
			return false, s.disable(err)
		}
	}
	return true, s.append(f.hash, frame)
}
