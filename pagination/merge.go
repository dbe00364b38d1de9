package pagination

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
)

// MergeOptions tune [NewMerge].
type MergeOptions struct {
	// Prefetch is how many rows each shard is asked for first. The default is what
	// a shard contributes to a page if rows are spread evenly, m = limit/shards,
	// and two standard deviations more: m + 2·√m.
	Prefetch int
	// Concurrency is how many shards are queried at once; default all.
	Concurrency int
}

// NewMerge returns a source that merges shards into one order. It can count if
// all shards can. A page's token has constant size, whatever the number of
// shards: every shard seeks to the same gap. Where rows of two shards are equal
// in the whole order, the lower shard comes first, and the token names the shard;
// such tokens need the shards to keep their numbers, so add new ones at the end.
//
// An error of one shard fails the page and cancels the others. Shards must ascend
// under [Order.Compare], else ErrOrder: set Key.Compare to follow a collation.
func NewMerge[T any](shards []Source[T], o MergeOptions) (Source[T], error) {
	switch {
	case len(shards) == 0:
		return nil, fmt.Errorf("%w: NewMerge needs at least one shard", ErrInvalid)
	case o.Prefetch < 0:
		return nil, fmt.Errorf("%w: MergeOptions.Prefetch is %d, want at least 0", ErrInvalid, o.Prefetch)
	case o.Concurrency < 0:
		return nil, fmt.Errorf("%w: MergeOptions.Concurrency is %d, want at least 0", ErrInvalid, o.Concurrency)
	}
	m := &merge[T]{shards: slices.Clone(shards), opt: o}
	counters := make([]Counter[T], len(shards))
	countable := true
	for i, s := range shards {
		if s == nil {
			return nil, fmt.Errorf("%w: shard %d is nil", ErrInvalid, i)
		}
		var ok bool
		counters[i], ok = s.(Counter[T])
		countable = countable && ok
	}
	if countable {
		return &countingMerge[T]{m, counters}, nil
	}
	return m, nil
}

type merge[T any] struct {
	shards []Source[T]
	opt    MergeOptions
}

// Fetch implements Source.
func (m *merge[T]) Fetch(ctx context.Context, r Range[T]) ([]T, error) {
	b, err := m.fetchSharded(ctx, r)
	return b.rows, err
}

// fetchSharded merges until Offset+Limit rows are there.
func (m *merge[T]) fetchSharded(ctx context.Context, r Range[T]) (batch[T], error) {
	run, err := m.start(ctx, r)
	if err != nil {
		return batch[T]{}, err
	}
	want := r.Limit + r.Offset
	b := batch[T]{rows: make([]T, 0, min(want, run.buffered())), shards: make([]int, 0, min(want, run.buffered()))}
	last := -1 // the shard of the row before
	for len(b.rows) < want {
		j := run.tree[0]
		if run.tributaries[j].exhausted() {
			break
		}
		tie := last >= 0 && run.equalsLast(j)
		b.rows = append(b.rows, *run.tributaries[j].head())
		b.shards = append(b.shards, boolInt(tie)*(j+1))
		if n := len(b.rows); tie {
			b.shards[n-2] = last + 1
		}
		last = j
		run.keepLast(j, &b.rows[len(b.rows)-1])
		if err := run.next(ctx, j, want-len(b.rows)); err != nil {
			return batch[T]{}, err
		}
	}
	if n := len(b.rows); n > 0 {
		if j := run.tree[0]; run.tributaries[j].ready() && run.equalsLast(j) {
			b.shards[n-1] = last + 1
		}
		run.edge(&b, 0)
		run.edge(&b, n-1)
	}
	b = b.slice(min(r.Offset, len(b.rows)), len(b.rows))
	if r.Backward {
		slices.Reverse(b.rows)
		slices.Reverse(b.shards)
	}
	return b, nil
}

// tributary is what has been read of one shard, in reading order.
type tributary[T any] struct {
	rows  []T
	read  []T    // last, those of rows among them
	ranks []rank // of rows, one per term: a row's keys are looked up once
	buf   []rank
	size  int  // of the next read
	end   bool // the shard has no more rows
	rng   Range[T]
}

