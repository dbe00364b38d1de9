package feed

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// SQLOptions of a store.
type SQLOptions struct {
	Keyless bool // deliveries are not recognised when they come again, neither by their mark nor by a key: a control, not a choice
}

// Schema makes the tables. Each list is read by the front of a key: timeline (reader, id), posts (author, id). On many machines the
// timeline is sharded by its reader, posts and follows by the author. What waits to be delivered is found by a partial index, which
// is empty most of the time.
func Schema(o SQLOptions) []string {
	unique := "UNIQUE"
	if o.Keyless {
		unique = ""
	}
	return []string{
		`CREATE TABLE IF NOT EXISTS posts (id BIGINT PRIMARY KEY, author TEXT NOT NULL, body TEXT NOT NULL, pulled BOOLEAN NOT NULL, fanned BOOLEAN NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS posts_author ON posts (author, id)`,
		`CREATE INDEX IF NOT EXISTS posts_unsent ON posts (id) WHERE NOT fanned AND NOT pulled`,
		`CREATE TABLE IF NOT EXISTS follows (author TEXT NOT NULL, reader TEXT NOT NULL, PRIMARY KEY (author, reader))`,
		`CREATE INDEX IF NOT EXISTS follows_reader ON follows (reader, author)`,
		`CREATE TABLE IF NOT EXISTS pulled (author TEXT PRIMARY KEY)`,
		`CREATE TABLE IF NOT EXISTS timeline (reader TEXT NOT NULL, id BIGINT NOT NULL, author TEXT NOT NULL)`,
		`CREATE ` + unique + ` INDEX IF NOT EXISTS timeline_key ON timeline (reader, id)`,
		`CREATE TABLE IF NOT EXISTS changes (seq BIGINT PRIMARY KEY, at BIGINT NOT NULL, body TEXT NOT NULL)`,
		`CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY, seq BIGINT NOT NULL)`,
		`INSERT INTO head (one, seq) VALUES (1, 0) ON CONFLICT DO NOTHING`,
	}
}

// SQL is a Store in PostgreSQL or SQLite: the statements are the same in both, but for the function that reads a JSON list.
type SQL struct {
	db                 *sql.DB
	timeline, byAuthor pagination.Source[Post]
	list               string        // a table made of the JSON list in $2, whose column is called value
	keyed              bool          // a delivery is recognised when it comes again
	turn               chan struct{} // one writer of this process at a time; others would wait for the lock, each on a connection
}

// OpenSQL opens a store. Schema must be there.
func OpenSQL(db *sql.DB, d sqlpage.Dialect, o SQLOptions) (*SQL, error) {
	order, err := newestFirst()
	if err != nil {
		return nil, err
	}
	s := &SQL{db: db, keyed: !o.Keyless, turn: make(chan struct{}, 1), list: "json_each($2)"}
	if d == sqlpage.Postgres {
		s.list = "json_array_elements_text(CAST($2 AS json)) AS value"
	}
	var timelineErr, byAuthorErr error
	s.timeline, timelineErr = sqlpage.NewSource(db, d, order, sqlpage.Query[Post]{From: "timeline", Where: "reader = ?", Args: args})
	s.byAuthor, byAuthorErr = sqlpage.NewSource(db, d, order, sqlpage.Query[Post]{From: "posts", Where: "author = ? AND (pulled OR ?)", Args: args})
	return s, errors.Join(timelineErr, byAuthorErr)
}

// argsKey carries to the source whose list is asked for.
type argsKey struct{}

func args(ctx context.Context) ([]any, error) {
	args, _ := ctx.Value(argsKey{}).([]any)
	return args, nil
}

func list(source pagination.Source[Post], args ...any) pagination.Source[Post] {
	return pagination.SourceFunc[Post](func(ctx context.Context, r pagination.Range[Post]) ([]Post, error) {
		return source.Fetch(context.WithValue(ctx, argsKey{}, args), r)
	})
}

// Timeline implements Store.
func (s *SQL) Timeline(reader string) pagination.Source[Post] { return list(s.timeline, reader) }

// ByAuthor implements Store.
func (s *SQL) ByAuthor(author string, pulled bool) pagination.Source[Post] {
	return list(s.byAuthor, author, !pulled)
}

