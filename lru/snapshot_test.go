package lru

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func allPolicies() []Policy { return []Policy{Adaptive, LRU, LFU, FIFO, SIEVE} }

func save(tb testing.TB, c *Cache[int, string]) []byte {
	tb.Helper()
	var b bytes.Buffer
	if _, err := c.Save(tb.Context(), &b, Encoding[int, string]{}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func restore(tb testing.TB, c *Cache[int, string], snapshot []byte) int {
	tb.Helper()
	n, err := c.Restore(tb.Context(), bytes.NewReader(snapshot), Encoding[int, string]{})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func stringsOf(tb testing.TB, capacity int, opts Options[int, string]) *Cache[int, string] {
	tb.Helper()
	c, err := New(capacity, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestRestoredCacheHasTheOrderOfTheSaved compares the exact policies victim by victim.
func TestRestoredCacheHasTheOrderOfTheSaved(t *testing.T) {
	for _, policy := range allPolicies() {
		t.Run(policy.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(policy)))
			a := stringsOf(t, 100, Options[int, string]{Policy: policy})
			for range 1000 {
				if key := rng.IntN(150); rng.IntN(2) == 0 {
					a.Set(key, fmt.Sprint("v", key))
				} else {
					a.Get(key)
				}
			}
			b := stringsOf(t, 100, Options[int, string]{Policy: policy})
			if n := restore(t, b, save(t, a)); n != a.Len() {
				t.Fatalf("%d entries stored of %d", n, a.Len())
			}
			if got, want := maps.Collect(b.All()), maps.Collect(a.All()); !maps.Equal(got, want) {
				t.Fatalf("contents %v, want %v", got, want)
			}
			check(t, b)
			if policy == Adaptive {
				return // has no exact order
			}
			got, want := keysOf(b.Coldest()), keysOf(a.Coldest())
			if !slices.Equal(got, want) {
				t.Fatalf("order %v\nwant  %v", got, want)
			}
		})
	}
}

func keysOf(entries iter.Seq[Entry[int, string]]) (keys []int) {
	for e := range entries {
		keys = append(keys, e.Key)
	}
	return keys
}

func TestSmallerCacheRestoresTheHottest(t *testing.T) {
	a, b := stringsOf(t, 100, Options[int, string]{Policy: LRU}), stringsOf(t, 10, Options[int, string]{Policy: LRU})
	for key := range 100 {
		a.Set(key, "v")
	}
	if n := restore(t, b, save(t, a)); n != 10 {
		t.Fatalf("%d entries stored, want 10", n)
	}
	if got := keysOf(b.Coldest()); !slices.Equal(got, []int{90, 91, 92, 93, 94, 95, 96, 97, 98, 99}) {
		t.Fatalf("kept %v", got)
	}
	if s := b.Stats(); s.Evicted != 0 {
		t.Fatalf("%d evicted", s.Evicted)
	}
}

func TestRestoreTakesTheTimeSinceSavingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := stringsOf(t, 10, Options[int, string]{})
		a.Set(1, "for ever")
		a.SetTTL(2, "long", time.Minute)
		a.SetTTL(3, "short", time.Second)
		snapshot := save(t, a)
		<-time.After(10 * time.Second)
		b := stringsOf(t, 10, Options[int, string]{})
		if n := restore(t, b, snapshot); n != 2 {
			t.Fatalf("%d entries stored, want 2", n)
		}
		if e, ok := b.Entry(2); !ok || time.Until(e.Expires) != 50*time.Second {
			t.Fatalf("key 2 has %v left", time.Until(e.Expires))
		}
		if e, ok := b.Entry(1); !ok || !e.Expires.IsZero() {
			t.Fatalf("key 1 expires %v", e.Expires)
		}
	})
}

func TestWarmReplacesNothingAndHeedsWritesBesideIt(t *testing.T) {
	tagged := Options[int, string]{Tags: func(_ int, v string) []string { return []string{v} }}
	c := stringsOf(t, 10, tagged)
	c.Set(1, "present")
	at := 0
	entries := func(yield func(Entry[int, string], error) bool) {
		for key := 1; key <= 6; key++ {
			at = key
			switch key {
			case 2:
				c.Set(2, "written")
				c.Remove(2)
			case 3:
				c.InvalidateTags("old3")
			}
			if !yield(Entry[int, string]{Key: key, Value: fmt.Sprint("old", key)}, nil) {
				return
			}
		}
	}
	n, err := c.Warm(t.Context(), entries)
	if err != nil || n != 3 || at != 6 {
		t.Fatalf("Warm = %d, %v at %d; want keys 4, 5 and 6", n, err, at)
	}
	want := map[int]string{1: "present", 4: "old4", 5: "old5", 6: "old6"}
	if got := maps.Collect(c.All()); !maps.Equal(got, want) {
		t.Fatalf("contents %v, want %v", got, want)
	}
	// The marks of that call are gone with it.
	if n, err := c.Warm(t.Context(), oneEntry(2, "again")); n != 1 || err != nil {
		t.Fatalf("second Warm = %d, %v", n, err)
	}
}

func oneEntry(key int, value string) iter.Seq2[Entry[int, string], error] {
	return func(yield func(Entry[int, string], error) bool) {
		yield(Entry[int, string]{Key: key, Value: value}, nil)
	}
}

func TestWarmStoresNothingAfterClear(t *testing.T) {
	c := stringsOf(t, 10, Options[int, string]{})
	n, err := c.Warm(t.Context(), func(yield func(Entry[int, string], error) bool) {
		c.Clear()
		yield(Entry[int, string]{Key: 1, Value: "old"}, nil)
	})
	if n != 0 || err != nil || c.Len() != 0 {
		t.Fatalf("Warm = %d, %v, Len %d", n, err, c.Len())
	}
}

