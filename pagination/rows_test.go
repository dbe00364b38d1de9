package pagination

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// item is a row with few distinct keys, so that ties and NULLs are everywhere.
type item struct {
	ID   int64
	A, B *int64
	C    string
}

func (it item) String() string {
	show := func(p *int64) string {
		if p == nil {
			return "∅"
		}
		return strconv.FormatInt(*p, 10)
	}
	return fmt.Sprintf("%d(%s,%s,%s)", it.ID, show(it.A), show(it.B), it.C)
}

func itemKeys(nulls Nulls) []Key[item] {
	return []Key[item]{
		ID("t.id", func(it *item) int64 { return it.ID }),
		ByNull("t.a", nulls, func(it *item) *int64 { return it.A }),
		ByNull(`t."b"`, nulls, func(it *item) *int64 { return it.B }),
		By("c", func(it *item) string { return it.C }),
	}
}

func itemOrder(tb testing.TB, sort string, nulls Nulls) *Order[item] {
	tb.Helper()
	o, err := NewOrder(sort, itemKeys(nulls)...)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// randomItems draws rows with NULL, 0 and 1 for a and b.
func randomItems(rnd *rand.Rand, n int) []item {
	maybe := func() *int64 {
		if v := rnd.Int64N(3); v > 0 {
			return new(v - 1)
		}
		return nil
	}
	rows := make([]item, n)
	for i := range rows {
		rows[i] = item{int64(i + 1), maybe(), maybe(), string(rune('a' + rnd.IntN(2)))}
	}
	rnd.Shuffle(n, func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

// sortItems is the oracle of the order, written from the documentation and
// without the package: names with a sign, the identity in the direction of the last.
func sortItems(rows []item, sort []string, nulls Nulls) []item {
	rows = slices.Clone(rows)
	last := byte('+')
	if len(sort) > 0 {
		last = sort[len(sort)-1][0]
	}
	slices.SortFunc(rows, func(x, y item) int {
		for _, name := range append(slices.Clone(sort), string(last)+"id") {
			c := 0
			desc := name[0] == '-'
			switch name[1:] {
			case "id":
				c = cmp.Compare(x.ID, y.ID)
			case "c":
				c = cmp.Compare(x.C, y.C)
			default:
				p, q := x.A, y.A
				if name[1:] == "b" {
					p, q = x.B, y.B
				}
				switch {
				case p != nil && q != nil:
					c = cmp.Compare(*p, *q)
				case p == nil && q == nil:
				default:
					first := nulls == NullsFirst || nulls == NullsLow && !desc || nulls == NullsHigh && desc
					if (p == nil) == first {
						return -1
					}
					return 1
				}
			}
			if desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return rows
}

// randomSort draws up to three distinct names with signs.
func randomSort(rnd *rand.Rand) []string {
	names := []string{"a", "b", "c"}
	rnd.Shuffle(3, func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:rnd.IntN(4)]
	for i := range names {
		names[i] = string("+-"[rnd.IntN(2)]) + names[i]
	}
	return names
}

func ids(rows []item) []int64 {
	out := make([]int64, len(rows))
	for i := range rows {
		out[i] = rows[i].ID
	}
	return out
}

// mustPage fails the test on an error.
func mustPage(tb testing.TB, p *Pager[item], r Request) *Page[item] {
	tb.Helper()
	page, err := p.Page(context.Background(), r)
	if err != nil {
		tb.Fatalf("%+v: %v", r, err)
	}
	return page
}

// checkWalks walks the whole list forwards and backwards in pages of limit, with
// every promise about tokens on the way.
func checkWalks(tb testing.TB, p *Pager[item], want []item, r Request) {
	tb.Helper()
	same := func(what string, got, want []item) {
		tb.Helper()
		if !slices.Equal(ids(got), ids(want)) {
			tb.Fatalf("%s, limit %d, order %s:\ngot  %v\nwant %v", what, r.Limit, r.Sort, got, want)
		}
	}
	var all []item
	var lastToken string
	prev := ""
	for req := r; ; {
		page := mustPage(tb, p, req)
		at := len(all)
		all = append(all, page.Items...)
		if len(all) > len(want) {
			tb.Fatalf("the walk does not end: %v", all)
		}
		if (page.Next != "") != (len(all) < len(want)) {
			tb.Fatalf("Next %q after %d of %d rows", page.Next, len(all), len(want))
		}
		if page.Next != "" && page.Resume != page.Next {
			tb.Fatal("Resume is not Next though rows wait")
		}
		if at > 0 {
			back := r
			back.Token = page.Prev
			before := mustPage(tb, p, back)
			same("prev", before.Items, want[max(0, at-r.Limit):at])
			if before.Next == "" {
				tb.Fatal("a previous page without a next one")
			}
			back.Token = before.Next
			same("next of prev", mustPage(tb, p, back).Items, page.Items)
		} else if page.Prev != "" {
			tb.Fatal("the first page has a previous one")
		}
		if len(page.Items) > 0 {
			self := r
			self.Token = page.Self
			again := mustPage(tb, p, self)
			same("self", again.Items, page.Items)
			if again.Self != page.Self || again.Next != page.Next {
				tb.Fatal("the page that Self leads to has other tokens")
			}
		}
		if page.Next == "" {
			resume := r
			resume.Token = page.Resume
			if rest := mustPage(tb, p, resume); len(rest.Items) != 0 {
				tb.Fatalf("rows after the last one: %v", rest.Items)
			} else if len(want) > 0 {
				resume.Token = rest.Prev // the way back from an empty page
				same("prev of an empty page", mustPage(tb, p, resume).Items, want[max(0, len(want)-r.Limit):])
			}
			break
		}
		lastToken, prev = page.Last, page.Next
		req.Token = page.Next
	}
	_ = prev
	same("forward walk", all, want)
	if lastToken == "" {
		return
	}
	left := len(want)
	for req := r; left > 0; {
		req.Token = lastToken
		page := mustPage(tb, p, req)
		from := max(0, left-r.Limit)
		same("backward walk", page.Items, want[from:left])
		if left = from; (page.Prev != "") != (left > 0) {
			tb.Fatalf("Prev %q with %d rows before", page.Prev, left)
		}
		lastToken = page.Prev
	}
}
