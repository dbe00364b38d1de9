package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

type deadlineKey struct{}

// With and without anybody who waits, a commit's context ends at its time, and with its parent unless detached.
func TestDeadlineEndsInTime(t *testing.T) {
	for _, waits := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithCancelCause(context.WithValue(context.Background(), deadlineKey{}, 7))
			gone := errors.New("gone")
			free, bound := within(parent, time.Second, true), within(parent, time.Second, false)
			if waits {
				child, stop := context.WithCancel(free)
				defer stop()
				if child.Value(deadlineKey{}) != 7 {
					t.Error("a derived context has lost the values")
				}
				<-time.After(time.Millisecond)
				select {
				case <-free.Done():
					t.Error("ended at once")
				case <-bound.Done():
					t.Error("ended at once")
				default:
				}
			}
			if free.Value(deadlineKey{}) != 7 || free.Err() != nil || bound.Err() != nil {
				t.Error("not as the parent")
			}
			cancel(gone)
			if free.Err() != nil || !errors.Is(bound.Err(), context.Canceled) || !errors.Is(bound.cause(), gone) {
				t.Errorf("parent ended: %v, %v because %v", free.Err(), bound.Err(), bound.cause())
			}
			<-time.After(time.Until(free.at) - time.Nanosecond)
			if free.Err() != nil {
				t.Error("ended too early")
			}
			<-time.After(time.Nanosecond)
			synctest.Wait()
			if !errors.Is(free.Err(), context.DeadlineExceeded) || !errors.Is(free.cause(), ErrConflict) {
				t.Errorf("at its time: %v because %v", free.Err(), free.cause())
			}
			<-free.Done()
			free.close()
			bound.close()
		})
	}
	early, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want, _ := early.Deadline()
	if at, ok := within(early, time.Hour, false).Deadline(); !ok || !at.Equal(want) {
		t.Error("the parent's deadline is hidden")
	}
	if at, ok := within(early, time.Hour, true).Deadline(); !ok || !at.After(want) {
		t.Error("the parent's deadline binds a detached context")
	}
}
