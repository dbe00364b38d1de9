package lru

import (
	"math"
	"math/rand/v2"
	"testing"
)

// replay reads keys, sets the missing ones and returns the share of hits.
func replay(c *Cache[uint64, uint64], n int, key func(i int) uint64) float64 {
	hits := 0
	for i := range n {
		k := key(i)
		if _, ok := c.Get(k); ok {
			hits++
		} else {
			c.Set(k, k)
		}
	}
	return float64(hits) / float64(n)
}

// burst brings each key three times, half of gap keys apart, and never again.
func burst(gap int) func(i int) uint64 {
	return func(i int) uint64 { return uint64(max(0, i/3-i%3*gap/2)) + 1<<40 }
}

func TestWindowFollowsTheStreamBothWays(t *testing.T) {
	const capacity = 1000
	c := mustNew(t, capacity, Options[uint64, uint64]{})
	p := c.shards[0].adaptive
	for round := range 2 {
		replay(c, 40*capacity, burst(capacity/2))
		if got := replay(c, 10*capacity, func(i int) uint64 { return burst(capacity / 2)(i + 40*capacity) }); got < 0.6 {
			t.Errorf("round %d: bursts that return within half a capacity hit %.2f, want nearly 2/3", round, got)
		}
		if p.tuner.share < 0.5 {
			t.Errorf("round %d: the window has a share of %.2f under bursts", round, p.tuner.share)
		}
		loop := func(i int) uint64 { return uint64(i%(2*capacity)) + uint64(round)<<50 }
		replay(c, 40*capacity, loop)
		if got := replay(c, 20*capacity, loop); got < 0.45 {
			t.Errorf("round %d: a loop of two capacities hits %.2f, want nearly 0.5", round, got)
		}
		if p.window.n > capacity/20 {
			t.Errorf("round %d: the window keeps %d of %d entries under a loop", round, p.window.n, capacity)
		}
		check(t, c)
	}
}

func TestFrequencyBeatsRecencyWherePopularityIsConstant(t *testing.T) {
	keys := zipfKeys(200_000, 1.01, 50_000)
	ratio := func(p Policy) float64 {
		return replay(mustNew(t, 1000, Options[uint64, uint64]{Policy: p}), len(keys), func(i int) uint64 { return keys[i] })
	}
	if adaptive, recent := ratio(Adaptive), ratio(LRU); adaptive < recent+0.05 {
		t.Errorf("Adaptive hits %.3f, LRU %.3f of a Zipf stream", adaptive, recent)
	}
}

func TestLongLoopIsNotLostToNewcomersThatLeadByOne(t *testing.T) {
	const capacity = 1000
	loop := func(i int) uint64 { return uint64(i % (10 * capacity)) }
	best := 0.0
	for range 3 { // one cache in thirty is still on its way there; a loss shows in all of them
		c := mustNew(t, capacity, Options[uint64, uint64]{})
		replay(c, 50*capacity, loop)
		best = max(best, replay(c, 100*capacity, loop))
	}
	if best < 0.05 {
		t.Errorf("a loop of ten capacities hits %.3f, want more than half of 0.1", best)
	}
}

func TestTunerMovesForMoreThanOneSighting(t *testing.T) {
	const n, misses = 1000, 250
	for sightings, want := range map[int]int{1: firstLevel, 9: windowLevels - 1} {
		tn := newTuner()
		tn.sample, tn.misses = 15, misses
		tn.gain[windowLevels-1] = sightings * int(tn.sample+1)
		if tn.decide(n); tn.level != want {
			t.Errorf("%d sightings by a sample of one in sixteen: level %d, want %d", sightings, tn.level, want)
		}
	}
}

