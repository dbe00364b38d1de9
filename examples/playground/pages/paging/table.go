package paging

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sysblocks/sysblocks/pagination"
)

// Row is a row of the table; its ID is all that matters here.
type Row struct {
	ID int64 `json:"id"`
}

// table holds rows in ascending order of their IDs, as an index does, and counts every row that it reads. A live writer changes
// it at both ends of its life: rows come with the next ID, and go from anywhere.
type table struct {
	ids    []int64
	next   int64
	read   int // rows read since it was set to zero
	random *rand.Rand
}

func newTable(seed uint64, rows int) *table {
	t := &table{next: 1, random: rand.New(rand.NewPCG(seed, 2))} //nolint:gosec // which row is deleted is no secret
	for range rows {
		t.insert()
	}
	return t
}

func (t *table) insert() {
	if t.next <= most {
		t.ids = append(t.ids, t.next)
		t.next++
	}
}

func (t *table) remove() {
	if len(t.ids) > fewest {
		i := t.random.IntN(len(t.ids))
		t.ids = slices.Delete(t.ids, i, i+1)
	}
}

// Fetch implements pagination.Source: it finds the first row by a binary search and reads on from there, first what is to be
// skipped, then what is asked for. Its order is always from the newest.
func (t *table) Fetch(_ context.Context, r pagination.Range[Row]) ([]Row, error) {
	if r.Backward || !r.End.IsOpen() || len(r.Filters) > 0 {
		return nil, fmt.Errorf("%w: this table is only read forward", pagination.ErrUnsupported)
	}
	at := len(t.ids)
	if !r.Start.IsOpen() {
		id, _ := r.Start.Key[0].Any().(int64)
		var found bool
		at, found = slices.BinarySearch(t.ids, id)
		if found && !r.Start.After {
			at++
		}
	}
	rows := make([]Row, 0, r.Limit)
	for skip := r.Offset; at > 0 && len(rows) < r.Limit; skip-- {
		at--
		t.read++
		if skip <= 0 {
			rows = append(rows, Row{ID: t.ids[at]})
		}
	}
	return rows, nil
}
