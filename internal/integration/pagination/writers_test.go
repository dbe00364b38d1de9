package pagination_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// TestWalkWithConcurrentWriters is the walk theorem: while writers insert, delete,
// move and edit rows at the same time, each row that nobody moves or deletes is
// returned exactly once, in strictly ascending order, forwards and backwards.
func TestWalkWithConcurrentWriters(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		var rows []row
		rnd := rand.New(rand.NewPCG(9, uint64(e.dialect)))
		random := func(id int64) row {
			r := row{ID: id, C: string(rune('a' + rnd.IntN(3)))}
			if v := rnd.Int64N(4); v > 0 {
				r.A = new(v - 1)
			}
			if v := rnd.Int64N(3); v > 0 {
				r.B = sql.NullInt64{Int64: v - 1, Valid: true}
			}
			return r
		}
		for id := range int64(400) {
			rows = append(rows, random(id*2))
		}
		e.create(t, "busy", rows)
		for i, sort := range []string{"", "a", "-a,b", "a,-b,c", "-c"} {
			for _, nulls := range []pagination.Nulls{pagination.NullsFirst, pagination.NullsLast} {
				for _, backward := range []bool{false, true} {
					ctx, stop := context.WithCancel(t.Context())
					var group sync.WaitGroup
					for w := range 2 {
						group.Go(func() { e.write(ctx, t, rand.New(rand.NewPCG(uint64(i), uint64(w)))) })
					}
					walkBusy(t, e, orderOf(t, sort, nulls), backward)
					stop()
					group.Wait()
				}
			}
		}
	})
}

// write changes rows whose id is odd, or divisible by ten, until the context ends.
func (e engine) write(ctx context.Context, tb testing.TB, rnd *rand.Rand) {
	tb.Helper()
	for ctx.Err() == nil {
		odd := rnd.Int64N(400)*2 + 1
		tenth := rnd.Int64N(80) * 10
		e.exec(tb, fmt.Sprintf("DELETE FROM busy WHERE id = %d", odd))
		insert := fmt.Sprintf("INSERT INTO busy VALUES (%d, %d, NULL, '%c')", odd, rnd.IntN(3), 'a'+rnd.IntN(3))
		if e.dialect == sqlpage.MySQL {
			insert = strings.Replace(insert, "INSERT", "INSERT IGNORE", 1)
		} else {
			insert += " ON CONFLICT DO NOTHING"
		}
		e.exec(tb, insert)
		e.exec(tb, fmt.Sprintf("UPDATE busy SET a = %d, c = 'b' WHERE id = %d", rnd.IntN(3), tenth))
		if rnd.IntN(40) == 0 {
			e.exec(tb, fmt.Sprintf("DELETE FROM busy WHERE id = %d", tenth))
		}
	}
}

// walkBusy checks one walk.
func walkBusy(t *testing.T, e engine, order *pagination.Order[row], backward bool) {
	t.Helper()
	source, err := sqlpage.NewSource(e.db, e.dialect, order, sqlpage.Query[row]{From: "busy"})
	if err != nil {
		t.Fatal(err)
	}
	pager, err := pagination.New(source, order, pagination.Options[row]{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64]int{}
	var previous *row
	for req := (pagination.Request{Limit: 13, Last: backward}); ; {
		page, err := pager.Page(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Items {
			it := &page.Items[i]
			if backward {
				it = &page.Items[len(page.Items)-1-i]
			}
			seen[it.ID]++
			if previous != nil {
				if c := order.Compare(previous, it); c == 0 || (c > 0) != backward {
					t.Fatalf("%s, backward %v: %v after %v", order, backward, it, previous)
				}
			}
			previous = it
		}
		req = pagination.Request{Limit: 13, Token: page.Next}
		if backward {
			req.Token = page.Prev
		}
		if req.Token == "" {
			break
		}
	}
	for id := int64(0); id < 800; id += 2 {
		if id%10 != 0 && seen[id] != 1 {
			t.Fatalf("%s, backward %v: row %d, which nobody touched, was returned %d times", order, backward, id, seen[id])
		}
	}
}
