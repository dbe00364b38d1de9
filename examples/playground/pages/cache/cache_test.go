package cache_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/examples/playground/page/pagetest"
	"github.com/sysblocks/sysblocks/examples/playground/pages/cache"
	"github.com/sysblocks/sysblocks/lru"
)

func ratios() []string { return []string{"adaptive", "lru", "lfu", "fifo", "sieve"} }

func TestNobodyIsAboveTheOptimum(t *testing.T) {
	p := &cache.Page{}
	for _, workload := range []string{"popular", "scan", "loop", "news"} {
		for _, capacity := range []string{"25", "100", "225", "300", "400"} {
			w := pagetest.New(t, p, 3, "workload="+workload+"&capacity="+capacity)
			best := w.Number("ratio-optimum")
			for _, name := range ratios() {
				if got := w.Number("ratio-" + name); got > best || w.Fact("ratio-"+name).Tone != page.Plain {
					t.Errorf("%s, %s entries: %s %v, optimum %v, %+v", workload, capacity, name, got, best, w.Fact("ratio-"+name))
				}
			}
		}
	}
}

// The exact policies have golden values. Those of Adaptive depend on random hashes and on its tuning, so it has a band.
func TestGoldenRatios(t *testing.T) {
	p := &cache.Page{}
	for _, c := range []struct {
		query                          string
		optimum, lru, lfu, fifo, sieve float64
		low, high                      float64 // of Adaptive
	}{
		{"workload=popular", 0.7352, 0.538, 0.6, 0.4884, 0.6068, 0.57, 0.70},
		{"workload=scan", 0.5546, 0.3652, 0.4528, 0.3308, 0.4686, 0.42, 0.52},
		{"workload=loop", 0.32, 0, 0, 0, 0, 0.15, 0.32},
		{"workload=news", 0.9, 0.8374, 0.467, 0.8218, 0.8392, 0.70, 0.90},
	} {
		w := pagetest.New(t, p, 1, c.query)
		for name, want := range map[string]float64{"optimum": c.optimum, "lru": c.lru, "lfu": c.lfu, "fifo": c.fifo, "sieve": c.sieve} {
			if got := w.Number("ratio-" + name); math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: %s is %v, want %v", c.query, name, got, want)
			}
		}
		if got := w.Number("ratio-adaptive"); got < c.low || got > c.high {
			t.Errorf("%s: Adaptive is %v, want %v to %v", c.query, got, c.low, c.high)
		}
	}
}

// A cache of n of the m keys of a loop can keep n of them and hits n/m of the time, the first round apart.
func TestLoopIsTheCliffOfLRU(t *testing.T) {
	p := &cache.Page{}
	for capacity, lru := range map[string]float64{"25": 0, "200": 0, "275": 0, "300": 0.94, "400": 0.94} {
		w := pagetest.New(t, p, 5, "workload=loop&capacity="+capacity)
		if got := w.Number("ratio-lru"); got != lru {
			t.Errorf("%s entries: ratio-lru is %v, want %v", capacity, got, lru)
		}
	}
	w := pagetest.New(t, p, 5, "workload=loop&capacity=150")
	if got := w.Number("ratio-optimum"); math.Abs(got-0.94/2) > 0.02 {
		t.Errorf("the optimum keeps half of the loop and hits %v", got)
	}
	if got := w.Number("ratio-adaptive"); got < 0.2 {
		t.Errorf("Adaptive hits %v", got)
	}
}

func TestScanFlushesLRUAndNotTheDefault(t *testing.T) {
	for seed := range uint64(5) {
		w := pagetest.New(t, &cache.Page{}, seed, "")
		if ours, lru := w.Number("ratio-adaptive"), w.Number("ratio-lru"); ours < lru+0.03 {
			t.Errorf("seed %d: Adaptive %v, LRU %v", seed, ours, lru)
		}
	}
}

func TestReplayMovesBy200(t *testing.T) {
	w := pagetest.New(t, &cache.Page{}, 1, "watch=lru")
	before, hits := w.Number("step"), w.Number("hits")
	w.Do("replay", "")
	if w.Number("step") != before+200 || w.Number("hits") == hits {
		t.Errorf("from %v with %v hits to %v with %v", before, hits, w.Number("step"), w.Number("hits"))
	}
	w.Do("back", "")
	if w.Number("step") != before || w.Number("hits") != hits {
		t.Errorf("and back at %v with %v hits, were %v and %v", w.Number("step"), w.Number("hits"), before, hits)
	}
	for range 15 {
		w.Do("replay", "")
	}
	if err := w.Refused("replay", ""); !errors.Is(err, page.ErrInvalid) || !strings.Contains(err.Error(), "5,000") {
		t.Error(err)
	}
	for range 24 {
		w.Do("back", "")
	}
	if err := w.Refused("back", ""); !errors.Is(err, page.ErrInvalid) || w.Number("step") != 200 {
		t.Errorf("%v at %v", err, w.Number("step"))
	}
}

// The hits of all windows are the hits of the stream, for every policy that is watched.
func TestWindowsAddUp(t *testing.T) {
	p := &cache.Page{}
	for _, name := range append(ratios(), "optimum") {
		w := pagetest.New(t, p, 2, "watch="+name+"&capacity=150")
		for range 9 {
			w.Do("back", "")
		}
		sum := w.Number("hits")
		for range 24 {
			w.Do("replay", "")
			sum += w.Number("hits")
		}
		if got := w.Number("ratio-" + name); math.Abs(sum/5000-got) > 1e-6 {
			t.Errorf("%s: %v hits in all windows, ratio %v", name, sum, got)
		}
	}
}

// forgetful has nothing, clairvoyant has everything.
type (
	forgetful   struct{}
	clairvoyant struct{}
)

func (forgetful) Get(int) (int, bool)   { return 0, false }
func (forgetful) Set(_, _ int) bool     { return false }
func (clairvoyant) Get(int) (int, bool) { return 0, true }
func (clairvoyant) Set(_, _ int) bool   { return true }

// The page follows the package: with a cache that forgets, nothing hits; one that hits more than it can is marked.
func TestWrongCacheShows(t *testing.T) {
	forgets := func(int, lru.Policy, func(int)) (cache.Cache, error) { return forgetful{}, nil }
	lies := func(int, lru.Policy, func(int)) (cache.Cache, error) { return clairvoyant{}, nil }
	w := pagetest.New(t, &cache.Page{Create: forgets}, 1, "")
	liar := pagetest.New(t, &cache.Page{Create: lies}, 1, "")
	for _, name := range ratios() {
		if got := w.Number("ratio-" + name); got != 0 {
			t.Errorf("%s hits %v of what it forgot", name, got)
		}
		if liar.Fact("ratio-"+name).Tone != page.Bad {
			t.Errorf("%s is above the optimum, and nothing is marked", name)
		}
	}
	broken := errors.New("broken")
	p := &cache.Page{Create: func(int, lru.Policy, func(int)) (cache.Cache, error) { return nil, broken }}
	if _, err := p.New(1, page.Settings{"workload": "loop", "capacity": "100", "watch": "lru"}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
