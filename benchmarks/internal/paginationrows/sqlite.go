package paginationrows

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"sync"

	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// record is a row of the table: about 500 rows share a score.
type record struct {
	ID    int64  `db:"id"`
	Score int64  `db:"score"`
	Title string `db:"title"`
}

// table is made once for all rows, since it takes seconds.
type table struct {
	once sync.Once
	db   *sql.DB
	err  error
}

func (t *table) open(z sizes) (*sql.DB, error) {
	t.once.Do(func() {
		if t.db, t.err = sql.Open("sqlite", "file:rows?mode=memory&cache=private"); t.err != nil {
			return
		}
		t.db.SetMaxOpenConns(1)
		for _, query := range []string{
			"CREATE TABLE records (id INTEGER PRIMARY KEY, score INTEGER NOT NULL, title TEXT NOT NULL)",
			fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO records SELECT i, i / 500, 'record number ' || i FROM n", z.rows-1),
			"CREATE INDEX records_score ON records (score, id)",
			"ANALYZE",
		} {
			if _, t.err = t.db.ExecContext(context.Background(), query); t.err != nil {
				return
			}
		}
	})
	return t.db, t.err
}

var shared = new(table) //nolint:gochecknoglobals // made once, read by all rows of one process

func recordPager(z sizes) (*pagination.Pager[record], *pagination.Order[record], error) {
	db, err := shared.open(z)
	if err != nil {
		return nil, nil, err
	}
	p, err := sqlpage.New(db, sqlpage.SQLite, "records", "id", "score", pagination.Options[record]{})
	if err != nil {
		return nil, nil, err
	}
	return p, p.Order(), nil
}

// ourPage gets the page after row at, by its token.
func ourPage(name string, z sizes, at int) harness.Contender {
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		p, order, err := recordPager(z)
		if err != nil {
			return nil, nil, err
		}
		gap, err := order.After(&record{ID: int64(at), Score: int64(at / 500)})
		if err != nil {
			return nil, nil, err
		}
		token, err := (*pagination.Codec)(nil).Encode(pagination.Cursor{Start: gap}, pagination.Scope{Order: order.String()})
		ctx := context.Background()
		return func(n int) {
			for range n {
				page, err := p.Page(ctx, pagination.Request{Token: token})
				if err != nil || len(page.Items) != 20 || page.Items[0].ID != int64(at+1) {
					panic(fmt.Sprint("page: ", err))
				}
			}
		}, nil, err
	}}
}

// handPage runs the best statement that we know, written by hand.
func handPage(z sizes, at int) harness.Contender {
	const query = "SELECT id, score, title FROM records WHERE score = ? AND id > ? UNION ALL SELECT id, score, title FROM records WHERE score > ? ORDER BY 2, 1 LIMIT 21"
	return harness.Contender{Name: "SQL and Scan by hand", Setup: func() (harness.Op, func(), error) {
		db, err := shared.open(z)
		return func(n int) {
			for range n {
				if rows, err := records(db, 21, query, int64(at/500), int64(at), int64(at/500)); err != nil || rows[0].ID != int64(at+1) {
					panic(fmt.Sprint("page: ", err))
				}
			}
		}, nil, err
	}}
}

// offsetPage is what page-number libraries run.
func offsetPage(z sizes, at int) harness.Contender {
	return harness.Contender{Name: "LIMIT 21 OFFSET n", Setup: func() (harness.Op, func(), error) {
		db, err := shared.open(z)
		return func(n int) {
			for range n {
				if rows, err := records(db, 21, "SELECT id, score, title FROM records ORDER BY score, id LIMIT 21 OFFSET ?", at+1); err != nil || rows[0].ID != int64(at+1) {
					panic(fmt.Sprint("page: ", err))
				}
			}
		}, nil, err
	}}
}

func records(db *sql.DB, size int, query string, args ...any) ([]record, error) {
	rows, err := db.QueryContext(context.Background(), query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := make([]record, 0, size)
	for rows.Next() {
		out = append(out, record{})
		r := &out[len(out)-1]
		if err := rows.Scan(&r.ID, &r.Score, &r.Title); err != nil {
			return nil, err
		}
	}
	return slices.Clip(out), rows.Err()
}

// ourAll reads the last tenth of the table in batches.
func ourAll(z sizes) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		p, _, err := recordPager(z)
		since := strconv.Itoa((z.rows - z.rows/10) / 500)
		return func(n int) {
			for range n {
				count := 0
				for _, err := range p.All(context.Background(), pagination.Request{Since: since}) {
					if err != nil {
						panic(err)
					}
					count++
				}
				if count != z.rows/10 {
					panic(count)
				}
			}
		}, nil, err
	}}
}

// selectAll reads it with one statement, row by row.
func selectAll(z sizes) harness.Contender {
	return harness.Contender{Name: "one SELECT", Setup: func() (harness.Op, func(), error) {
		db, err := shared.open(z)
		read := func() (count int, err error) {
			rows, err := db.QueryContext(context.Background(), "SELECT id, score, title FROM records WHERE score >= ? ORDER BY score, id", (z.rows-z.rows/10)/500)
			if err != nil {
				return 0, err
			}
			defer rows.Close()
			for rows.Next() {
				var r record
				if err := rows.Scan(&r.ID, &r.Score, &r.Title); err != nil {
					return 0, err
				}
				count++
			}
			return count, rows.Err()
		}
		return func(n int) {
			for range n {
				if count, err := read(); err != nil || count != z.rows/10 {
					panic(fmt.Sprint(count, err))
				}
			}
		}, nil, err
	}}
}
