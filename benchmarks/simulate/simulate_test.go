package simulate

import (
	"math"
	"os"
	"testing"
)

// policy finds one of Policies.
func policy(t *testing.T, name string) Policy {
	t.Helper()
	for _, p := range Policies() {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no policy %s", name)
	return Policy{}
}

func TestOptimumOfATextbookSequence(t *testing.T) {
	// Belady's own kind of example: three places, 2 3 2 1 5 2 4 5 3 2 5 2. Seven hits: 2, 3 and
	// 5 stay, 1 and 4 pass by.
	got := optimal([]uint64{2, 3, 2, 1, 5, 2, 4, 5, 3, 2, 5, 2}, 3)
	if want := 100 * 7.0 / 12; math.Abs(got-want) > 1e-9 {
		t.Errorf("hit ratio %.2f, want %.2f", got, want)
	}
}

func TestRecordedTracesGiveTheKnownAnswers(t *testing.T) {
	dir := os.Getenv("TRACES")
	if dir == "" {
		t.Skip("TRACES is not set")
	}
	for _, k := range []struct {
		policy, trace string
		capacity      int
		want          float64
	}{
		{"LRU", "oltp", 1000, 32.83},
		{"LRU", "oltp", 4000, 50.96},
		{"LRU", "loop", 500, 0},
		{"LRU", "sprite", 500, 78.30},
		{"LRU", "web12", 1000, 64.73},
		{"LRU", "orm-busy", 1000, 78.78},
		{"SIEVE", "oltp", 1000, 32.56},
		{"golang-lru", "oltp", 1000, 32.83},
	} {
		keys, err := Load(dir, k.trace)
		if err != nil {
			t.Error(err)
			continue
		}
		got := HitRatio(policy(t, k.policy), Trace{Name: k.trace, Keys: keys}, k.capacity)
		if math.Abs(got-k.want) > 0.006 {
			t.Errorf("%s on %s:%d: %.2f, want %.2f", k.policy, k.trace, k.capacity, got, k.want)
		}
	}
}

func TestAdaptiveDoesNotCollapse(t *testing.T) {
	adaptive, lru := policy(t, "Adaptive"), policy(t, "LRU")
	mean, base, n := 0.0, 0.0, 0
	for _, trace := range Synthetic(200_000) {
		if trace.Weights != nil {
			continue
		}
		for _, capacity := range trace.Capacities {
			got, want := HitRatio(adaptive, trace, capacity), HitRatio(lru, trace, capacity)
			if got < want-5 { // these streams are short: a fifth of the published ones
				t.Errorf("%s:%d: %.2f, LRU %.2f", trace.Name, capacity, got, want)
			}
			mean, base, n = mean+got, base+want, n+1
		}
	}
	if (mean-base)/float64(n) < 4 {
		t.Errorf("mean %.2f, LRU %.2f", mean/float64(n), base/float64(n))
	}
}