func (t *tributary[T]) head() *T        { return &t.rows[0] }
func (t *tributary[T]) ready() bool     { return len(t.rows) > 0 }
func (t *tributary[T]) exhausted() bool { return len(t.rows) == 0 && t.end }

// confluence is one merge: a loser tree over the tributaries. tree[0] is the
// winner, the other nodes hold the loser of their match.
type confluence[T any] struct {
	m           *merge[T]
	r           Range[T]
	terms       int
	tributaries []tributary[T]
	tree        []int
	lastRanks   []rank
	lastRow     *T
	lastOwner   int
	firstOwner  int
}

// start reads the first rows of all shards at once.
func (m *merge[T]) start(ctx context.Context, r Range[T]) (*confluence[T], error) {
	k := len(m.shards)
	want := r.Limit + r.Offset
	size := m.opt.Prefetch
	if size == 0 {
		mean := float64(want) / float64(k)
		size = int(mean + 2*math.Sqrt(mean))
	}
	size = max(1, min(size, want))
	run := &confluence[T]{
		m: m, r: r, terms: len(r.Order.terms), tributaries: make([]tributary[T], k), tree: make([]int, k),
		lastOwner: -1, firstOwner: -1,
	}
	room := size * run.terms
	ranks := make([]rank, k*room+run.terms)
	run.lastRanks = ranks[k*room:]
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := m.opt.Concurrency
	if limit == 0 || limit > k {
		limit = k
	}
	slots := make(chan struct{}, limit)
	var group sync.WaitGroup
	var failed sync.Once
	var first error
	for j := range run.tributaries {
		t := &run.tributaries[j]
		t.buf = ranks[j*room : j*room : (j+1)*room]
		t.size = size
		t.rng = r
		t.rng.Offset = 0
		t.rng.Start, t.rng.End = onShard(r.Start, j+1), onShard(r.End, j+1)
		if limit == 1 { // no goroutine to wait for
			if err := run.refill(ctx, j); err != nil {
				return nil, err
			}
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if err := run.refill(ctx, j); err != nil {
				failed.Do(func() { first = err; cancel(err) })
			}
		})
	}
	group.Wait()
	if first != nil {
		return nil, first
	}
	run.build()
	return run, nil
}

// onShard is the gap as shard number n sees it: shards before that of the gap's
// row continue after the key, later ones before it.
func onShard(g Gap, n int) Gap {
	if g.Shard != 0 {
		g.After = n < g.Shard || n == g.Shard && g.After
		g.Shard = 0
	}
	return g
}

// refill reads more rows of shard j, beyond those read before, and checks their order.
func (run *confluence[T]) refill(ctx context.Context, j int) error {
	t := &run.tributaries[j]
	if err := run.move(t); err != nil {
		return fmt.Errorf("pagination: shard %d: %w", j, err)
	}
	t.rng.Limit = t.size
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	rows, err := run.m.shards[j].Fetch(ctx, t.rng)
	if err != nil {
		return fmt.Errorf("pagination: shard %d: %w", j, err)
	}
	o := run.r.Order
	t.end = len(rows) < t.size
	if n := len(rows); n > 0 {
		if !t.rng.Start.IsOpen() && o.compareGap(&rows[0], t.rng.Start) < 0 ||
			!t.rng.End.IsOpen() && o.compareGap(&rows[n-1], t.rng.End) > 0 {
			return fmt.Errorf("%w: shard %d returned a row outside its range", ErrOrder, j)
		}
	}
	if run.r.Backward {
		rows = slices.Clone(rows) // the shard may have handed out its own
		slices.Reverse(rows)
	}
	t.rows, t.read = rows, rows
	t.ranks = t.buf[:0]
	for i := range rows {
		t.ranks = o.ranks(t.ranks, &rows[i])
		if i == 0 {
			continue
		}
		at := i * run.terms
		c := o.compareRanked(&rows[i-1], &rows[i], t.ranks[at-run.terms:at], t.ranks[at:])
		if c == 0 || (c > 0) != run.r.Backward {
			return fmt.Errorf("%w: shard %d does not ascend in %s", ErrOrder, j, o)
		}
	}
	t.buf = t.ranks
	return nil
}

