package lru

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestComputeRunsAgainWhenTheKeyChangedMeanwhile(t *testing.T) {
	c := mustNew(t, 10, Options[int, string]{})
	c.Set(1, "old")
	runs := 0
	v, ok := c.Compute(1, func(old string, _ bool) (string, Action) {
		if runs++; runs == 1 {
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.Set(1, "other")
			}()
			<-done
		}
		return old + "!", Set
	})
	if v != "other!" || !ok || runs != 2 {
		t.Errorf("got %q, %v after %d runs", v, ok, runs)
	}
}

func TestWriteForgetsARememberedFailure(t *testing.T) {
	calls := 0
	c := mustNew(t, 10, Options[int, int]{
		Load:    func(context.Context, int) (int, error) { calls++; return 0, ErrNotFound },
		Loading: Loading{NegativeTTL: time.Hour},
	})
	for range 2 {
		if _, err := c.Fetch(t.Context(), 1); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
	}
	if calls != 1 {
		t.Fatalf("%d loads of a key that is known to be absent", calls)
	}
	c.Set(1, 1)
	c.Remove(1)
	if _, err := c.Fetch(t.Context(), 1); !errors.Is(err, ErrNotFound) || calls != 2 {
		t.Errorf("%d loads, %v: a write must forget that the key was absent", calls, err)
	}
}
