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
// and for a smaller window
//
//	what a smaller window would lose:  uses that entries had when they came to its end
//	what a larger main would win:      misses on the keys that the sketch has counted most often
//
// and goes where the balance is best. Nothing here happens on a hit: the uses are those that entries count anyway, read
// by a cursor that looks at one entry per miss.
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
	missed [sketchMax + 1]int // misses, by the estimate before
	window int                // uses that entries had when they came to the end of the window
	cursor uint32

	weight float64 // misses that the fading figures cover
	full   bool    // something had to leave
	moving bool    // the window does not have its share yet
}

const (
	windowLevels = 8
	firstLevel   = 4
	maxGhosts    = 2048

	// worthIt of the misses must be gained before the window moves.
	worthIt = 0.003
)

// windowShare is the share of the window at a level.
func windowShare(level int) float64 {
	return [windowLevels]float64{0.005, 0.03, 0.08, 0.2, 0.35, 0.5, 0.7, 0.9}[level]
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

// miss looks how long ago the window let the key go. n is the number of entries, estimate that of the sketch before.
func (t *tuner) miss(h uint64, estimate, n int) {
	t.misses++
	t.entered++
	t.missed[estimate]++
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
// After a move it waits until the window has its share, but for as many misses as there are entries at most: a stream
// may be over before a large window has filled.
func (t *tuner) due(n int) bool {
	if t.moving && t.misses >= max(n, 128) {
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

// beyond estimates the misses that a main of room more entries would have avoided: those on the keys that come most
// often, as many as there is room for. How many keys have the same estimate follows from how often one of them is missed
// while the figures grow: the estimate says how often it comes in the time that the sketch remembers.
func (t *tuner) beyond(room float64, n int) float64 {
	uses := t.window
	for _, u := range t.uses {
		uses += u
	}
	memory := sketchMemory * float64(agingFactor*n) * t.weight / (t.weight + float64(uses)) // in misses
	won := 0.0
	for estimate := sketchMax; estimate > 0 && room > 0; estimate-- {
		perKey := float64(estimate) * t.weight / memory
		avoided := min(float64(t.missed[estimate]), room*perKey)
		won += avoided
		room -= avoided / perKey
	}
	return won
}

// sketchMemory is how many of the uses between two halvings a counter stands for on average: half of them just after a
// halving, all of them just before the next.
const sketchMemory = 0.75

func (t *tuner) move(level int) {
	t.level, t.share, t.moving, t.misses = level, windowShare(level), true, 0
}

// arrived begins new figures, when something has to leave and the window has its share. Those of the way there are of
// no use: what is in main has come there without proof, or is about to leave it.
func (t *tuner) arrived() {
	t.full, t.moving, t.misses, t.weight = true, false, 0, 0
	t.gain, t.window = [windowLevels]int{}, 0
	t.seen, t.uses, t.missed = [sketchMax + 1]int{}, [sketchMax + 1]int{}, [sketchMax + 1]int{}
}

// decide compares the levels for n entries and moves to the best one. A larger window must be worth more than chance: what
// it would win is the count of a sample, so its balance is taken one standard deviation lower.
func (t *tuner) decide(n int) {
	defer func() { // figures fade, so that a decision rests on the last two periods
		t.misses = 0
		for i := range t.gain {
			t.gain[i] = t.gain[i] * 7 / 8
		}
		for i := range t.seen {
			t.seen[i] = t.seen[i] * 7 / 8
			t.uses[i] = t.uses[i] * 7 / 8
			t.missed[i] = t.missed[i] * 7 / 8
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
			lost := t.loss(d / (1 - t.share))
			net = won[level] - lost - math.Sqrt(won[level]*float64(t.sample+1)+lost)
		case d < 0:
			net = t.beyond(-d*float64(n), n) - float64(t.window)*-d/t.share
		}
		if net > best {
			best, at = net, level
		}
	}
	if at != t.level {
		t.move(at)
	}
}
