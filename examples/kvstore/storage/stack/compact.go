package stack

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/disk"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/entry"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/run"
)

// due says how many of the newest runs to merge, given the sizes, the newest first: down to the oldest run that is not larger than
// all newer ones together. Then every run is, and there are few of them. Runs that lie side by side are merged, never others, since
// the order of the layers is the order of the versions.
func due(sizes []int64) int {
	n, newer := 0, int64(0)
	for i, size := range sizes {
		if i > 0 && size <= newer {
			n = i + 1
		}
		newer += size
	}
	return n
}

func (v *Version) due() int {
	sizes := make([]int64, len(v.runs))
	for i, h := range v.runs {
		sizes[i] = h.size
	}
	return due(sizes)
}

// Due reports whether there is something to merge.
func (s *Stack) Due() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.now.due() > 0
}

// Compact merges until nothing is due.
func (s *Stack) Compact(ctx context.Context) error {
	for s.Due() {
		if err := s.merge(ctx, (*Version).due); err != nil {
			return err
		}
	}
	return nil
}

// MergeAll makes one run of all.
func (s *Stack) MergeAll(ctx context.Context) error {
	return s.merge(ctx, func(v *Version) int { return len(v.runs) })
}

// merge makes one run of the newest ones. Pushes go on meanwhile, and put newer runs on top.
func (s *Stack) merge(ctx context.Context, count func(v *Version) int) error {
	s.merging.Lock()
	defer s.merging.Unlock()
	v := s.Acquire()
	defer v.Release()
	n := count(v)
	if n == 0 {
		return nil
	}
	fresh, err := s.build(ctx, run.NewMerge(cursors(v.runs[:n], "", true)...), v.runs[n:])
	if err != nil {
		return err
	}
	return s.install(func(now []*handle, _ *manifest) []*handle {
		on := len(now) - len(v.runs) // that many were pushed meanwhile
		return slices.Concat(now[:on], fresh, now[on+n:])
	}, Written{Merged: size(fresh)})
}

// size is that of all runs together.
func size(runs []*handle) (sum int64) {
	for _, h := range runs {
		sum += h.size
	}
	return sum
}

// build writes what a cursor yields into a new run, without what nobody needs. If nothing is left, there is none. The older runs may be
// merged meanwhile: then they hold no key that they did not hold before.
func (s *Stack) build(ctx context.Context, from run.Cursor, older []*handle) (fresh []*handle, err error) {
	number, drop := s.Number(), s.needless(older)
	empty := true
	err = s.folder.Replace(disk.RunName(number), func(w io.Writer) error {
		out := run.NewWriter(w, number)
		for {
			it, ok, err := from.Next()
			if err == nil {
				err = context.Cause(ctx)
			}
			if err != nil {
				return err
			}
			if !ok {
				empty = out.Len() == 0
				return out.Close()
			}
			if drop(it) {
				continue
			}
			if err := out.Add(it); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if empty {
		return nil, s.folder.Remove(disk.RunName(number))
	}
	h, err := s.open(number)
	if err != nil {
		return nil, err
	}
	return []*handle{h}, nil
}

// needless reports which items need not be written over these older runs: the mark of a forgotten key, or a tombstone whose time is
// over, if no older run can hold the key.
func (s *Stack) needless(older []*handle) func(it run.Item) bool {
	now, grace := uint64(time.Now().UnixNano()), uint64(s.opts.Grace)
	return func(it run.Item) bool {
		e, found, err := entry.FromState(it.Key, it.Value)
		if err != nil || found && (!e.Deleted || grace == 0 || e.Stamp.Time >= now-min(grace, now)) {
			return false
		}
		hash := bloom.String(it.Key)
		return !slices.ContainsFunc(older, func(h *handle) bool { return h.MayHold(hash) })
	}
}
