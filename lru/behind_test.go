package lru

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// writeBack runs a test in a bubble, which ends only if the write-back left no goroutine.
func writeBack(t *testing.T, opts BackedOptions[int, int], test func(*testing.T, *plainStore, *Backed[int, int])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		opts.Mode = WriteBack
		test(t, store, newBacked(t, batchStore{store}, 4, opts))
	})
}

func TestUnsavedValueIsReadableAfterItsEviction(t *testing.T) {
	writeBack(t, BackedOptions[int, int]{}, func(t *testing.T, store *plainStore, b *Backed[int, int]) {
		for key := range 50 {
			set(t, b, key, key+100)
		}
		if loads, saves := store.count(); loads+saves != 0 {
			t.Fatalf("the store was called: %d loads, %d saves", loads, saves)
		}
		for key := range 50 {
			reads(t, b, key, key+100)
		}
		found, err := b.FetchMany(t.Context(), []int{1, 2, 3, 77})
		if err != nil || len(found) != 3 || found[3] != 103 {
			t.Fatalf("FetchMany = %v, %v", found, err)
		}
		if b.Dirty() != 50 {
			t.Fatalf("%d dirty, want 50", b.Dirty())
		}
		wait(time.Second)
		if _, saves := store.count(); saves != 1 || b.Dirty() != 0 {
			t.Fatalf("%d saves, %d dirty after FlushEvery, want one batch", saves, b.Dirty())
		}
		store.holds(49, 149)
	})
}

