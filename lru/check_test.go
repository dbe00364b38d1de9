package lru

import (
	"errors"
	"strings"
	"testing"
)

// check verifies what must hold whenever no operation is under way.
func check[K comparable, V any](tb testing.TB, c *Cache[K, V]) {
	tb.Helper()
	used, refs := 0, map[string]int{}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		inOrder := map[*entry[K, V]]bool{}
		s.order(func(e *entry[K, V]) bool {
			if inOrder[e] {
				tb.Errorf("an entry stands twice in the order")
			}
			inOrder[e] = true
			return true
		})
		tab, n, weight := s.table.Load(), 0, 0
		tab.each(0, len(tab.buckets), func(e *entry[K, V]) {
			n++
			weight += c.weightOf(e)
			if !inOrder[e] {
				tb.Errorf("entry %v is in the table but not in the order", e.key)
			}
			if i, _ := tab.locate(c.place(e), e); i < 0 {
				tb.Errorf("entry %v is not where its hash says", e.key)
			}
			if e.ref.Load()&refGone != 0 {
				tb.Errorf("entry %v is in the table and gone", e.key)
			}
			if c.tags != nil {
				for _, r := range e.full().tags {
					refs[r.name]++
				}
			}
		})
		if n != len(inOrder) || n != tab.count || int64(n) != s.len.Load() {
			tb.Errorf("table has %d entries and counts %d, order %d, len %d", n, tab.count, len(inOrder), s.len.Load())
		}
		if int64(weight) != s.weight.Load() {
			tb.Errorf("entries weigh %d, shard counts %d", weight, s.weight.Load())
		}
		if p := s.adaptive; p != nil {
			checkAdaptive(tb, c, p)
		}
		checkWheel(tb, c, s)
		used += weight
		s.mu.Unlock()
	}
	if int64(used) != c.used.Load() {
		tb.Errorf("entries weigh %d, budget says %d", used, c.used.Load())
	}
	if c.tags != nil {
		for name, n := range c.tags.counts() {
			if refs[name] != n {
				tb.Errorf("tag %s counts %d entries, there are %d", name, n, refs[name])
			}
		}
	}
}

func checkAdaptive[K comparable, V any](tb testing.TB, c *Cache[K, V], p *adaptive[K, V]) {
	tb.Helper()
	taken := 1 // index 0 is not used
	for i := p.free; i != 0; i = p.nodes[i].next {
		taken++
	}
	for _, q := range []*queue{&p.window, &p.main, &p.safe} {
		n, weight := 0, 0
		for i := q.front; i != 0; i = p.nodes[i].next {
			taken++
			if (p.nodes[i].next == 0) != (i == q.back) {
				tb.Errorf("a queue ends at %d, not at its back %d", i, q.back)
			}
		}
		p.each(q, func(e *entry[K, V]) bool {
			n++
			weight += c.weightOf(e)
			if p.queueOf(e) != q {
				tb.Errorf("entry %v is in the wrong queue", e.key)
			}
			return true
		})
		if q.n > 0 && p.nodes[q.front].e == nil {
			tb.Errorf("a queue of %d begins with a hole", q.n)
		}
		if n != q.n || weight != q.weight {
			tb.Errorf("queue of %d entries with weight %d counts %d and %d", n, weight, q.n, q.weight)
		}
	}
	if n := max(len(p.nodes), 1); taken != n {
		tb.Errorf("%d places, %d in queues or free", n, taken)
	}
}

// checkWheel looks for deadlines that no slot is responsible for, or one that comes too late.
func checkWheel[K comparable, V any](tb testing.TB, c *Cache[K, V], s *shard[K, V]) {
	tb.Helper()
	s.order(func(e *entry[K, V]) bool {
		at := c.reclaimAt(e)
		if at == never {
			return true
		}
		if filed := s.wheel.filed(e); filed > at+1<<wheelShift {
			tb.Errorf("entry %v is due at %d and looked at no sooner than %d", e.key, at, filed)
		}
		return true
	})
	if s.wheel != nil {
		if next := s.wheel.next(); next != never && c.timer.at.Load() > next {
			tb.Errorf("the wheel wants to turn at %d, the timer is set to %d", next, c.timer.at.Load())
		}
	}
}

func checkInvalid(t *testing.T, field string, f func() error) {
	t.Helper()
	if err := f(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), field) {
		t.Errorf("%s: got %v", field, err)
	}
}
