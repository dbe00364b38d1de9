package idgentest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/sysblocks/sysblocks/idgen"
)

// reserved is one range, [first, end).
type reserved struct{ first, end int64 }

// TestCounter checks a Counter. open returns the same counter anew, as another process would open it; it is called
// several times and its values are used at once.
func TestCounter(t *testing.T, open func(t *testing.T) idgen.Counter) {
	t.Helper()
	t.Run("RangesFollowEachOther", func(t *testing.T) { rangesFollow(t, open) })
	t.Run("RefusesSizesOutsideTheirLimits", func(t *testing.T) { refusesSizes(t, open) })
	t.Run("ObeysTheContext", func(t *testing.T) { obeysContext(t, open) })
	t.Run("RangesOfManyHandlesNeverOverlap", func(t *testing.T) { neverOverlap(t, open) })
	t.Run("ServesASegment", func(t *testing.T) {
		s, err := idgen.NewSegment(open(t), idgen.SegmentOptions{MinStep: 7})
		if err != nil {
			t.Fatal(err)
		}
		TestGenerator(t, s)
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func rangesFollow(t *testing.T, open func(t *testing.T) idgen.Counter) {
	t.Helper()
	c, end := open(t), int64(0)
	for i, n := range []int64{1, 1, 10, 1000, 1 << 20, 3} {
		if i == 3 {
			c = open(t) // another handle goes on where the first one stands
		}
		first, err := c.Reserve(t.Context(), n)
		if err != nil {
			t.Fatalf("Reserve(%d): %v", n, err)
		}
		if first < end || first < 0 {
			t.Fatalf("Reserve(%d) returned %d; numbers below %d were reserved before", n, first, end)
		}
		end = first + n
	}
}

func refusesSizes(t *testing.T, open func(t *testing.T) idgen.Counter) {
	t.Helper()
	c := open(t)
	for _, n := range []int64{0, -1, -1 << 63, 1<<40 + 1, 1<<63 - 1} {
		if first, err := c.Reserve(t.Context(), n); !errors.Is(err, idgen.ErrRange) {
			t.Errorf("Reserve(%d) returned %d, %v; want ErrRange", n, first, err)
		}
	}
}

func obeysContext(t *testing.T, open func(t *testing.T) idgen.Counter) {
	t.Helper()
	c := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if first, err := c.Reserve(ctx, 1); err == nil {
		t.Errorf("Reserve with a cancelled context returned %d and no error", first)
	}
}

func neverOverlap(t *testing.T, open func(t *testing.T) idgen.Counter) {
	t.Helper()
	const handles, calls = 8, 50
	all := make([][]reserved, handles)
	var wg sync.WaitGroup
	for i := range all {
		c := open(t)
		wg.Go(func() {
			for k := range int64(calls) {
				n := 1 + k%5
				first, err := c.Reserve(t.Context(), n)
				if err != nil {
					t.Errorf("Reserve(%d): %v", n, err)
					return
				}
				if k > 0 && first < all[i][k-1].end {
					t.Errorf("a handle received %d after %d", first, all[i][k-1].end-1)
				}
				all[i] = append(all[i], reserved{first, first + n})
			}
		})
	}
	wg.Wait()
	ranges := slices.Concat(all...)
	slices.SortFunc(ranges, func(a, b reserved) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(ranges); i++ {
		if ranges[i].first < ranges[i-1].end {
			t.Fatalf("%+v and %+v overlap", ranges[i-1], ranges[i])
		}
	}
}
