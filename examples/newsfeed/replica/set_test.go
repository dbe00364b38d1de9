package replica

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/idgen"
)

const lag = time.Second

func post(id int) feed.Change {
	return feed.Change{Kind: feed.Published, ID: idgen.ID(id), Author: "ada", Text: "x"}
}

func has(t *testing.T, s feed.Store, id int) bool {
	t.Helper()
	found, err := s.Posts(t.Context(), idgen.ID(id))
	if err != nil {
		t.Fatal(err)
	}
	return len(found) == 1
}

func bubble(t *testing.T, o Options, test func(t *testing.T, s *Set, primary *feed.Memory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		primary := feed.NewMemory()
		o.Lag = lag
		s := New(t.Context(), primary, o)
		defer s.Close()
		test(t, s, primary)
	})
}

func write(t *testing.T, s *Set, id int) uint64 {
	t.Helper()
	seq, err := s.Write(t.Context(), post(id))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func TestAReaderGetsACopyThatIsNewEnough(t *testing.T) {
	bubble(t, Options{Followers: 2}, func(t *testing.T, s *Set, primary *feed.Memory) {
		seq := write(t, s, 1)
		if s.Written() != seq {
			t.Errorf("written %d, want %d", s.Written(), seq)
		}
		if s.Read(seq) != feed.Store(primary) || s.Read(0) == feed.Store(primary) {
			t.Error("who has written reads from the primary, others from a follower")
		}
		<-time.After(lag * 3 / 4)
		for range 4 {
			if got := s.Read(seq); got != feed.Store(s.followers[0].Memory) {
				t.Errorf("got %p, want the follower that is ahead", got)
			}
		}
		<-time.After(lag / 2)
		if s.Read(seq) == s.Read(seq) {
			t.Error("followers do not take turns")
		}
		if stats := s.Stats(); stats.Primary != 1 || stats.Followers != 7 {
			t.Errorf("%+v", stats)
		}
	})
}

// moody answers when it likes, and sometimes what it was not asked for.
type moody struct {
	*feed.Memory
	mu    sync.Mutex
	calls int
}

func (m *moody) Changes(ctx context.Context, after uint64, until time.Time, limit int) ([]feed.Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	switch m.calls % 4 {
	case 0:
		return nil, errors.New("no answer")
	case 1: // again what was given before
		return m.Memory.Changes(ctx, max(after, 3)-3, until, limit)
	case 2: // with a gap
		changes, err := m.Memory.Changes(ctx, after, until, limit)
		return slices.DeleteFunc(changes, func(c feed.Change) bool { return c.Seq%7 == 0 }), err
	}
	return m.Memory.Changes(ctx, after, until, 2)
}

func TestAFollowerGoesOnWhereItWasWhateverHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		primary := &moody{Memory: feed.NewMemory()}
		s := New(t.Context(), primary, Options{Followers: 3, Lag: lag})
		defer s.Close()
		for id := range 100 {
			write(t, s, id+1)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := s.CatchUp(ctx, s.Written()); err != nil {
			t.Fatal(err)
		}
		for i, f := range s.followers {
			log, err := f.Changes(t.Context(), 0, time.Now(), 1000)
			if err != nil || len(log) != 100 {
				t.Fatalf("follower %d has %d changes, %v", i, len(log), err)
			}
			for n, c := range log {
				if c.Seq != uint64(n)+1 || c.ID != idgen.ID(n+1) {
					t.Errorf("follower %d: change %d is %+v", i, n, c)
				}
			}
		}
	})
}

func TestASynchronousWriteIsOnAFollowerWhenItReturns(t *testing.T) {
	bubble(t, Options{Followers: 2, Sync: true}, func(t *testing.T, s *Set, _ *feed.Memory) {
		began := time.Now()
		write(t, s, 1)
		if took := time.Since(began); took < lag/2 || took > lag {
			t.Errorf("took %v", took)
		}
		s.Kill()
		if _, err := s.Promote(); err != nil {
			t.Fatal(err)
		}
		if !has(t, s.Primary(), 1) {
			t.Error("an acknowledged post is lost")
		}
		began = time.Now()
		if _, err := s.Write(t.Context(), feed.Change{Kind: feed.Delivered, ID: 1, Author: "ada"}); err != nil || time.Since(began) != 0 {
			t.Errorf("a delivery has waited %v, %v", time.Since(began), err)
		}
	})
}

func TestAWriteInDoubtIsNotAcknowledged(t *testing.T) {
	bubble(t, Options{Followers: 2, Sync: true}, func(t *testing.T, s *Set, _ *feed.Memory) {
		failed := make(chan error, 1)
		go func() {
			_, err := s.Write(t.Context(), post(1))
			failed <- err
		}()
		synctest.Wait()
		s.Kill()
		if _, err := s.Write(t.Context(), post(2)); !errors.Is(err, ErrDown) {
			t.Errorf("a write without a primary: %v", err)
		}
		if _, err := s.Promote(); err != nil {
			t.Fatal(err)
		}
		write(t, s, 3) // gets the number that the lost one had
		if err := <-failed; !errors.Is(err, ErrDown) {
			t.Errorf("got %v", err)
		}
		if has(t, s.Primary(), 1) || !has(t, s.Primary(), 3) {
			t.Error("the new primary has what it cannot have")
		}
	})
}

func TestTheMostAdvancedFollowerIsPromotedAndTheOthersFollowIt(t *testing.T) {
	bubble(t, Options{Followers: 3}, func(t *testing.T, s *Set, old *feed.Memory) {
		for id := 1; id <= 10; id++ {
			write(t, s, id)
			<-time.After(lag / 10)
		}
		s.Kill()
		if _, err := s.Primary().Posts(t.Context(), 1); !errors.Is(err, ErrDown) {
			t.Errorf("a dead primary answers: %v", err)
		}
		<-time.After(5 * lag) // a dead primary feeds nobody
		first := s.followers[0].Applied()
		if first < 4 || first > 6 || s.followers[2].Applied() >= first {
			t.Fatalf("followers have %d and %d", first, s.followers[2].Applied())
		}
		seq, err := s.Promote()
		if err != nil || seq != first || s.Written() != first || s.Primary() != feed.Store(s.followers[0].Memory) {
			t.Fatalf("promoted at %d, %v", seq, err)
		}
		if got := write(t, s, 99); got != first+1 || has(t, old, 99) {
			t.Errorf("change %d", got)
		}
		if err := s.CatchUp(t.Context(), first+1); err != nil {
			t.Fatal(err)
		}
		for i, f := range s.followers {
			if !has(t, f, 99) || has(t, f, 10) || !has(t, f, int(first)) {
				t.Errorf("follower %d has another history", i)
			}
		}
	})
}

func TestAPromotedFollowerThatStandsAloneGoesOn(t *testing.T) {
	bubble(t, Options{Followers: 1, Sync: true}, func(t *testing.T, s *Set, _ *feed.Memory) {
		write(t, s, 1)
		s.Kill()
		if _, err := s.Promote(); err != nil {
			t.Fatal(err)
		}
		write(t, s, 2)
	})
}

func TestWithoutFollowersThereIsNobodyToPromote(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, s *Set, primary *feed.Memory) {
		write(t, s, 1)
		if s.Read(0) != feed.Store(primary) {
			t.Error("somebody else is read")
		}
		s.Kill()
		if _, err := s.Promote(); !errors.Is(err, ErrDown) {
			t.Error(err)
		}
	})
}