func TestWarmEndsWhenTheCacheIsFull(t *testing.T) {
	for _, weighed := range []bool{false, true} {
		opts := Options[int, string]{}
		if weighed {
			opts.Weight = func(int, string) int { return 3 }
		}
		c := stringsOf(t, 10, opts)
		asked := 0
		n, err := c.Warm(t.Context(), func(yield func(Entry[int, string], error) bool) {
			for key := 0; yield(Entry[int, string]{Key: key}, nil); key++ {
				asked++
			}
		})
		if err != nil || weighed && n != 3 || !weighed && n != 10 || asked > 100 || c.Stats().Evicted != 0 {
			t.Fatalf("weighed=%v: Warm = %d, %v after %d entries", weighed, n, err, asked)
		}
	}
}

func TestWarmEndsWithItsContextAndItsSequence(t *testing.T) {
	c := stringsOf(t, 10, Options[int, string]{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errSource)
	if _, err := c.Warm(ctx, oneEntry(1, "a")); !errors.Is(err, errSource) {
		t.Fatalf("with a cancelled context: %v", err)
	}
	failing := func(yield func(Entry[int, string], error) bool) { yield(Entry[int, string]{}, errSource) }
	if _, err := c.Warm(t.Context(), failing); !errors.Is(err, errSource) {
		t.Fatalf("with a failing sequence: %v", err)
	}
}

func TestDamagedSnapshotIsCorruptWhereverItIsDamaged(t *testing.T) {
	a := stringsOf(t, 10, Options[int, string]{Policy: LRU})
	for key := range 5 {
		a.Set(key, fmt.Sprint("value ", key))
	}
	good := save(t, a)
	for cut := range good {
		b := stringsOf(t, 10, Options[int, string]{})
		if _, err := b.Restore(t.Context(), bytes.NewReader(good[:cut]), Encoding[int, string]{}); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		for _, v := range b.All() {
			if len(v) != len("value 0") {
				t.Fatalf("cut at %d: %q", cut, v)
			}
		}
	}
	header := bytes.Index(good, []byte("lru.")) // in the name of the encoding
	for at := range good {
		bad := slices.Clone(good)
		bad[at] ^= 0x40
		b := stringsOf(t, 10, Options[int, string]{})
		_, err := b.Restore(t.Context(), bytes.NewReader(bad), Encoding[int, string]{})
		inTime := at >= header && err == nil // the time of saving has no sum of its own
		if !errors.Is(err, ErrCorrupt) && !inTime {
			t.Fatalf("damaged at %d: %v", at, err)
		}
	}
}

func TestMissingFrameIsCorruption(t *testing.T) {
	a := stringsOf(t, 10, Options[int, string]{})
	empty := save(t, a)
	a.Set(1, "one")
	full := save(t, a)
	cut := append(slices.Clone(full[:len(empty)-16]), full[len(full)-16:]...) // header and last frame
	b := stringsOf(t, 10, Options[int, string]{})
	if _, err := b.Restore(t.Context(), bytes.NewReader(cut), Encoding[int, string]{}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("Restore: %v", err)
	}
}

func TestRestoreLeavesWhatFollowsUnread(t *testing.T) {
	a := stringsOf(t, 10, Options[int, string]{})
	a.Set(1, "one")
	r := bytes.NewReader(append(save(t, a), "what follows"...))
	b := stringsOf(t, 10, Options[int, string]{})
	if n, err := b.Restore(t.Context(), r, Encoding[int, string]{}); n != 1 || err != nil {
		t.Fatalf("Restore = %d, %v", n, err)
	}
	if rest, err := io.ReadAll(r); string(rest) != "what follows" || err != nil {
		t.Fatalf("the rest is %q, %v", rest, err)
	}
}

func TestRestoreRefusesAnotherEncoding(t *testing.T) {
	a := stringsOf(t, 10, Options[int, string]{})
	snapshot := save(t, a)
	other, err := New(10, Options[int, []byte]{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Restore(t.Context(), bytes.NewReader(snapshot), Encoding[int, []byte]{}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("Restore: %v", err)
	}
}

// TestSaveWorksBesideWriters is for -race.
func TestSaveWorksBesideWriters(t *testing.T) {
	c := stringsOf(t, 5000, Options[int, string]{})
	var group sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 0))
			for {
				select {
				case <-stop:
					return
				default:
				}
				key := rng.IntN(8000)
				c.Set(key, strconv.Itoa(key))
				c.Remove(rng.IntN(8000))
			}
		})
	}
	for range 5 {
		b := stringsOf(t, 5000, Options[int, string]{})
		restore(t, b, save(t, c))
		for key, v := range b.All() {
			if v != strconv.Itoa(key) {
				t.Fatalf("key %d has %q", key, v)
			}
		}
	}
	close(stop)
	group.Wait()
}

func FuzzRestore(f *testing.F) {
	a := stringsOf(f, 10, Options[int, string]{TTL: time.Hour})
	for key := range 3 {
		a.Set(key, fmt.Sprint("value ", key))
	}
	f.Add(save(f, a))
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, policy := range allPolicies() {
			c := stringsOf(t, 10, Options[int, string]{Policy: policy})
			n, err := c.Restore(t.Context(), bytes.NewReader(b), Encoding[int, string]{})
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			if n < c.Len() || c.Len() > 10 {
				t.Fatalf("%d stored, Len %d", n, c.Len())
			}
			check(t, c)
		}
	})
}
