package hashring

import (
	"fmt"
	"iter"
	"math"
	"slices"
)

// Change is what one update did. Both versions stay usable, for dual reads while data moves. Nil counts as empty.
type Change[T any] struct{ Old, New *Snapshot[T] }

// Moves yields what moved when every key lives on the first n nodes of its preference order: disjoint
// ascending ranges, exactly where the ordered list of IDs differs, merged where both lists are equal.
// It is the streaming plan of a join, a leave or a replacement.
func (c Change[T]) Moves(n int) iter.Seq[Move[T]] { return moves(c.Old, c.New, n) }

// Diff compares any two snapshots, also of rings with other VNodes or LoadFactor, so that a re-tuning can be
// previewed. Both must map keys to tokens alike, HashTags, Seed and Hash, or it is ErrIncomparable; functions
// cannot be compared, so two probe strings are.
func Diff[T any](before, after *Snapshot[T], n int) (iter.Seq[Move[T]], error) {
	if before != nil && after != nil {
		if err := before.comparableTo(&after.config); err != nil {
			return nil, err
		}
	}
	return moves(before, after, n), nil
}

// comparableTo says whether two configurations map keys to tokens alike.
func (c *config) comparableTo(d *config) error {
	if c.tags != d.tags {
		return fmt.Errorf("%w: HashTags differ", ErrIncomparable)
	}
	if c.pos("") != d.pos("") || c.pos(probe) != d.pos(probe) {
		return fmt.Errorf("%w: Seed or Hash differ", ErrIncomparable)
	}
	return nil
}

// Move says that the ordered replica list of Range changed from Old to New. Old is empty where nobody owned
// the range, New where nobody owns it now.
type Move[T any] struct {
	Range    Range
	Old, New []Node[T]
}

// Gained returns the nodes in New and not in Old: they must receive the data.
func (m Move[T]) Gained() []Node[T] { return without(m.New, m.Old) }

// Lost returns the nodes in Old and not in New: they may drop the data.
func (m Move[T]) Lost() []Node[T] { return without(m.Old, m.New) }

// without returns the nodes of a whose IDs are not in b.
func without[T any](a, b []Node[T]) []Node[T] {
	var rest []Node[T]
	for _, n := range a {
		if !slices.ContainsFunc(b, func(m Node[T]) bool { return m.ID == n.ID }) {
			rest = append(rest, n)
		}
	}
	return rest
}

// moves merges the boundaries of both versions and compares the lists between them.
func moves[T any](before, after *Snapshot[T], n int) iter.Seq[Move[T]] {
	if before == nil {
		before = new(Snapshot[T])
	}
	if after == nil {
		after = new(Snapshot[T])
	}
	return func(yield func(Move[T]) bool) {
		if n <= 0 || before == after || len(before.nodes)+len(after.nodes) == 0 {
			return
		}
		m := mover[T]{before: before, after: after, renumber: numbers(before, after), yield: yield}
		m.run(newSweep(before, n), newSweep(after, n))
	}
}

// numbers gives for each node of before its number in after, or gone.
func numbers[T any](before, after *Snapshot[T]) []uint32 {
	renumber := make([]uint32, len(before.nodes))
	for i := range before.nodes {
		renumber[i] = gone
		if j, ok := after.number(before.nodes[i].ID); ok {
			renumber[i] = uint32(j)
		}
	}
	return renumber
}

// mover holds back one move, so that neighbours with equal lists are merged.
type mover[T any] struct {
	before, after *Snapshot[T]
	renumber      []uint32
	yield         func(Move[T]) bool
	held          Range
	holding       bool
	was, now      []uint32 // the lists of the held move
}

func (m *mover[T]) run(a, b sweep) {
	first := uint64(0)
	for {
		last := min(a.last(), b.last())
		if was, now := a.list(), b.list(); m.differ(was, now) {
			if !m.hold(Range{first, last}, was, now) {
				return
			}
		}
		if last == math.MaxUint64 {
			break
		}
		a.skip(last)
		b.skip(last)
		first = last + 1
	}
	m.flush()
}

// differ compares the IDs of an old list with those of a new one.
func (m *mover[T]) differ(was, now []uint32) bool {
	if len(was) != len(now) {
		return true
	}
	for i, o := range was {
		if m.renumber[o] != now[i] {
			return true
		}
	}
	return false
}

func (m *mover[T]) hold(r Range, was, now []uint32) bool {
	if m.holding && m.held.Last+1 == r.First && slices.Equal(m.was, was) && slices.Equal(m.now, now) {
		m.held.Last = r.Last
		return true
	}
	if !m.flush() {
		return false
	}
	m.held, m.holding = r, true
	m.was, m.now = append(m.was[:0], was...), append(m.now[:0], now...)
	return true
}

func (m *mover[T]) flush() bool {
	if !m.holding {
		return true
	}
	m.holding = false
	return m.yield(Move[T]{Range: m.held, Old: m.before.resolve(m.was), New: m.after.resolve(m.now)})
}
