package diskstore

import (
	"errors"
	"fmt"
	"slices"
)

// find returns a segment by its number, nil if it is gone.
func (s *Store[K, V]) find(id uint32) *segment {
	for _, seg := range slices.Backward(s.segments) {
		if seg.id == id {
			return seg
		}
	}
	return nil
}

// makeRoom sees to it that the last segment has room for a frame of this size. It may give the lock up for a while, so
// it comes before anything is looked up.
func (s *Store[K, V]) makeRoom(size int) error {
	for s.state == nil && !s.fits(size) {
		if !s.room(2) && len(s.segments) > 1 { // one segment is left for what retire moves
			s.retireOldest()
			s.retired.Wait()
		} else if err := s.addSegment(); err != nil {
			return s.disable(err)
		}
	}
	return s.state
}

// append writes a frame at the end of the last segment, which has room for it, and does what it says.
func (s *Store[K, V]) append(h uint64, frame []byte) error {
	seg := s.segments[len(s.segments)-1]
	at := seg.size
	if _, err := seg.file.WriteAt(frame, at); err != nil {
		return s.disable(err)
	}
	seg.size += int64(len(frame))
	s.bytes += int64(len(frame))
	hd, _ := parse(frame)
	s.apply(seg, at, h, hd)
	return nil
}

// apply does to the index what a frame says.
func (s *Store[K, V]) apply(seg *segment, at int64, h uint64, frame head) {
	if frame.kind == wipe {
		clear(s.index)
		for _, seg := range s.segments {
			seg.live = 0
		}
		return
	}
	if old, known := s.index[h]; known {
		if seg := s.find(old.segment()); seg != nil {
			seg.live--
		}
	}
	if frame.kind == remove {
		delete(s.index, h)
		return
	}
	s.index[h] = placeOf(seg, at)
	seg.puts++
	seg.live++
}

func (s *Store[K, V]) fits(size int) bool {
	n := len(s.segments)
	return n > 0 && s.segments[n-1].size+int64(size) <= s.opts.SegmentSize
}

// room reports whether so many whole segments could be added.
func (s *Store[K, V]) room(segments int64) bool {
	return s.bytes+segments*s.opts.SegmentSize <= s.opts.MaxBytes
}

// addSegment begins a new file. When the one after it would have to wait for room, the oldest is emptied in the
// background.
func (s *Store[K, V]) addSegment() error {
	var id uint32 = 1
	if n := len(s.segments); n > 0 {
		id = s.segments[n-1].id + 1
	}
	seg, err := createSegment(s.dir, id, s.title)
	if err != nil {
		return err
	}
	s.segments = append(s.segments, seg)
	s.bytes += seg.size
	if !s.room(3) {
		s.retireOldest()
	}
	return nil
}

// destroy deletes the file of a segment; the caller takes it off the list.
func (s *Store[K, V]) destroy(seg *segment) error {
	s.bytes -= seg.size
	return seg.destroy()
}

// disable gives the store up. A key whose removal cannot be written any more must not come back, and deleting a file
// takes no room: so everything goes.
func (s *Store[K, V]) disable(cause error) error {
	for _, seg := range s.segments {
		cause = errors.Join(cause, s.destroy(seg))
	}
	s.segments = nil
	clear(s.index)
	s.state = fmt.Errorf("%w: %w", ErrDisabled, cause)
	s.report = s.state
	s.retired.Broadcast()
	return s.state
}
