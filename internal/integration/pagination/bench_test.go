package pagination_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// BenchmarkPageAtDepth gets a page of 20 of half a million rows in the order (a, id), by
// token and by offset, on each engine that is there.
func BenchmarkPageAtDepth(b *testing.B) {
	for name, start := range map[string]func(testing.TB) engine{"sqlite": sqlite, "postgres": postgres, "mariadb": mariadb} {
		b.Run("engine="+name, func(b *testing.B) {
			e := start(b)
			e.createDeep(b)
			order := deepOrder(b, "a", pagination.NullsLow)
			e.exec(b, sqlpage.Index("deep", e.dialect, order))
			e.analyze(b)
			source, err := sqlpage.NewSource(e.db, e.dialect, order, sqlpage.Query[deep]{From: "deep"})
			if err != nil {
				b.Fatal(err)
			}
			for _, depth := range []int{0, 50, 99} {
				at := deepRows / 100 * depth
				gap, err := order.After(deepAt(int64(at)))
				if err != nil {
					b.Fatal(err)
				}
				for way, r := range map[string]pagination.Range[deep]{
					"token":  {Order: order, Limit: perPage + 1, Start: gap},
					"offset": {Order: order, Limit: perPage + 1, Offset: at + 1},
				} {
					b.Run(fmt.Sprintf("depth=%d%%/by=%s", depth, way), func(b *testing.B) {
						for b.Loop() {
							if rows, err := source.Fetch(b.Context(), r); err != nil || rows[0].ID != int64(at+1) {
								b.Fatal(err, strings.TrimSpace(fmt.Sprint(rows)))
							}
						}
					})
				}
			}
		})
	}
}
