package links

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// Schema makes the table. The code is the primary key and, on many machines, the shard key: a redirect knows nothing else. The
// index serves "my links", newest first, without reading anybody else's.
func Schema() []string {
	return []string{
		`CREATE TABLE IF NOT EXISTS links (
			code TEXT PRIMARY KEY, url TEXT NOT NULL, owner TEXT NOT NULL, created BIGINT NOT NULL,
			permanent BOOLEAN NOT NULL, deleted BOOLEAN NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS links_mine ON links (owner, created DESC, code DESC) WHERE NOT deleted`,
	}
}

// SQL is a Store in PostgreSQL or SQLite: the statements are the same in both.
type SQL struct {
	db               *sql.DB
	add, get, delete *sql.Stmt
	mine             *pagination.Pager[Link]
}

// OpenSQL prepares the statements. Schema must be there.
func OpenSQL(ctx context.Context, db *sql.DB, d sqlpage.Dialect) (*SQL, error) {
	order, err := order()
	if err != nil {
		return nil, err
	}
	source, err := sqlpage.NewSource(db, d, order, sqlpage.Query[Link]{
		From: "links", Where: "owner = ? AND NOT deleted",
		Args: func(ctx context.Context) ([]any, error) { return []any{Owner(ctx)}, nil },
	})
	if err != nil {
		return nil, err
	}
	s := &SQL{db: db}
	if s.mine, err = pagination.New(source, order, pagination.Options[Link]{}); err != nil {
		return nil, err
	}
	var addErr, getErr, deleteErr error
	s.add, addErr = db.PrepareContext(ctx, `INSERT INTO links (code, url, owner, created, permanent, deleted)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`)
	s.get, getErr = db.PrepareContext(ctx, `SELECT code, url, owner, created, permanent, deleted FROM links WHERE code = $1`)
	s.delete, deleteErr = db.PrepareContext(ctx, `UPDATE links SET deleted = TRUE WHERE code = $1 AND owner = $2 AND NOT deleted`)
	if err := errors.Join(addErr, getErr, deleteErr); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// order is newest first; the code decides between links of one millisecond.
func order() (*pagination.Order[Link], error) {
	return pagination.NewOrder(
		"-created",
		pagination.ID("code", func(l *Link) string { return l.Code }),
		pagination.By("created", func(l *Link) int64 { return l.Created }),
	)
}

// Close gives the statements back.
func (s *SQL) Close() error {
	var errs []error
	for _, statement := range slices.DeleteFunc([]*sql.Stmt{s.add, s.get, s.delete}, func(s *sql.Stmt) bool { return s == nil }) {
		errs = append(errs, statement.Close())
	}
	return errors.Join(errs...)
}

// Add implements Store.
func (s *SQL) Add(ctx context.Context, l Link) error {
	result, err := s.add.ExecContext(ctx, l.Code, l.URL, l.Owner, l.Created, l.Permanent, l.Deleted)
	return one(result, err, "add", ErrTaken)
}

// Get implements Store.
func (s *SQL) Get(ctx context.Context, code string) (l Link, err error) {
	err = s.get.QueryRowContext(ctx, code).Scan(&l.Code, &l.URL, &l.Owner, &l.Created, &l.Permanent, &l.Deleted)
	if errors.Is(err, sql.ErrNoRows) {
		return l, ErrNotFound
	}
	if err != nil {
		err = fmt.Errorf("links: get: %w", err)
	}
	return l, err
}

// Delete implements Store.
func (s *SQL) Delete(ctx context.Context, owner, code string) error {
	result, err := s.delete.ExecContext(ctx, code, owner)
	return one(result, err, "delete", ErrNotFound)
}

// Codes yields every code there is, for filling a filter.
func (s *SQL) Codes(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		rows, err := s.db.QueryContext(ctx, `SELECT code FROM links`)
		if err != nil {
			yield("", err)
			return
		}
		defer func() { _ = rows.Close() }() // Err below has told
		for rows.Next() {
			var code string
			if err := rows.Scan(&code); !yield(code, err) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield("", err)
		}
	}
}

// Mine implements Store.
func (s *SQL) Mine() *pagination.Pager[Link] { return s.mine }

// one is nil if the statement changed a row, and otherwise the given error.
func one(result sql.Result, err error, what string, otherwise error) error {
	var rows int64
	if err == nil {
		rows, err = result.RowsAffected()
	}
	switch {
	case err != nil:
		return fmt.Errorf("links: %s: %w", what, err)
	case rows == 0:
		return otherwise
	}
	return nil
}