func TestWritesOfAKeyJoinAndKeepTheirOrder(t *testing.T) {
	writeBack(t, BackedOptions[int, int]{}, func(t *testing.T, store *plainStore, b *Backed[int, int]) {
		store.takes = 100 * time.Millisecond
		set(t, b, 1, 10)
		set(t, b, 1, 11)
		set(t, b, 2, 20)
		if err := b.Remove(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		reads(t, b, 2, -1)
		wait(time.Second + 50*time.Millisecond) // in the middle of the save
		set(t, b, 1, 12)
		set(t, b, 1, 13)
		reads(t, b, 1, 13)
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		store.saved(1, 11, 13)
		store.saved(2, -1)
	})
}

func TestFullBatchIsSavedBeforeItsTime(t *testing.T) {
	opts := BackedOptions[int, int]{FlushEvery: time.Hour, BatchSize: 10}
	writeBack(t, opts, func(t *testing.T, store *plainStore, b *Backed[int, int]) {
		for key := range 10 {
			set(t, b, key, key)
		}
		synctest.Wait()
		if _, saves := store.count(); saves != 1 || b.Dirty() != 0 {
			t.Fatalf("%d saves, %d dirty", saves, b.Dirty())
		}
		set(t, b, 1, 2)
		wait(time.Hour - time.Second)
		store.holds(1, 1)
		wait(time.Second)
		store.holds(1, 2)
	})
}

func TestWriterWaitsWhereTooMuchIsUnsaved(t *testing.T) {
	opts := BackedOptions[int, int]{FlushEvery: time.Hour, MaxDirty: 3}
	writeBack(t, opts, func(t *testing.T, store *plainStore, b *Backed[int, int]) {
		store.takes = time.Second
		for key := range 3 {
			set(t, b, key, key)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, errStore)
		defer cancel()
		if err := b.Set(ctx, 3, 3); !errors.Is(err, errStore) {
			t.Fatalf("Set beyond MaxDirty with a context that ends: %v", err)
		}
		reads(t, b, 3, -1)
		set(t, b, 2, 22)
		set(t, b, 5, 5)
		set(t, b, 6, 6)
		set(t, b, 2, 23) // a key that is unsaved already needs no place
		began := time.Now()
		set(t, b, 4, 4)
		if waited := time.Since(began); waited == 0 || b.Dirty() > 3 {
			t.Fatalf("waited %v, %d dirty", waited, b.Dirty())
		}
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		store.holds(2, 23)
		store.holds(4, 4)
	})
}

func TestFlushWaitsForWhatWasWrittenBefore(t *testing.T) {
	opts := BackedOptions[int, int]{FlushEvery: time.Hour, BatchSize: 2}
	writeBack(t, opts, func(t *testing.T, store *plainStore, b *Backed[int, int]) {
		store.takes = time.Second
		set(t, b, 1, 10)
		flushed := make(chan time.Duration, 1)
		began := time.Now()
		go func() {
			if err := b.Flush(t.Context()); err != nil {
				t.Error(err)
			}
			flushed <- time.Since(began)
		}()
		wait(500 * time.Millisecond)
		set(t, b, 1, 11) // later than the call: not its business
		if took := <-flushed; took != time.Second {
			t.Fatalf("Flush took %v, want the one save", took)
		}
		store.holds(1, 10)
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		store.holds(1, 11)
	})
}

func TestFlushCoversAWriteWhoseSaveFailsWhileItIsReplaced(t *testing.T) {
	opts := BackedOptions[int, int]{FlushEvery: time.Hour}
	writeBack(t, opts, func(t *testing.T, store *plainStore, b *Backed[int, int]) {
		store.takes = time.Second
		var down atomic.Bool
		down.Store(true)
		store.fail = func(string, int) error {
			if down.Load() {
				return errStore
			}
			return nil
		}
		set(t, b, 1, 10)
		flushed := make(chan error, 1)
		go func() { flushed <- b.Flush(t.Context()) }()
		wait(500 * time.Millisecond)
		set(t, b, 1, 11) // replaces what fails half a second later
		wait(600 * time.Millisecond)
		select {
		case err := <-flushed:
			t.Fatalf("Flush returned %v, and the store has neither value", err)
		default:
		}
		down.Store(false)
		if err := <-flushed; err != nil {
			t.Fatal(err)
		}
		store.holds(1, 11)
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFailedSaveIsRepeatedWithGrowingPauses(t *testing.T) {
	opts := BackedOptions[int, int]{FlushEvery: time.Millisecond}
	writeBack(t, opts, func(t *testing.T, store *plainStore, b *Backed[int, int]) {
		began := time.Now()
		store.fail = func(string, int) error {
			if time.Since(began) < 5*time.Minute {
				return errStore
			}
			return nil
		}
		set(t, b, 1, 10)
		wait(5 * time.Minute)
		reads(t, b, 1, 10)
		_, during := store.count()
		// Pauses of 50 ms to 30 s with full jitter have a mean of 15 s at the end: about 30 in five minutes, and never
		// one of more than 30 s.
		if during < 15 || during > 120 {
			t.Fatalf("%d attempts in five minutes", during)
		}
		wait(lastPause)
		store.holds(1, 10)
		if b.Dirty() != 0 {
			t.Fatalf("%d dirty", b.Dirty())
		}
	})
}

func TestOneWriteThatTheStoreRefusesDoesNotHoldUpItsBatch(t *testing.T) {
	var told atomic.Int32
	opts := BackedOptions[int, int]{FlushEvery: time.Second, OnError: func(w Write[int, int], _ int, err error) bool {
		if w.Key != 3 || !errors.Is(err, errStore) {
			panic("OnError for a write that did no harm")
		}
		told.Add(1)
		return false
	}}
	writeBack(t, opts, func(t *testing.T, store *plainStore, b *Backed[int, int]) {
		store.fail = func(op string, key int) error {
			if key == 3 && op != "load" {
				return errStore
			}
			return nil
		}
		for key := range 6 {
			set(t, b, (key+4)%6, (key+4)%6) // 3 comes last, and is in the cache
		}
		wait(2 * time.Second)
		for key := range 6 {
			if key != 3 {
				store.holds(key, key)
			}
		}
		if told.Load() != 1 || b.Dirty() != 0 {
			t.Fatalf("OnError was called %d times, %d dirty", told.Load(), b.Dirty())
		}
		if v, ok := b.Cache().Peek(3); ok {
			t.Fatalf("the cache still has %d, which was given up", v)
		}
		reads(t, b, 3, -1)
	})
}

func TestPanicOfTheStoreInTheBackgroundIsAFailureLikeOthers(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			var seen atomic.Pointer[PanicError]
			opts := BackedOptions[int, int]{OnError: func(_ Write[int, int], _ int, err error) bool {
				if p, ok := errors.AsType[*PanicError](err); ok {
					seen.Store(p)
				}
				return true
			}}
			writeBack(t, opts, func(t *testing.T, store *plainStore, b *Backed[int, int]) {
				store.begun = func(string, int, int) {
					store.begun = nil
					end()
				}
				set(t, b, 1, 10)
				wait(2 * time.Second)
				store.holds(1, 10)
				if seen.Load() == nil {
					t.Fatal("OnError heard of no PanicError")
				}
			})
		})
	}
}

func TestCloseSaysWhatItCouldNotSave(t *testing.T) {
	writeBack(t, BackedOptions[int, int]{}, func(t *testing.T, store *plainStore, b *Backed[int, int]) {
		var down atomic.Bool
		down.Store(true)
		store.fail = func(string, int) error {
			if down.Load() {
				return errStore
			}
			return nil
		}
		set(t, b, 1, 10)
		set(t, b, 2, 20)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := b.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 writes") {
			t.Fatalf("Close: %v", err)
		}
		if err := b.Set(t.Context(), 3, 3); !errors.Is(err, ErrClosed) {
			t.Fatalf("Set after Close: %v", err)
		}
		_, before := store.count()
		wait(time.Hour) // nothing runs any more
		if _, after := store.count(); after != before {
			t.Fatalf("%d saves after Close gave up", after-before)
		}
		down.Store(false)
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		store.holds(1, 10)
		store.holds(2, 20)
	})
}

func TestCloseDuringAWriteThatWaitsForAPlace(t *testing.T) {
	writeBack(t, BackedOptions[int, int]{MaxDirty: 1, FlushEvery: time.Hour}, func(t *testing.T, store *plainStore, b *Backed[int, int]) {
		store.takes = time.Second
		set(t, b, 1, 10)
		result := make(chan error, 1)
		go func() { result <- b.Set(t.Context(), 2, 20) }()
		synctest.Wait()
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-result; !errors.Is(err, ErrClosed) {
			t.Fatalf("the waiting Set: %v", err)
		}
		store.holds(1, 10)
		store.holds(2, -1)
	})
}
