package harness

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"
)

// Budget says how long a row may take.
type Budget struct {
	Batch  time.Duration // one turn of one contender; 0: 20 ms
	Rounds int           // turns of each contender; 0: 11
}

// Result is one measured row.
type Result struct {
	Row    Row
	Ours   float64 // median figure
	Allocs float64 // ours, per operation; NaN where it was not measured
	Best   string  // name of the best peer; "" without peers
	Peer   float64 // its median figure
	Ratio  float64 // ours against the best peer, as the target states it; NaN without peers
	OK     bool    // the target is reached
}

// Run measures a row.
func Run(r Row, b Budget) (Result, error) {
	if err := r.validate(); err != nil {
		return Result{}, err
	}
	b.Batch = cmp.Or(b.Batch, 20*time.Millisecond)
	b.Rounds = cmp.Or(b.Rounds, 11)
	figures, allocs, err := r.measure(b)
	if err != nil {
		return Result{}, fmt.Errorf("row %q: %w", r.Workload, err)
	}
	return r.judge(figures, allocs), nil
}

// measure returns a list of figures per contender, ours first; figures with
// equal index come from the same round.
func (r Row) measure(b Budget) (figures [][]float64, allocs float64, err error) {
	all := append([]Contender{r.Ours}, r.Peers...)
	if r.Ours.Setup == nil {
		figures = make([][]float64, len(all))
		for i, c := range all {
			v, err := c.Value()
			if err != nil {
				return nil, 0, fmt.Errorf("%s: %w", c.Name, err)
			}
			figures[i] = []float64{v}
		}
		return figures, math.NaN(), nil
	}
	turns := make([]turn, len(all))
	for i, c := range all {
		op, done, err := c.Setup()
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", c.Name, err)
		}
		if done != nil {
			defer done()
		}
		turns[i] = turn{op: op}
	}
	runtime.GC()
	for i := range turns {
		turns[i].calibrate(b.Batch)
	}
	for round := range b.Rounds {
		for i := range turns {
			// The order rotates, so that nobody always runs on a cache that the same neighbour has filled.
			turns[(i+round)%len(turns)].run()
		}
	}
	for _, t := range turns {
		figures = append(figures, t.figures)
	}
	ours := turns[0]
	return figures, testing.AllocsPerRun(1, func() { ours.op(ours.n) }) / float64(ours.n), nil
}

// turn is a contender's batch size and its figures so far.
type turn struct {
	op      Op
	n       int
	figures []float64
}

// calibrate finds the number of operations that fill one batch; it is the warm-up as well.
func (t *turn) calibrate(batch time.Duration) {
	for t.n = 1; ; {
		start := time.Now()
		t.op(t.n)
		took := time.Since(start)
		if took >= batch/2 || t.n >= 1<<30 {
			return
		}
		// Aim a little short of the batch, and never grow more than hundredfold on one reading.
		grow := 0.8 * float64(batch) / float64(max(took, time.Nanosecond))
		t.n = int(float64(t.n)*min(max(grow, 1.2), 100)) + 1
	}
}

func (t *turn) run() {
	start := time.Now()
	t.op(t.n)
	t.figures = append(t.figures, float64(time.Since(start).Nanoseconds())/float64(t.n))
}

// judge turns figures into a verdict.
func (r Row) judge(figures [][]float64, allocs float64) Result {
	res := Result{Row: r, Ours: median(figures[0]), Allocs: allocs, Ratio: math.NaN(), Peer: math.NaN()}
	best := -1
	for i := range r.Peers {
		m := median(figures[i+1])
		if best < 0 || (r.HigherIsBetter && m > res.Peer) || (!r.HigherIsBetter && m < res.Peer) {
			best, res.Peer, res.Best = i, m, r.Peers[i].Name
		}
	}
	if best >= 0 {
		res.Ratio = median(r.ratios(figures[0], figures[best+1]))
	}
	switch r.Target.kind {
	case atLeast:
		res.OK = res.Ratio >= r.Target.bound
	case atMost:
		res.OK = res.Ratio <= r.Target.bound
	case limit:
		res.OK = res.Ours <= r.Target.bound
		if r.HigherIsBetter {
			res.OK = res.Ours >= r.Target.bound
		}
	case report:
		res.OK = true
	}
	if r.MaxAllocs >= 0 && res.tooManyAllocs() {
		res.OK = false
	}
	return res
}

// tooManyAllocs allows a hundredth for allocations of the runtime itself.
func (res Result) tooManyAllocs() bool {
	return !math.IsNaN(res.Allocs) && res.Allocs > res.Row.MaxAllocs+0.01
}

// ratios pairs the figures of the same round, in the direction that the target states.
func (r Row) ratios(ours, peer []float64) []float64 {
	out := make([]float64, len(ours))
	for i := range ours {
		out[i] = peer[i] / ours[i]
		if r.HigherIsBetter != (r.Target.kind == atMost) {
			out[i] = ours[i] / peer[i]
		}
	}
	return out
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
