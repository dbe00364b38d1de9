package sqlsession

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// Store is a session.Store, UserIndexer and Sweeper on a table. Safe for concurrent use.
type Store struct {
	db      *sql.DB
	dialect Dialect
	sql     statements
}

// Options configure a Store.
type Options struct {
	Table string // "" = sessions; letters, digits and _, one dot for a schema, at most 63 bytes a part
}

const (
	maxUserID   = 255
	maxTries    = 10 // of a statement that a deadlock or a serialization failure rolls back: up to 0.2 s of pauses
	defaultName = "sessions"
)

// New returns a store on db; it opens, closes and creates nothing. An error is session.ErrInvalid and names the
// argument.
func New(db *sql.DB, dialect Dialect, opts Options) (*Store, error) {
	if db == nil {
		return nil, fmt.Errorf("%w: db is nil", session.ErrInvalid)
	}
	if dialect < Postgres || dialect > SQLite {
		return nil, fmt.Errorf("%w: dialect %d, want Postgres, MySQL or SQLite", session.ErrInvalid, dialect)
	}
	if opts.Table == "" {
		opts.Table = defaultName
	}
	parts, err := parseTable(opts.Table)
	if err != nil {
		return nil, err
	}
	return &Store{db: db, dialect: dialect, sql: dialect.statements(parts)}, nil
}

// Schema is the SQL that creates the table and its indexes if they do not exist; fit for one db.Exec.
func (s *Store) Schema() string { return s.sql.schema }

func now() int64 { return time.Now().UnixMilli() }

type scanner interface{ Scan(dest ...any) error }

func scan(row scanner) (session.Record, error) {
	var rec session.Record
	var id, user []byte
	var version, created, expires, deadline int64
	if err := row.Scan(&id, &user, &version, &created, &expires, &deadline, &rec.Payload); err != nil {
		return session.Record{}, err
	}
	if len(id) != len(rec.ID) {
		return session.Record{}, fmt.Errorf("sqlsession: id of %d bytes in the table", len(id))
	}
	copy(rec.ID[:], id)
	rec.UserID, rec.Version = string(user), uint64(version)
	rec.CreatedAt, rec.ExpiresAt, rec.Deadline = time.UnixMilli(created), time.UnixMilli(expires), time.UnixMilli(deadline)
	return rec, nil
}

// Load implements session.Store.
func (s *Store) Load(ctx context.Context, id session.ID) (session.Record, error) {
	rec, err := scan(s.db.QueryRowContext(ctx, s.sql.load, id[:], now()))
	if errors.Is(err, sql.ErrNoRows) {
		return session.Record{}, session.ErrNotFound
	}
	return rec, err
}

// Save implements session.Store.
func (s *Store) Save(ctx context.Context, rec session.Record) error {
	if len(rec.UserID) > maxUserID {
		return fmt.Errorf("%w: user ID of %d bytes, at most %d", session.ErrInvalid, len(rec.UserID), maxUserID)
	}
	var user any // NULL
	if rec.UserID != "" {
		user = []byte(rec.UserID)
	}
	payload := rec.Payload
	if payload == nil {
		payload = []byte{} // nil would be NULL
	}
	created, deadline := rec.CreatedAt.UnixMilli(), rec.Deadline.UnixMilli()
	expires := min(rec.ExpiresAt.UnixMilli(), deadline)
	if rec.Version == 0 {
		n, err := s.exec(ctx, s.sql.insert, rec.ID[:], user, created, expires, deadline, payload)
		if err == nil && n == 0 {
			return session.ErrConflict
		}
		return err
	}
	t := now()
	n, err := s.exec(ctx, s.sql.save, user, created, expires, deadline, payload, rec.ID[:], int64(rec.Version), t)
	if err != nil || n > 0 {
		return err
	}
	if _, err := s.probe(ctx, rec.ID, t); err != nil {
		return err
	}
	return session.ErrConflict
}

// probe tells whether a row is there and when it expires.
func (s *Store) probe(ctx context.Context, id session.ID, now int64) (expires int64, err error) {
	var version int64
	err = s.db.QueryRowContext(ctx, s.sql.probe, id[:]).Scan(&version, &expires)
	if errors.Is(err, sql.ErrNoRows) || err == nil && expires <= now {
		return 0, session.ErrNotFound
	}
	return expires, err
}

// exec runs one statement, in a transaction of its own. What the database has rolled back, for certain, runs again.
func (s *Store) exec(ctx context.Context, text string, args ...any) (int64, error) {
	for try := 1; ; try++ {
		res, err := s.db.ExecContext(ctx, text, args...)
		switch {
		case err == nil:
			return res.RowsAffected()
		case !rolledBack(err):
			return 0, err
		case try == maxTries:
			return 0, fmt.Errorf("%w: %w", session.ErrConflict, err)
		}
		timer := time.NewTimer(rand.N(time.Millisecond << min(try, 6)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return 0, ctx.Err()
		}
	}
}

// Touch implements session.Store.
func (s *Store) Touch(ctx context.Context, id session.ID, expiresAt time.Time) error {
	to, t := expiresAt.UnixMilli(), now()
	n, err := s.exec(ctx, s.sql.touch, to, id[:], t, to)
	if err != nil || n > 0 {
		return err
	}
	_, err = s.probe(ctx, id, t) // there, but not to be moved: success
	return err
}

// Remove implements session.Store.
func (s *Store) Remove(ctx context.Context, id session.ID) error {
	_, err := s.exec(ctx, s.sql.remove, id[:])
	return err
}

// ListUser implements session.UserIndexer. The connection is in use until the loop ends.
func (s *Store) ListUser(ctx context.Context, userID string) iter.Seq2[session.Record, error] {
	return func(yield func(session.Record, error) bool) {
		rows, err := s.db.QueryContext(ctx, s.sql.list, []byte(userID), now())
		if err != nil {
			yield(session.Record{}, err)
			return
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			rec, err := scan(rows)
			if !yield(rec, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(session.Record{}, err)
		}
	}
}

// RemoveUser implements session.UserIndexer, in one statement.
func (s *Store) RemoveUser(ctx context.Context, userID string, except ...session.ID) (int, error) {
	text, args := s.sql.removeUser, []any{[]byte(userID), now()}
	if len(except) > 0 {
		text += s.dialect.number(" AND id NOT IN ("+marks(len(except))+")", len(args)+1)
		for _, id := range except {
			args = append(args, id[:])
		}
	}
	n, err := s.exec(ctx, text, args...)
	return int(n), err
}

// Sweep implements session.Sweeper.
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	if limit <= 0 {
		return 0, ctx.Err()
	}
	t := now()
	if s.dialect != MySQL {
		n, err := s.exec(ctx, s.sql.sweep, t, limit)
		return int(n), err
	}
	ids, err := s.due(ctx, t, limit)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	n, err := s.exec(ctx, "DELETE FROM "+s.sql.table+" WHERE id IN ("+marks(len(ids))+") AND expires_at <= ?", append(ids, t)...)
	return int(n), err
}

func (s *Store) due(ctx context.Context, now int64, limit int) (ids []any, err error) {
	rows, err := s.db.QueryContext(ctx, s.sql.due, now, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
