package workload

import (
	"slices"
	"time"
)

// Span is when something was under way, such as a request that was admitted: it was decided somewhere in between.
type Span struct{ From, To time.Time }

// Windows looks at every window of time that begins with one span and ends with one. Spans that lie in it as a whole were decided
// in it. It returns the number of windows, and of those that hold more spans than most allows for their length.
func Windows(spans []Span, most func(length time.Duration) float64) (windows, over int) {
	byEnd := slices.SortedFunc(slices.Values(spans), func(a, b Span) int { return a.To.Compare(b.To) })
	for _, first := range spans {
		inside := 0
		for _, last := range byEnd {
			if last.From.Before(first.From) {
				continue // began before the window
			}
			inside++
			windows++
			if float64(inside) > most(last.To.Sub(first.From)) {
				over++
			}
		}
	}
	return windows, over
}
