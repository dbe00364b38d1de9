package workload

import (
	"context"
	"errors"
	"maps"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEachRunsEveryIndexOnceAndInOrderPerWorker(t *testing.T) {
	var mu sync.Mutex
	byWorker := map[int][]int{}
	err := Each(context.Background(), 3, 100, func(_ context.Context, w, i int) error {
		mu.Lock()
		defer mu.Unlock()
		byWorker[w] = append(byWorker[w], i)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for w, is := range byWorker {
		for k, i := range is {
			if i != w+3*k {
				t.Fatalf("worker %d ran %d as number %d", w, i, k)
			}
			seen++
		}
	}
	if seen != 100 {
		t.Errorf("%d of 100 ran", seen)
	}
}

func TestEachStopsAtTheFirstErrorAndAtCancel(t *testing.T) {
	boom := errors.New("boom")
	err := Each(context.Background(), 2, 1_000_000, func(_ context.Context, _, i int) error {
		if i == 10 {
			return boom
		}
		return nil
	})
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Each(ctx, 2, 5, func(context.Context, int, int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSameSeedSameLoadOtherStreamOtherLoad(t *testing.T) {
	z := NewZipf(1000, 1)
	draw := func(seed int64, stream uint64) (out [50]int) {
		rng := Rand(seed, stream)
		for i := range out {
			out[i] = z.Next(rng)
		}
		return out
	}
	first, again := draw(7, 1), draw(7, 1)
	if first != again {
		t.Error("one seed gave two loads")
	}
	if draw(7, 1) == draw(7, 2) || draw(7, 1) == draw(8, 1) {
		t.Error("seed or stream is ignored")
	}
}

func TestZipfFrequenciesFollowTheLaw(t *testing.T) {
	// The count of a rank is binomial. Six standard deviations on five ranks: a false alarm in fewer than 1e-8 runs.
	const n, draws = 100, 200_000
	for _, s := range []float64{0, 0.8, 1.2} {
		z, rng := NewZipf(n, s), Rand(1, 1)
		var counts [n]int
		for range draws {
			counts[z.Next(rng)]++
		}
		sum := 0.0
		for r := range n {
			sum += math.Pow(float64(r+1), -s)
		}
		for _, r := range []int{0, 1, 9, 50, 99} {
			p := math.Pow(float64(r+1), -s) / sum
			sigma := math.Sqrt(draws * p * (1 - p))
			if d := math.Abs(float64(counts[r]) - draws*p); d > 6*sigma {
				t.Errorf("s=%v rank %d: %d draws, expected %.0f ± %.0f", s, r, counts[r], draws*p, sigma)
			}
		}
	}
}

func TestPoissonRateAndOrder(t *testing.T) {
	// The sum of n exponential gaps has a deviation of sqrt(n) gaps.
	const n, rate = 100_000, 500.0
	var last time.Duration
	count := 0
	for at := range Poisson(Rand(3, 1), rate) {
		if at < last {
			t.Fatal("arrivals out of order")
		}
		last = at
		if count++; count == n {
			break
		}
	}
	if got, sigma := last.Seconds()*rate, math.Sqrt(n); math.Abs(got-n) > 6*sigma {
		t.Errorf("%d arrivals took %.0f mean gaps", n, got)
	}
}

func TestLedgerKeepsTheHighestPromise(t *testing.T) {
	var l Ledger
	l.Acked("k", 5)
	l.Acked("k", 3)
	l.Acked("j", 1)
	for version, owes := range map[uint64]bool{4: true, 5: false, 6: false} {
		if l.Owes("k", version) != owes {
			t.Errorf("version %d: owes = %v", version, !owes)
		}
	}
	if l.Owes("unknown", 0) {
		t.Error("a key never promised is owed")
	}
	if got := maps.Collect(l.All()); l.Len() != 2 || got["k"] != 5 || got["j"] != 1 {
		t.Errorf("got %v", got)
	}
}

func TestVersionsOfAKeyBelongToOneWorkerAndCountUp(t *testing.T) {
	v, same := NewVersions(5, 3, 30), NewVersions(5, 3, 30)
	last, owner := map[string]uint64{}, map[string]int{}
	for i := range 3000 {
		key, version := v.Next(i % 3)
		if k, n := same.Next(i % 3); k != key || n != version {
			t.Fatalf("one seed, two loads: %s %d, %s %d", key, version, k, n)
		}
		if w, seen := owner[key]; version != last[key]+1 || seen && w != i%3 {
			t.Fatalf("%s: version %d after %d, workers %d and %d", key, version, last[key], w, i%3)
		}
		last[key], owner[key] = version, i%3
	}
	if len(owner) != 30 {
		t.Errorf("%d keys", len(owner))
	}
}

func TestBookFindsEveryDifference(t *testing.T) {
	const original = "the original text"
	for written, different := range map[string]int64{
		original: 0, "the 0riginal text": 1, "the": 0, original + "!!": 2, "": 0, "The OriginaL": 3,
	} {
		b, whole := NewBook(), NewBook()
		b.Compare(strings.NewReader(original))
		for i := range written { // byte by byte
			if _, err := b.Write([]byte{written[i]}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := whole.Write([]byte(original)); err != nil {
			t.Fatal(err)
		}
		if b.Different() != different {
			t.Errorf("%q: %d different, want %d", written, b.Different(), different)
		}
		if same := b.Content() == whole.Content(); same != (written == original) {
			t.Errorf("%q: same content is %v", written, same)
		}
	}
}

// TestWindowsFindsEveryOverfullWindow compares with counting from scratch, ties included.
func TestWindowsFindsEveryOverfullWindow(t *testing.T) {
	for seed := range int64(50) {
		rng, start := Rand(seed, 1), time.Unix(0, 0)
		spans := make([]Span, 1+rng.IntN(20))
		for i := range spans {
			from := rng.IntN(30)
			spans[i] = Span{From: start.Add(time.Duration(from)), To: start.Add(time.Duration(from + rng.IntN(10)))}
		}
		most := func(length time.Duration) float64 { return 2 + float64(length)/4 }
		found := false
		for _, first := range spans {
			for _, last := range spans {
				inside := 0.0
				for _, s := range spans {
					if !s.From.Before(first.From) && !s.To.After(last.To) {
						inside++
					}
				}
				found = found || inside > 0 && inside > most(last.To.Sub(first.From))
			}
		}
		windows, over := Windows(spans, most)
		if windows < len(spans) || (over > 0) != found {
			t.Fatalf("seed %d: %d windows, %d overfull, want any: %v", seed, windows, over, found)
		}
	}
}
