package lru

import (
	"math"
	"math/bits"
)

// tuner decides which share of a shard the window gets, by marginal utility. Once per period, which is as many misses
// as the shard has entries, it compares for every other share
//
//	what a larger window would win:  misses on keys that the window let go so recently that it would still have them
//	what a smaller main would lose:  uses of the least used entries of main, as many as would have to go
//
// and for a smaller window the uses that it would lose with those that a larger main would win, and goes where the
// balance is best. Nothing here happens on a hit: the uses are those that entries count anyway, read by a cursor that
// looks at one entry per miss.
type tuner struct {
	share   float64
	level   int
	entered uint32 // insertions so far: the clock of the window

	ghosts []uint64 // keys that the window let go: fingerprint and clock, direct-mapped
	sample uint64   // of hash values, 1 in sample+1 has a ghost

	misses int
	gain   [windowLevels]int  // misses that a window of this level would have avoided, by the least such level
	seen   [sketchMax + 1]int // entries of main that the cursor saw, by the estimate of the sketch before
	uses   [sketchMax + 1]int // and their uses, taken by the cursor or a hand
	window int                // uses that entries had when they came to the end of the window
	cursor uint32

	weight float64 // misses that the fading figures cover
	full   bool    // something had to leave
	moving bool    // the window does not have its share yet
}

const (
	windowLevels = 8
	firstLevel   = 5
	maxGhosts    = 2048

	// worthIt of the misses must be gained before the window moves.
	worthIt = 0.003
	// nextBest is what the keys just outside of main are worth, compared with the least popular ones inside.
	nextBest = 0.8
	// edge is the part of main that tells how popular the keys just outside are.
	edge = 0.15
)

// windowShare is the share of the window at a level.
func windowShare(level int) float64 {
	return [windowLevels]float64{0.005, 0.03, 0.07, 0.15, 0.25, 0.4, 0.6, 0.8}[level]
}

func newTuner() tuner {
	return tuner{level: firstLevel, share: windowShare(firstLevel)}
}

// fit makes room for the ghosts of n entries.
func (t *tuner) fit(n int) {
	size := min(1<<bits.Len(uint(n)), maxGhosts)
	t.sample = 1<<bits.Len(uint(2*n/size)-1) - 1
	if size > len(t.ghosts) {
		t.ghosts = make([]uint64, size)
	}
}

func (t *tuner) ghost(h uint64) (slot *uint64, mark uint64) {
	m := h * 0xd6e8feb86659fd93
	if len(t.ghosts) == 0 || m>>52&t.sample != 0 {
		return nil, 0
	}
	return &t.ghosts[m>>40&uint64(len(t.ghosts)-1)], m &^ 0xffffffff
}

// refused notes a key that the window let go.
func (t *tuner) refused(h uint64, length int) {
	if slot, mark := t.ghost(h); slot != nil {
		*slot = mark | uint64(t.entered-uint32(length))
	}
}

// miss looks how long ago the window let the key go. n is the number of entries.
func (t *tuner) miss(h uint64, n int) {
	t.misses++
	t.entered++
	slot, mark := t.ghost(h)
	if slot == nil || *slot&^0xffffffff != mark || *slot == 0 {
		return
	}
	distance := float64(t.entered - uint32(*slot))
	*slot = 0
	for level := range windowLevels {
		if distance <= windowShare(level)*float64(n) {
			t.gain[level] += int(t.sample) + 1
			return
		}
	}
}

// saw notes an entry of main under the cursor.
func (t *tuner) saw(estimate int, uses uint32) {
	t.seen[estimate]++
	t.uses[estimate] += int(uses)
}

// due reports whether a period of n misses is over.
//
// After a move it waits until the window has its share, but for half as many misses as there are entries at most: a
// stream may be over before a large window has filled.
func (t *tuner) due(n int) bool {
	if t.moving && t.misses >= max(n/2, 128) {
		t.arrived()
	}
	return t.full && !t.moving && t.misses >= max(n/4, 128)
}

// loss estimates the uses, in the time that the figures cover, of the least popular share of main. Entries are
// ranked by what the sketch knew before, not by the uses themselves: those that happened to have none are not those
// that will have none.
func (t *tuner) loss(share float64) float64 {
	seen := 0
	for _, n := range t.seen {
		seen += n
	}
	lost := 0.0
	rest := share * float64(seen)
	for i, n := range t.seen {
		if n > 0 {
			lost += min(rest/float64(n), 1) * float64(t.uses[i])
			rest = max(0, rest-float64(n))
		}
	}
	return lost
}

func (t *tuner) move(level int) {
	t.level, t.share, t.moving, t.misses = level, windowShare(level), true, 0
}

// arrived begins new figures, when something has to leave and the window has its share. Those of the way there are of
// no use: what is in main has come there without proof, or is about to leave it.
func (t *tuner) arrived() {
	t.full, t.moving, t.misses, t.weight = true, false, 0, 0
	t.gain, t.window = [windowLevels]int{}, 0
	t.seen, t.uses = [sketchMax + 1]int{}, [sketchMax + 1]int{}
}

// decide compares the levels and moves to the best one.
func (t *tuner) decide() {
	defer func() { // figures fade, so that a decision rests on the last two periods
		t.misses = 0
		for i := range t.gain {
			t.gain[i] = t.gain[i] * 7 / 8
		}
		for i := range t.seen {
			t.seen[i] = t.seen[i] * 7 / 8
			t.uses[i] = t.uses[i] * 7 / 8
		}
		t.window = t.window * 7 / 8
	}()
	t.weight += float64(t.misses) - t.weight/8
	total := 0.0
	won := [windowLevels]float64{}
	for i, n := range t.gain {
		total += float64(n)
		won[i] = total
	}
	best, at := worthIt*t.weight, t.level
	for level := range windowLevels {
		d := windowShare(level) - t.share
		net := 0.0
		switch {
		case d > 0:
			net = won[level] - t.loss(d/(1-t.share))
		case d < 0:
			// Popularity falls as 1/rank beyond the edge of main (Zipf), so the gain grows as a logarithm.
			net = nextBest*t.loss(edge)/edge*math.Log1p(-d/(1-t.share)) - float64(t.window)*-d/t.share
		}
		if net > best {
			best, at = net, level
		}
	}
	if at != t.level {
		t.move(at)
	}
}
