package paging

import (
	"context"

	"github.com/sysblocks/sysblocks/pagination"
)

// line is a page that was read.
type line struct {
	cells   []cell
	skipped int // rows that lie before this page and were on no page
}

type cell struct {
	id     int64
	repeat bool
}

// reader goes through the table page by page, by offset or by key, and remembers what it was given.
type reader struct {
	byKey  bool
	pages  int
	offset int    // of the last page
	next   string // token of the next page
	asked  int    // rows that the last page asked the table for: one more than it shows
	read   int    // rows that the table read for it
	done   bool

	got     map[int64]int // times that a row was returned
	lowest  int64         // all rows above it have had their turn
	repeats int
	known   int // rows missed before the last page
	lines   []line
}

func newReader(byKey bool) *reader {
	return &reader{byKey: byKey, got: map[int64]int{}, lowest: most + 1}
}

// turn reads the next page.
func (r *reader) turn(ctx context.Context, p Pager, w *world) error {
	if r.done {
		return nil
	}
	q := pagination.Request{Resource: resource, Limit: size}
	offset := r.pages * size
	if r.byKey {
		q.Token = r.next
	} else {
		q.Offset = offset
	}
	w.table.read = 0
	got, err := p.Page(ctx, q)
	if err != nil {
		return err
	}
	r.read, r.asked, r.offset = w.table.read, size+1, offset
	r.pages++
	r.next, r.done = got.Next, got.Next == ""
	l := line{}
	for _, row := range got.Items {
		repeat := r.got[row.ID] > 0
		if repeat {
			r.repeats++
		}
		r.got[row.ID]++
		l.cells = append(l.cells, cell{row.ID, repeat})
		r.lowest = min(r.lowest, row.ID)
	}
	if r.done {
		r.lowest = 0
	}
	missed := r.missed(w)
	l.skipped, r.known = max(0, missed-r.known), missed
	r.lines = append(r.lines, l)
	return nil
}

// missed counts the rows that were there from the beginning of the walk until now, have had their turn, and were on no page.
func (r *reader) missed(w *world) int {
	n := 0
	for _, id := range w.table.ids {
		if id <= w.first && id > r.lowest && r.got[id] == 0 {
			n++
		}
	}
	return n
}

// state says how a row is drawn.
func (r *reader) state(w *world, id int64) string {
	switch times := r.got[id]; {
	case times > 1:
		return "bad"
	case times == 1:
		return "c0"
	case id > w.first:
		return "soft c2"
	case id > r.lowest:
		return "c4"
	}
	return "soft"
}
