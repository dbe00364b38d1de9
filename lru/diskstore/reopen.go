package diskstore

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// reopen opens the segments that an earlier run left and builds the index from their frames, in order.
func (s *Store[K, V]) reopen() error {
	if err := s.openSegments(); err != nil {
		return err
	}
	for s.bytes > s.opts.MaxBytes { // the options were other ones
		if err := s.dropTo(1); err != nil {
			return err
		}
	}
	for i := 0; i < len(s.segments); i++ {
		seg := s.segments[i]
		end, err := seg.frames(int64(len(title(s.title))), seg.size, func(at int64, h head, key []byte) error {
			if h.expires != 0 && h.kind == put && !h.deadline().After(time.Now()) {
				h.kind = remove // what it replaced does not come back either
			}
			s.apply(seg, at, s.hash(key), h)
			return nil
		})
		switch {
		case err != nil && !errors.Is(err, errDamaged):
			return err
		case err == nil && end == seg.size:
		case err == nil && i == len(s.segments)-1: // the end of a process cut the last frame off
			if err := seg.file.Truncate(end); err != nil {
				return err
			}
			s.bytes -= seg.size - end
			seg.size = end
		default:
			// What the damaged part said is unknown: it may have been the removal of any key before. So nothing before
			// it counts.
			clear(s.index)
			if err := s.dropTo(i + 1); err != nil {
				return err
			}
			i = -1 // the next one is the first now
		}
	}
	if len(s.segments) == 0 {
		return s.addSegment()
	}
	return nil
}

// dropTo deletes the n oldest segments.
func (s *Store[K, V]) dropTo(n int) (err error) {
	for _, seg := range s.segments[:n] {
		err = errors.Join(err, s.destroy(seg))
	}
	s.segments = s.segments[n:]
	return err
}

// openSegments opens the segments in the directory, oldest first, and deletes those of another encoding.
func (s *Store[K, V]) openSegments() error {
	files, err := os.ReadDir(s.dir) // sorted by name, which is by number
	if err != nil {
		return err
	}
	for _, f := range files {
		number, isSegment := strings.CutSuffix(f.Name(), suffix)
		id, err := strconv.ParseUint(number, 10, 32)
		if !isSegment || err != nil || len(number) != numberWidth {
			continue // not ours
		}
		path := filepath.Join(s.dir, f.Name())
		seg, foreign, err := openSegment(path, uint32(id), s.title)
		if err != nil {
			return err
		}
		if foreign {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		s.segments = append(s.segments, seg)
		s.bytes += seg.size
	}
	return nil
}