func TestLargerMainWinsTheKeysThatComeMostOften(t *testing.T) {
	const n = 1000
	tn := tuner{weight: 3000}
	tn.missed[4] = 160 // by 100 keys, which come 4 times in 7500 misses, 1.6 times in 3000
	tn.missed[1] = 400 // by 1000 keys
	for room, want := range map[float64]float64{0: 0, 50: 80, 100: 160, 200: 200, 2000: 560} {
		if got := tn.beyond(room, n); math.Abs(got-want) > 1e-9 {
			t.Errorf("room for %.0f keys more avoids %.1f misses, want %.0f", room, got, want)
		}
	}
	tn.window = 3000 // hits count in the sketch too: it remembers half as many misses
	if got, want := tn.beyond(50, n), 160.0; math.Abs(got-want) > 1e-9 {
		t.Errorf("with as many hits as misses: %.1f, want %.0f", got, want)
	}
}

func TestHalvingHalvesEachCounter(t *testing.T) {
	var s sketch
	s.resize(64, 64)
	for i := range s.words {
		s.words[i] = 0x5555555555555555 & (1<<(perWord*sketchBits) - 1) // 5, 2, 5, 2 …
	}
	s.added = s.period - 1
	s.add(0, 1)
	for k := range sketchRows {
		for i := range 2 * perWord {
			w, shift := 2*k+i/perWord, i%perWord*sketchBits
			if got, want := s.words[w]>>shift&sketchMax, [2]uint64{2, 1}[i%perWord%2]; got != want && got != want+1 {
				t.Fatalf("counter %d of row %d is %d after a halving, want %d", i, k, got, want)
			}
		}
	}
}

func TestGhostsAreSampledEvenlyInEveryShard(t *testing.T) {
	const shards, keys = 64, 20_000
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for shard := range uint64(shards) {
		tn := newTuner()
		tn.fit(50_000)
		if tn.sample == 0 {
			t.Fatal("the test needs a sample")
		}
		n := 0
		for range keys {
			if slot, _ := tn.ghost(rng.Uint64()&^(shards-1) | shard); slot != nil {
				n++
			}
		}
		// Binomial with a mean above 200: half and double lie more than seven standard deviations away.
		if want := keys / int(tn.sample+1); n < want/2 || n > 2*want {
			t.Errorf("seed %d, shard %d: %d of %d keys have ghosts, want about %d", seed, shard, n, keys, want)
		}
	}
}

func TestSketchUsesAllCountersInEveryShard(t *testing.T) {
	const shards = 64
	for shard := range uint64(shards) {
		seen := [sketchRows]map[[2]int]bool{}
		for k := range seen {
			seen[k] = map[[2]int]bool{}
		}
		var s sketch
		s.resize(1000, 1000)
		rng := rand.New(rand.NewPCG(shard, 1))
		for range 2000 {
			_, rest := s.block(rng.Uint64()&^(shards-1) | shard)
			for k := range seen {
				w, shift := counter(rest, k)
				seen[k][[2]int{w, shift}] = true
			}
		}
		for k := range seen {
			if len(seen[k]) != 2*perWord {
				t.Errorf("shard %d: row %d uses %d of %d counters", shard, k, len(seen[k]), 2*perWord)
			}
		}
	}
}

func TestSketchNeverCountsLessAndForgets(t *testing.T) {
	var s sketch
	s.resize(1000, 1000)
	rng := rand.New(rand.NewPCG(rand.Uint64(), 1))
	hashes := make([]uint64, 500)
	for i := range hashes {
		hashes[i] = rng.Uint64()
		s.add(hashes[i], uint32(1+i%10))
	}
	over := 0
	for i, h := range hashes {
		got, want := s.estimate(h), min(1+i%10, sketchMax)
		if got < want {
			t.Errorf("estimate %d of a key counted %d times", got, want)
		}
		over += got - want
	}
	if over > len(hashes)/10 {
		t.Errorf("estimates are %d too high in all", over)
	}
	for range 4 * s.period {
		s.add(rng.Uint64(), 1)
	}
	high := 0
	for _, h := range hashes {
		if s.estimate(h) >= sketchMax-1 {
			high++
		}
	}
	if high > len(hashes)/20 {
		t.Errorf("%d of %d keys still look popular after four periods without a use", high, len(hashes))
	}
}
