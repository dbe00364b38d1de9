package lru

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestStaleValueIsServedUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		var expired atomic.Int32
		c := mustNew(t, 10, Options[int, int]{
			TTL: time.Minute, Load: src.load,
			Loading:  Loading{StaleFor: time.Hour, ErrorTTL: 10 * time.Second},
			OnRemove: func(_ Entry[int, int], cause Cause) { expired.Add(int32(cause - Replaced + 100)) },
		})
		src.answer(1)
		fetch(t, c, 1, 1)
		wait(2 * time.Minute)
		if _, ok := c.Get(1); ok {
			t.Fatal("Get shows a stale value")
		}
		src.fail(errSource)
		for range 5 { // one attempt, then a pause
			fetch(t, c, 1, 1)
			synctest.Wait()
		}
		src.called(t, 2)
		wait(11 * time.Second)
		src.answer(2)
		fetch(t, c, 1, 1)
		synctest.Wait()
		fetch(t, c, 1, 2)
		if st := c.Stats(); st.Stale != 6 || st.Expired != 1 {
			t.Errorf("%+v", st)
		}
		wait(time.Minute + time.Hour + time.Second)
		if c.Len() != 0 {
			t.Error("a stale value outlived StaleFor")
		}
		src.fail(errSource)
		fetchErr(t, c, 1, errSource)
	})
}

func TestRefreshAfterServesTheOldValueMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{takes: time.Second}
		src.answer(1)
		c := mustNew(t, 10, Options[int, int]{
			TTL: time.Hour, Load: src.load, Loading: Loading{RefreshAfter: time.Minute},
		})
		fetch(t, c, 1, 1)
		wait(time.Minute)
		src.fail(errSource)
		for range 3 {
			fetch(t, c, 1, 1)
		}
		src.called(t, 2)
		wait(1500 * time.Millisecond)
		fetch(t, c, 1, 1) // the failure asks for a pause of a second
		src.called(t, 2)
		wait(time.Second)
		src.answer(2)
		fetch(t, c, 1, 1)
		wait(2 * time.Second)
		fetch(t, c, 1, 2)
		src.called(t, 3)
		if st := c.Stats(); st.Refreshes != 2 {
			t.Errorf("%d refreshes", st.Refreshes)
		}
	})
}

func TestHangingRefreshDoesNotKeepTheValue(t *testing.T) { // ben-manes/caffeine#373
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		c := mustNew(t, 10, Options[int, int]{
			TTL: time.Minute, Load: src.load, Loading: Loading{RefreshAfter: time.Second},
		})
		src.answer(1)
		fetch(t, c, 1, 1)
		wait(2 * time.Second)
		src.takes = 10 * time.Hour
		fetch(t, c, 1, 1)
		wait(time.Minute)
		if _, ok := c.Get(1); ok || c.Len() != 0 {
			t.Error("the value is still there")
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestEarlyRefreshBecomesLikelyNearTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{takes: time.Second}
		src.answer(1)
		c := mustNew(t, 10, Options[int, int]{TTL: time.Minute, Load: src.load, Loading: Loading{EarlyRefresh: 1}})
		fetch(t, c, 1, 1)
		for range 100 { // e^-59 each
			fetch(t, c, 1, 1)
		}
		src.called(t, 1)
		wait(59 * time.Second)
		for range 100 { // e^-1 each: all stay out with probability 10^-20
			fetch(t, c, 1, 1)
		}
		src.called(t, 2)
		wait(2 * time.Second)
		fetch(t, c, 1, 1)
		src.called(t, 2)
	})
}

// A reader may find a value stale, and come to start its load when somebody else's has just ended.
func TestValueThatWasJustRenewedIsNotLoadedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.answer(1)
		for _, opts := range []Loading{{StaleFor: time.Hour}, {RefreshAfter: time.Second}} {
			src.calls.Store(0)
			c := mustNew(t, 10, Options[int, int]{TTL: time.Minute, Load: src.load, Loading: opts})
			fetch(t, c, 1, 1)
			late := request[int, int]{key: 1, hash: c.hash(1), live: opts.RefreshAfter > 0}
			c.background(t.Context(), late)
			src.called(t, 1)
			wait(2 * time.Minute)
			c.background(t.Context(), late) // now it is due
			src.called(t, 2)
		}
	})
}