// Write implements Store. The first statement takes the number and with it the lock of the log, so that changes become visible in
// the order of their numbers and a follower who reads them never finds a gap that is filled later. The price is one writer at a time.
func (s *SQL) Write(ctx context.Context, c Change) (seq uint64, err error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("feed: %s: %w", c.Kind, err)
	}
	defer func() { _ = tx.Rollback() }() // without effect after the commit
	if err = tx.QueryRowContext(ctx, `UPDATE head SET seq = seq + 1 WHERE one = 1 RETURNING seq`).Scan(&seq); err != nil {
		return 0, fmt.Errorf("feed: number: %w", err)
	}
	body, err := json.Marshal(c)
	if err != nil {
		return 0, err
	}
	if changed, err := s.apply(ctx, tx, c); err != nil {
		return 0, fmt.Errorf("feed: %s: %w", c.Kind, err)
	} else if !changed {
		return 0, nil
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO changes (seq, at, body) VALUES ($1, $2, $3)`, int64(seq), time.Now().UnixMicro(), string(body)); err != nil {
		return 0, fmt.Errorf("feed: log: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("feed: commit: %w", errors.Join(err, ctx.Err()))
	}
	return seq, nil
}

// apply reports whether there was anything to do. Nothing follows a first statement that has changed no row.
func (s *SQL) apply(ctx context.Context, tx *sql.Tx, c Change) (changed bool, err error) {
	do := func(statement string, args ...any) (rows int64) {
		if err != nil {
			return 0
		}
		var result sql.Result
		if result, err = tx.ExecContext(ctx, statement, args...); err == nil {
			rows, err = result.RowsAffected()
		}
		return rows
	}
	readers, err := json.Marshal(c.Readers)
	if err != nil {
		return false, err
	}
	id, author := int64(c.ID), c.Author
	switch c.Kind {
	case Published:
		do(`INSERT INTO posts (id, author, body, pulled, fanned) VALUES ($1, $2, $3, $4, FALSE)`, id, author, c.Text, c.Pulled)
		if c.Pulled {
			do(`INSERT INTO pulled (author) VALUES ($1) ON CONFLICT DO NOTHING`, author)
		}
	case Delivered:
		// The mark and the rows are one transaction: a message that comes again, to whomever, finds the mark.
		if do(`UPDATE posts SET fanned = TRUE WHERE id = $1 AND NOT (fanned AND $2)`, id, s.keyed) == 0 {
			return false, err
		}
		do(`INSERT INTO timeline (reader, id, author) SELECT reader, CAST($1 AS BIGINT), author FROM follows WHERE author = $2 ON CONFLICT DO NOTHING`, id, author)
	case Deleted:
		if do(`DELETE FROM posts WHERE id = $1 AND author = $2`, id, author) == 0 {
			return false, err
		}
		do(`DELETE FROM timeline WHERE id = $1 AND reader IN (SELECT reader FROM follows WHERE author = $2)`, id, author)
	case Followed:
		do(`INSERT INTO follows (author, reader) SELECT CAST($1 AS TEXT), value FROM `+s.list+` WHERE TRUE ON CONFLICT DO NOTHING`, author, string(readers))
		do(`INSERT INTO timeline (reader, id, author) SELECT value, posts.id, author FROM posts, `+s.list+` WHERE author = $1 AND fanned ON CONFLICT DO NOTHING`, author, string(readers))
	case Unfollowed:
		do(`DELETE FROM follows WHERE author = $1 AND reader IN (SELECT value FROM `+s.list+`)`, author, string(readers))
		do(`DELETE FROM timeline WHERE author = $1 AND reader IN (SELECT value FROM `+s.list+`)`, author, string(readers))
	default:
		return false, fmt.Errorf("%w: kind %q", ErrInvalid, c.Kind)
	}
	return true, err
}

// Changes implements Store.
func (s *SQL) Changes(ctx context.Context, after uint64, until time.Time, limit int) (changes []Change, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error {
		var c Change
		var at int64
		var body []byte
		err := rows.Scan(&c.Seq, &at, &body)
		if err == nil {
			err = json.Unmarshal(body, &c)
		}
		c.At = time.UnixMicro(at)
		changes = append(changes, c)
		return err
	}, `SELECT seq, at, body FROM changes WHERE seq > $1 AND at <= $2 ORDER BY seq LIMIT $3`, int64(after), until.UnixMicro(), limit)
	return changes, err
}

// Posts implements Store.
func (s *SQL) Posts(ctx context.Context, ids ...idgen.ID) (map[idgen.ID]Post, error) {
	found := make(map[idgen.ID]Post, len(ids))
	wanted, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	from := strings.ReplaceAll(s.list, "$2", "$1")
	err = s.query(ctx, func(rows *sql.Rows) error {
		var p Post
		err := rows.Scan(&p.ID, &p.Author, &p.Text, &p.Pulled)
		found[p.ID] = p
		return err
	}, `SELECT id, author, body, pulled FROM posts WHERE id IN (SELECT CAST(value AS BIGINT) FROM `+from+`)`, string(wanted))
	return found, err
}

// Fanned implements Store.
func (s *SQL) Fanned(ctx context.Context, id idgen.ID) (fanned bool, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&fanned) }, `SELECT fanned FROM posts WHERE id = $1`, int64(id))
	return fanned && s.keyed, err
}

// Unsent implements Store.
func (s *SQL) Unsent(ctx context.Context, below idgen.ID, limit int) (posts []Post, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error {
		var p Post
		err := rows.Scan(&p.ID, &p.Author)
		posts = append(posts, p)
		return err
	}, `SELECT id, author FROM posts WHERE id < $1 AND NOT fanned AND NOT pulled ORDER BY id LIMIT $2`, int64(below), limit)
	return posts, err
}

// Followers implements Store.
func (s *SQL) Followers(ctx context.Context, author string, limit int) (n int, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&n) },
		`SELECT count(*) FROM (SELECT 1 FROM follows WHERE author = $1 LIMIT $2) AS counted`, author, limit)
	return n, err
}

// Pulled implements Store.
func (s *SQL) Pulled(ctx context.Context, reader string) (authors []string, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error {
		var author string
		err := rows.Scan(&author)
		authors = append(authors, author)
		return err
	}, `SELECT p.author FROM pulled p JOIN follows f ON f.author = p.author WHERE f.reader = $1 ORDER BY p.author`, reader)
	return authors, err
}

// query calls row for each row of the answer.
func (s *SQL) query(ctx context.Context, row func(rows *sql.Rows) error, statement string, args ...any) error {
	rows, err := s.db.QueryContext(ctx, statement, args...)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err below has told
	for err == nil && rows.Next() {
		err = row(rows)
	}
	return errors.Join(err, rows.Err())
}
