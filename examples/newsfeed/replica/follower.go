package replica

import (
	"context"
	"time"

	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/pagination"
)

// follower is a copy that pulls the log of the primary. Where it is in the log is the number of its last change: after an
// interruption it asks from there, and what it is given twice it applies once.
type follower struct {
	*feed.Memory
	lag time.Duration
}

// run pulls until ctx ends, or until this copy is the primary itself.
func (f *follower) run(ctx context.Context, s *Set) {
	tick := time.NewTicker(max(f.lag/10, 5*time.Millisecond))
	defer tick.Stop()
	for {
		primary, _ := s.current()
		if primary == feed.Store(f.Memory) {
			return
		}
		for primary != nil && f.pull(ctx, s, primary) {
			s.announce(nil)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// pull applies the changes that have had the time to travel, and reports whether there were any. When it fails, the next pull asks
// for the same.
func (f *follower) pull(ctx context.Context, s *Set, primary feed.Store) bool {
	before := f.Applied()
	changes, err := primary.Changes(ctx, before, time.Now().Add(-f.lag), 1000)
	if err != nil || len(changes) == 0 {
		return false
	}
	s.while(primary, func() {
		_ = f.Follow(changes...) // of changes in disorder it takes those before the gap
	})
	return f.Applied() > before
}

// down is the store that is not there.
type down struct{}

func (down) Write(context.Context, feed.Change) (uint64, error) { return 0, ErrDown }
func (down) Changes(context.Context, uint64, time.Time, int) ([]feed.Change, error) {
	return nil, ErrDown
}

func (down) Posts(context.Context, ...idgen.ID) (map[idgen.ID]feed.Post, error) { return nil, ErrDown }

func (down) Fanned(context.Context, idgen.ID) (bool, error) { return false, ErrDown }

func (down) Unsent(context.Context, idgen.ID, int) ([]feed.Post, error) { return nil, ErrDown }

func (down) Followers(context.Context, string, int) (int, error) { return 0, ErrDown }

func (down) Pulled(context.Context, string) ([]string, error)     { return nil, ErrDown }
func (d down) Timeline(string) pagination.Source[feed.Post]       { return d }
func (d down) ByAuthor(string, bool) pagination.Source[feed.Post] { return d }
func (down) Fetch(context.Context, pagination.Range[feed.Post]) ([]feed.Post, error) {
	return nil, ErrDown
}
