package pagination

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestWalkReturnsEachRowOnce is the model test: random rows, orders, places of
// NULL and limits, against a sort written by hand; over one slice, and over
// shards.
func TestWalkReturnsEachRowOnce(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		rows := randomItems(rnd, rnd.IntN(24))
		nulls := []Nulls{NullsLow, NullsHigh, NullsFirst, NullsLast}[rnd.IntN(4)]
		names := randomSort(rnd)
		order := itemOrder(t, "", nulls)
		parts := make([][]item, 1+rnd.IntN(5))
		for _, it := range rows {
			i := rnd.IntN(len(parts))
			parts[i] = append(parts[i], it)
		}
		var shards []Source[item]
		for _, part := range parts {
			shards = append(shards, NewSlice(part))
		}
		merged, err := NewMerge(shards, MergeOptions{Prefetch: rnd.IntN(4), Concurrency: rnd.IntN(3)})
		if err != nil {
			t.Fatal(err)
		}
		for what, source := range map[string]Source[item]{"slice": NewSlice(rows), "merge": merged} {
			p, err := New(source, order, Options[item]{Sort: []string{"a", "b", "c"}, ExactEnds: rnd.IntN(2) == 0})
			if err != nil {
				t.Fatal(err)
			}
			r := Request{Limit: 1 + rnd.IntN(7), Sort: strings.Join(names, ",")}
			want := sortItems(rows, names, nulls)
			t.Run(fmt.Sprintf("seed=%d/%s", seed, what), func(t *testing.T) { checkWalks(t, p, want, r) })
		}
	}
}

// TestPageSkipsByOffset compares offset and page number with a slice of the sorted rows.
func TestPageSkipsByOffset(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	rows := randomItems(rnd, 23)
	want := sortItems(rows, []string{"-a"}, NullsLast)
	half := len(rows) / 2
	merged, err := NewMerge([]Source[item]{NewSlice(rows[:half]), NewSlice(rows[half:])}, MergeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []Source[item]{NewSlice(rows), merged} {
		p, err := New(source, itemOrder(t, "-a", NullsLast), Options[item]{Limit: 5, ExactEnds: true})
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 6; n++ {
			page := mustPage(t, p, Request{Page: n})
			from := min((n-1)*5, len(want))
			to := min(from+5, len(want))
			if !slices.Equal(ids(page.Items), ids(want[from:to])) || page.Number != n || page.Offset != (n-1)*5 {
				t.Errorf("page %d: %v, number %d, offset %d", n, page.Items, page.Number, page.Offset)
			}
			if (page.Next != "") != (to < len(want)) || (page.Prev != "") != (n > 1) {
				t.Errorf("page %d: next %q, prev %q", n, page.Next, page.Prev)
			}
		}
		if page := mustPage(t, p, Request{Offset: 7, Limit: 3}); !slices.Equal(ids(page.Items), ids(want[7:10])) {
			t.Errorf("offset 7: %v", page.Items)
		}
	}
}

// store is a table in memory that others write to between pages.
type store struct {
	mu   sync.Mutex
	rows map[int64]item
}

func (s *store) Fetch(ctx context.Context, r Range[item]) ([]item, error) {
	s.mu.Lock()
	rows := make([]item, 0, len(s.rows))
	for _, it := range s.rows {
		rows = append(rows, it)
	}
	s.mu.Unlock()
	return NewSlice(rows).Fetch(ctx, r)
}

// TestWalkUnderWritesReturnsUntouchedRowsOnce inserts, deletes, moves and edits
// rows between the pages. Rows that keep their key are returned exactly once, in
// order, in both directions, also when the whole page behind a token is deleted.
func TestWalkUnderWritesReturnsUntouchedRowsOnce(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		s := &store{rows: map[int64]item{}}
		for _, it := range randomItems(rnd, 40) {
			s.rows[it.ID] = it
		}
		names := randomSort(rnd)
		order := itemOrder(t, strings.Join(names, ","), NullsLast)
		untouched := map[int64]bool{}
		for id := range s.rows {
			untouched[id] = true
		}
		p, err := New(s, order, Options[item]{})
		if err != nil {
			t.Fatal(err)
		}
		backward := rnd.IntN(2) == 0
		req := Request{Limit: 1 + rnd.IntN(6), Last: backward}
		seen := map[int64]int{}
		var previous *item
		for pages := 0; ; pages++ {
			page := mustPage(t, p, req)
			items := slices.Clone(page.Items)
			if backward {
				slices.Reverse(items)
			}
			for i := range items {
				seen[items[i].ID]++
				if previous != nil {
					if c := order.Compare(previous, &items[i]); c == 0 || (c > 0) != backward {
						t.Fatalf("seed %d: %v after %v", seed, items[i], *previous)
					}
				}
				previous = &items[i]
			}
			req = Request{Limit: req.Limit, Token: page.Next}
			if backward {
				req.Token = page.Prev
			}
			if req.Token == "" {
				break
			}
			if pages > 200 {
				t.Fatalf("seed %d: the walk does not end", seed)
			}
			for id := range s.rows {
				switch rnd.IntN(20) {
				case 0:
					delete(s.rows, id)
					untouched[id] = false
				case 1: // the row moves
					moved := randomItems(rnd, 1)[0]
					moved.ID = id
					s.rows[id] = moved
					untouched[id] = false
				}
			}
			if rnd.IntN(3) == 0 { // the boundary row itself, or its whole page
				for i := range page.Items {
					delete(s.rows, page.Items[i].ID)
				}
			}
			if pages < 20 {
				fresh := randomItems(rnd, 1)[0]
				fresh.ID = 1000 + int64(pages)
				s.rows[fresh.ID] = fresh
			}
		}
		for id, kept := range untouched {
			if kept && seen[id] != 1 {
				t.Fatalf("seed %d: row %d, which nobody touched, was returned %d times", seed, id, seen[id])
			}
		}
	}
}

// TestAllReturnsTheRest compares All with a slice, from several positions.
func TestAllReturnsTheRest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 1))
	rows := randomItems(rnd, 2500) // three batches
	want := sortItems(rows, []string{"-b", "+a"}, NullsFirst)
	p, err := New(NewSlice(rows), itemOrder(t, "-b,a", NullsFirst), Options[item]{})
	if err != nil {
		t.Fatal(err)
	}
	first := mustPage(t, p, Request{Limit: 100})
	for from, token := range map[int]string{0: "", 100: first.Next} {
		var got []item
		for it, err := range p.All(t.Context(), Request{Token: token}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, it)
		}
		if !slices.Equal(ids(got), ids(want[from:])) {
			t.Errorf("from %d: %d rows, want %d", from, len(got), len(want)-from)
		}
	}
	for _, err := range p.All(t.Context(), Request{}) {
		if err != nil {
			t.Fatal(err)
		}
		break // must not hang
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var failed error
	for _, err := range p.All(ctx, Request{}) {
		cancel()
		failed = err
	}
	if failed == nil {
		t.Error("All ended without an error though its context was cancelled half-way")
	}
	for _, err := range p.All(t.Context(), Request{Token: first.Last}) {
		if err == nil {
			t.Error("All accepted a token that reads backward")
		}
	}
}
