package sqlpage_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"time"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

type Post struct {
	ID        int64     `db:"id"`
	Author    *string   `db:"author"`
	CreatedAt time.Time `db:"created_at"`
}

func postOrder(sort string) *pagination.Order[Post] {
	keys, err := sqlpage.Keys[Post](sqlpage.Postgres, "id")
	if err != nil {
		log.Fatal(err)
	}
	order, err := pagination.NewOrder(sort, keys...)
	if err != nil {
		log.Fatal(err)
	}
	return order
}

func ExampleNew() {
	var db *sql.DB // from sql.Open
	pager, err := sqlpage.New(db, sqlpage.Postgres, "posts", "id", "-created_at", pagination.Options[Post]{
		Sort: []string{"created_at", "author"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pager.Order())
	// Output:
	// -created_at,-id
}

func ExampleNewSource() {
	var db *sql.DB // from sql.Open
	type tenantKey struct{}
	order := postOrder("-created_at")
	source, err := sqlpage.NewSource(db, sqlpage.Postgres, order, sqlpage.Query[Post]{
		From:  "posts",
		Where: "tenant_id = ? AND NOT deleted",
		Args:  func(ctx context.Context) ([]any, error) { return []any{ctx.Value(tenantKey{})}, nil },
	})
	if err != nil {
		log.Fatal(err)
	}
	after, err := order.After(&Post{ID: 7, CreatedAt: time.Date(2026, 5, 8, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.WithValue(context.Background(), tenantKey{}, "acme")
	query, args, err := source.Statement(ctx, pagination.Range[Post]{Order: order, Start: after, Limit: 21})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(query)
	fmt.Println(len(args), args[0])
	// Output:
	// SELECT id, author, created_at FROM posts WHERE (tenant_id = $1 AND NOT deleted) AND (created_at, id) < ($2, CAST($3 AS bigint)) ORDER BY created_at DESC, id DESC LIMIT 21
	// 3 acme
}

func ExampleClauses() {
	order := postOrder("author")
	after, err := order.After(&Post{ID: 7, Author: new("ann")})
	if err != nil {
		log.Fatal(err)
	}
	where, orderBy, args, err := sqlpage.Clauses(sqlpage.MySQL, pagination.Range[Post]{Order: order, Start: after, Limit: 21}, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("WHERE", where)
	fmt.Println("ORDER BY", orderBy)
	fmt.Println(args...)
	// Output:
	// WHERE ((author = ? AND id > ? OR author > ? OR author IS NULL))
	// ORDER BY author IS NULL, author, id
	// ann 7 ann
}

func ExampleIndex() {
	fmt.Println(sqlpage.Index("posts", sqlpage.Postgres, postOrder("-created_at")))
	// Output:
	// CREATE INDEX posts_created_at_desc_id_desc_page ON posts (created_at DESC, id DESC)
}
