package pagination

import "context"

// Gap is a position between rows. The zero Gap is the open end.
type Gap struct {
	// Key holds the values of the order's leading keys. Fewer than the order has
	// denote the whole group of rows that begin with them.
	Key []Value
	// After puts the gap just after those rows, else it is just before them.
	After bool
	// Shard is set by NewMerge only, and only where rows of several shards are
	// equal: the number, from one, of the shard that holds the row of the gap.
	Shard int
}

// IsOpen reports whether g is the open end.
func (g Gap) IsOpen() bool { return len(g.Key) == 0 }

// at returns the gap on the given side of the row that g stands beside.
func (g Gap) at(after bool) Gap {
	g.After = after && !g.IsOpen()
	return g
}

// Range asks for at most Limit rows between Start and End that satisfy all
// Filters, nearest to Start, or to End if Backward; Offset rows are skipped first.
type Range[T any] struct {
	Order      *Order[T]
	Filters    []Filter
	Start, End Gap
	Limit      int
	Offset     int
	Backward   bool
}

// Source returns the rows of a range, always in forward order, also when
// Backward chose them. It must be safe for concurrent use.
type Source[T any] interface {
	Fetch(ctx context.Context, r Range[T]) ([]T, error)
}

// SourceFunc makes a function a [Source].
type SourceFunc[T any] func(ctx context.Context, r Range[T]) ([]T, error)

// Fetch calls f.
func (f SourceFunc[T]) Fetch(ctx context.Context, r Range[T]) ([]T, error) { return f(ctx, r) }

// Counter is a [Source] that can also count the rows of a range. It ignores
// Limit, Offset and Backward. CountCapped counts no further than limit+1.
type Counter[T any] interface {
	Count(ctx context.Context, r Range[T], mode CountMode, limit int64) (Count, error)
}

// CountMode says how pages are counted.
type CountMode uint8

// The modes. An exact count reads every row that matches; a capped one stops;
// an estimate asks the planner.
const (
	CountNone CountMode = iota
	CountExact
	CountCapped
	CountEstimated
)

// Count is a number of rows: exact, at least N, or, if neither is set, an estimate.
type Count struct {
	N              int64
	Exact, AtLeast bool
}

// capped turns a count that stopped at limit+1 into a Count.
func capped(n, limit int64) Count {
	if n > limit {
		return Count{N: limit, AtLeast: true}
	}
	return Count{N: n, Exact: true}
}
