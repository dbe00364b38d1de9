package pagination_test

import (
	"math/rand/v2"
	"testing"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// TestEveryStrategyEqualsTheModel runs ranges of all shapes on all engines:
// strategy, order, place of NULL, direction, side, prefix, window, offset and
// filter, against a slice in memory, which has its own model.
func TestEveryStrategyEqualsTheModel(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		rows := grid()
		e.create(t, "grid", rows)
		model := pagination.NewSlice(rows)
		chance := 0.15 // of the ranges
		if e.dialect == sqlpage.SQLite {
			chance = 1
		}
		rnd := rand.New(rand.NewPCG(1, uint64(e.dialect)))
		n := 0
		for _, nulls := range []pagination.Nulls{pagination.NullsLow, pagination.NullsHigh, pagination.NullsFirst, pagination.NullsLast} {
			for _, sort := range []string{"", "-id", "a", "-a", "a,b,c", "-a,-b", "a,-b,c", "-c,a,b", "c,-a"} {
				order := orderOf(t, sort, nulls)
				for _, strategy := range []sqlpage.Strategy{sqlpage.Auto, sqlpage.RowValue, sqlpage.Or, sqlpage.Arms} {
					source, err := sqlpage.NewSource(e.db, e.dialect, order, sqlpage.Query[row]{From: "grid", Strategy: strategy})
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range ranges(t, rnd, order, rows) {
						if rnd.Float64() > chance {
							continue
						}
						n++
						got, err := source.Fetch(t.Context(), r)
						if err != nil {
							query, _, _ := source.Statement(t.Context(), r)
							t.Fatalf("%s: %v", query, err)
						}
						want, err := model.Fetch(t.Context(), r)
						if err != nil {
							t.Fatal(err)
						}
						if ids(got) != ids(want) {
							query, args, _ := source.Statement(t.Context(), r)
							t.Fatalf("strategy %d, order %s, nulls %d, %+v\n%s %v\ngot  %v\nwant %v", strategy, order, nulls, r, query, args, ids(got), ids(want))
						}
						if rnd.IntN(20) == 0 {
							checkCount(t, source, model.(pagination.Counter[row]), r)
						}
					}
				}
			}
		}
		t.Logf("%d ranges", n)
	})
}

func checkCount(t *testing.T, source *sqlpage.Source[row], model pagination.Counter[row], r pagination.Range[row]) {
	t.Helper()
	for _, mode := range []pagination.CountMode{pagination.CountExact, pagination.CountCapped} {
		got, err := source.Count(t.Context(), r, mode, 7)
		if err != nil {
			t.Fatal(err)
		}
		want, err := model.Count(t.Context(), r, mode, 7)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("count mode %d of %+v: %+v, want %+v", mode, r, got, want)
		}
	}
	if _, err := source.Count(t.Context(), r, pagination.CountEstimated, 7); err != nil {
		t.Fatal(err)
	}
}

// ranges returns one range for each row, side and direction, the open ones, and
// some with a prefix, a window, an offset or filters.
func ranges(t *testing.T, rnd *rand.Rand, o *pagination.Order[row], rows []row) []pagination.Range[row] {
	t.Helper()
	gap := func(i int, after bool) pagination.Gap {
		g, err := o.Before(&rows[i])
		if err != nil {
			t.Fatal(err)
		}
		g.After = after
		return g
	}
	limits := []int{1, 4, 100}
	var out []pagination.Range[row]
	for _, backward := range []bool{false, true} {
		out = append(out, pagination.Range[row]{Order: o, Limit: 7, Backward: backward}, pagination.Range[row]{Order: o, Limit: 7, Offset: 5, Backward: backward})
		for i := range rows {
			r := pagination.Range[row]{Order: o, Limit: limits[rnd.IntN(3)], Backward: backward, Start: gap(i, rnd.IntN(2) == 0)}
			switch rnd.IntN(5) {
			case 0:
				r.Start, r.End = pagination.Gap{}, r.Start
			case 1:
				r.End = gap(rnd.IntN(len(rows)), rnd.IntN(2) == 0)
			case 2:
				r.Start.Key = r.Start.Key[:1+rnd.IntN(len(r.Start.Key))]
				if rnd.IntN(2) == 0 {
					r.End = gap(rnd.IntN(len(rows)), rnd.IntN(2) == 0)
					r.End.Key = r.End.Key[:1+rnd.IntN(len(r.End.Key))]
				}
			case 3:
				r.Offset = rnd.IntN(4)
				ops := []pagination.Op{pagination.Eq, pagination.Ne, pagination.Lt, pagination.Le, pagination.Gt, pagination.Ge}
				r.Filters = []pagination.Filter{pagination.NewFilter("a", ops[rnd.IntN(6)], rnd.IntN(2))}
				switch rnd.IntN(4) {
				case 0:
					r.Filters = append(r.Filters, pagination.NewFilter("b", pagination.IsNull, rnd.IntN(2) == 0))
				case 1:
					r.Filters = append(r.Filters, pagination.NewFilter("c", pagination.In, "a", "c"))
				case 2:
					r.Filters = append(r.Filters, pagination.NewFilter[string]("c", pagination.In))
				}
			}
			out = append(out, r)
		}
	}
	return out
}
