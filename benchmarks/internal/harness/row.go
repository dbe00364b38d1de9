package harness

import (
	"fmt"
	"math"
	"strconv"
)

// Op runs the work n times. Its keys and buffers are made in Setup, so that a
// peer never pays for their construction.
type Op func(n int)

// Contender is one implementation of a row's work. Exactly one of Setup and
// Value is set.
type Contender struct {
	Name string
	// Setup prepares the work; done, which may be nil, gives back what it holds.
	Setup func() (op Op, done func(), err error)
	// Value measures a figure directly, in the row's Unit.
	Value func() (float64, error)
}

// NoAllocLimit as Row.MaxAllocs leaves allocations unchecked.
const NoAllocLimit = -1

// Row is one line of the table.
type Row struct {
	Workload       string
	Unit           string // of the figures; "" means ns/op
	Ours           Contender
	Peers          []Contender // none: the target must be a Limit or a Report
	Target         Target
	HigherIsBetter bool    // of the figures, such as a hit ratio
	MaxAllocs      float64 // allocations of ours per operation; timed rows only
}

type targetKind uint8

const (
	report targetKind = iota
	atLeast
	atMost
	limit
)

// Target is what a row must reach.
type Target struct {
	kind  targetKind
	bound float64
}

// AtLeast asks ours to be at least x times as good as the best peer.
func AtLeast(x float64) Target { return Target{atLeast, x} }

// AtMost allows ours to cost x times the best peer, for costs that are stated
// against a reference such as another call of ours.
func AtMost(x float64) Target { return Target{atMost, x} }

// Limit bounds our own figure: at most x, or at least x where higher is better.
func Limit(x float64) Target { return Target{limit, x} }

// Report asks for nothing: the row is shown for honesty.
func Report() Target { return Target{} }

// text is the target as the table prints it.
func (t Target) text(higherIsBetter bool) string {
	x := strconv.FormatFloat(t.bound, 'g', 4, 64)
	switch {
	case t.kind == atLeast:
		return "≥ " + x + "×"
	case t.kind == atMost:
		return "≤ " + x + "×"
	case t.kind == limit && higherIsBetter:
		return "≥ " + x
	case t.kind == limit:
		return "≤ " + x
	default:
		return "–"
	}
}

// validate reports a row that could not have a verdict.
func (r Row) validate() error {
	for _, c := range append([]Contender{r.Ours}, r.Peers...) {
		if (c.Setup == nil) == (c.Value == nil) {
			return fmt.Errorf("row %q: contender %q needs exactly one of Setup and Value", r.Workload, c.Name)
		}
		if (c.Setup == nil) != (r.Ours.Setup == nil) {
			return fmt.Errorf("row %q: contender %q is not measured as ours is", r.Workload, c.Name)
		}
	}
	if len(r.Peers) == 0 && (r.Target.kind == atLeast || r.Target.kind == atMost) {
		return fmt.Errorf("row %q: a ratio needs a peer", r.Workload)
	}
	if r.Target.kind != report && (math.IsNaN(r.Target.bound) || r.Target.bound < 0) {
		return fmt.Errorf("row %q: bound of the target out of range", r.Workload)
	}
	return nil
}
