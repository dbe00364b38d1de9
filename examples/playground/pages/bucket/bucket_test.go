package bucket_test

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/examples/playground/page/pagetest"
	"github.com/sysblocks/sysblocks/examples/playground/pages/bucket"
	"github.com/sysblocks/sysblocks/ratelimit"
)

func TestFireAtAFullBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := pagetest.New(t, bucket.Page{}, 7, "burst=20&rate=5")
		w.Run(time.Second)
		w.Do("fire", "")
		if got := w.Number("admitted"); got != 20 {
			t.Errorf("admitted %v", got)
		}
		w.Run(time.Second)
		if got := w.Number("level"); got != 5 {
			t.Errorf("after a second at 5 a second the level is %v", got)
		}
		w.Run(10 * time.Second)
		if got := w.Number("level"); got != 20 {
			t.Errorf("at the end the level is %v", got)
		}
	})
}

func TestNoWindowExceedsThePromise(t *testing.T) {
	for _, query := range []string{"traffic=40", "traffic=40&limiter=fixed", "traffic=40&limiter=sliding", "traffic=3&rate=20&burst=1"} {
		synctest.Test(t, func(t *testing.T) {
			w := pagetest.New(t, bucket.Page{}, 7, query)
			for range 20 {
				w.Run(1300 * time.Millisecond)
				w.Do("fire", "")
				if worst, most := w.Number("worst-window"), w.Number("allowed"); worst > most || worst == 0 {
					t.Fatalf("%s: %v in a second, at most %v", query, worst, most)
				}
			}
		})
	}
}

func TestWaitsAsTold(t *testing.T) {
	for _, query := range []string{"", "traffic=10", "limiter=fixed", "limiter=sliding"} {
		synctest.Test(t, func(t *testing.T) {
			w := pagetest.New(t, bucket.Page{}, 7, query)
			w.Run(700 * time.Millisecond)
			w.Do("return", "")
			if err := w.Refused("return", ""); !errors.Is(err, page.ErrInvalid) {
				t.Error(err)
			}
			w.Run(5 * time.Second)
			told, waited := w.Number("retry-after-ms"), w.Number("waited-ms")
			if told <= 0 || math.Abs(told-waited) > 50 {
				t.Errorf("%q: told %v ms, waited %v ms", query, told, waited)
			}
		})
	}
}

func TestSettingsKeepWhatWasUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := pagetest.New(t, bucket.Page{}, 7, "")
		w.Run(time.Second)
		w.Do("fire", "")
		w.Set("rate=10")
		if got := w.Number("level"); got != 0 {
			t.Errorf("the level is %v after another rate", got)
		}
		w.Run(time.Second)
		if got := w.Number("level"); got != 10 {
			t.Errorf("a second later it is %v", got)
		}
	})
}

func TestNothingIsMadeUpWhileNobodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := pagetest.New(t, bucket.Page{}, 7, "traffic=40")
		<-time.After(time.Hour)
		w.Run(time.Second)
		if got := w.Number("worst-window"); got > w.Number("allowed") {
			t.Errorf("%v in a second", got)
		}
	})
}

// open admits everybody.
type open struct{}

func (open) Take(int) ratelimit.Decision { return ratelimit.Decision{OK: true} }
func (open) Peek(int) ratelimit.Decision { return ratelimit.Decision{OK: true} }
func (open) Reserve(int, time.Duration) (ratelimit.Reservation, bool) {
	return ratelimit.Reservation{}, true
}
func (open) SetLimits(...ratelimit.Limit) error { return nil }

// The page follows the package: a limiter that refuses nobody is seen to.
func TestWrongLimiterShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := pagetest.New(t, bucket.Page{Limiter: func(ratelimit.Limit) (bucket.Limiter, error) { return open{}, nil }}, 7, "")
		w.Do("fire", "")
		if got := w.Number("admitted"); got != 50 {
			t.Errorf("admitted %v", got)
		}
		if w.Fact("worst-window").Tone != page.Bad {
			t.Error("50 in a second are not marked as too many")
		}
	})
}
