package sqlpage_test

import (
	"context"
	"testing"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

func BenchmarkStatement(b *testing.B) {
	order := postOrder("-created_at,author")
	source, err := sqlpage.NewSource((&fake{}).open(b), sqlpage.Postgres, order, sqlpage.Query[Post]{From: "posts"})
	if err != nil {
		b.Fatal(err)
	}
	after, err := order.After(&Post{ID: 7, Author: new("ann")})
	if err != nil {
		b.Fatal(err)
	}
	r := pagination.Range[Post]{Order: order, Start: after, Limit: 21}
	for name, limits := range map[string]int{"warm": 1, "cold": 100_000} {
		b.Run("cache="+name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.Limit = 21 + i%limits
				if _, _, err := source.Statement(context.Background(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