// move puts the range of a shard beyond the rows that were read of it.
func (run *confluence[T]) move(t *tributary[T]) (err error) {
	n := len(t.read)
	switch {
	case n == 0:
	case run.r.Backward:
		t.rng.End, err = run.r.Order.Before(&t.read[n-1])
	default:
		t.rng.Start, err = run.r.Order.After(&t.read[n-1])
	}
	return err
}

// less reports whether the head of shard a is read before that of shard b.
func (run *confluence[T]) less(a, b int) bool {
	ta, tb := &run.tributaries[a], &run.tributaries[b]
	if !ta.ready() || !tb.ready() {
		return ta.ready()
	}
	c := run.r.Order.compareRanked(ta.head(), tb.head(), ta.ranks[:run.terms], tb.ranks[:run.terms])
	if c == 0 {
		c = a - b
	}
	return (c < 0) != run.r.Backward
}

// build plays the tournament once.
func (run *confluence[T]) build() {
	k := len(run.tributaries)
	winners := make([]int, 2*k)
	for j := range k {
		winners[k+j] = j
	}
	for i := k - 1; i >= 1; i-- {
		a, b := winners[2*i], winners[2*i+1]
		if run.less(b, a) {
			a, b = b, a
		}
		winners[i], run.tree[i] = a, b
	}
	if k == 1 {
		winners[1] = 0
	}
	run.tree[0] = winners[1]
}

// next takes the head off shard j, reads more of it if it must and still is
// needed, and replays j's matches.
func (run *confluence[T]) next(ctx context.Context, j, needed int) error {
	t := &run.tributaries[j]
	t.rows, t.ranks = t.rows[1:], t.ranks[run.terms:]
	if !t.ready() && !t.end && needed > 0 {
		size := t.size
		t.size = min(size, needed)
		if err := run.refill(ctx, j); err != nil {
			return err
		}
		t.size = size * 2 // a shard that gives so much is asked for more
	}
	winner := j
	for i := (len(run.tree) + j) / 2; i >= 1; i /= 2 {
		if run.less(run.tree[i], winner) {
			run.tree[i], winner = winner, run.tree[i]
		}
	}
	run.tree[0] = winner
	return nil
}

// keepLast remembers the row that was taken from shard j, which is at row.
func (run *confluence[T]) keepLast(j int, row *T) {
	copy(run.lastRanks, run.tributaries[j].ranks[:run.terms])
	run.lastRow, run.lastOwner = row, j
	if run.firstOwner < 0 {
		run.firstOwner = j
	}
}

// equalsLast reports whether the head of shard j equals the row taken last.
func (run *confluence[T]) equalsLast(j int) bool {
	t := &run.tributaries[j]
	return run.r.Order.compareRanked(run.lastRow, t.head(), run.lastRanks, t.ranks[:run.terms]) == 0
}

// edge names the shard of the first or last row if the gap beside it names one
// and has the same key: an equal row of another shard lies just beyond.
func (run *confluence[T]) edge(b *batch[T], i int) {
	owner := run.lastOwner
	if i == 0 {
		owner = run.firstOwner
	}
	for _, g := range [2]*Gap{&run.r.Start, &run.r.End} {
		if g.Shard != 0 && run.r.Order.sameKey(&b.rows[i], *g) {
			b.shards[i] = owner + 1
		}
	}
}

func (run *confluence[T]) buffered() (n int) {
	for j := range run.tributaries {
		n += len(run.tributaries[j].rows)
	}
	return n
}

// countingMerge adds up the counts of its shards.
type countingMerge[T any] struct {
	*merge[T]
	counters []Counter[T]
}

// Count implements Counter.
func (m *countingMerge[T]) Count(ctx context.Context, r Range[T], mode CountMode, limit int64) (Count, error) {
	sum := Count{Exact: true}
	for j, s := range m.counters {
		part := r
		part.Start, part.End = onShard(r.Start, j+1), onShard(r.End, j+1)
		c, err := s.Count(ctx, part, mode, limit)
		if err != nil {
			return Count{}, fmt.Errorf("pagination: shard %d: %w", j, err)
		}
		sum.N += c.N
		sum.Exact = sum.Exact && c.Exact
		sum.AtLeast = sum.AtLeast || c.AtLeast
	}
	if mode == CountCapped && sum.N > limit {
		return Count{N: limit, AtLeast: true}, nil
	}
	return sum, nil
}
