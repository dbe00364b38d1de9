package sqlid

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
)

const maxWindow = 24 * time.Hour

// Leaser is an idgen.Leaser in rows of a table, one per worker number that was ever used. It is safe for concurrent use.
type Leaser struct {
	db        *sql.DB
	dialect   Dialect
	namespace any
	owner     any
	skew      time.Duration

	clock, list, one, insert, replace, extend, release string
}

// LeaserOptions are the options of NewLeaser.
type LeaserOptions struct {
	Prefix  string        // of the table names; default "idgen"
	MaxSkew time.Duration // refuse a caller whose clock differs more from the database's; default 5s
	Owner   string        // shown beside the number, at most 255 bytes; default host name and process id
}

// NewLeaser returns the leaser of a namespace, 1 to 255 bytes: all processes of it share the worker numbers, two
// namespaces never touch. A nil db, an unknown dialect, and a namespace or option outside its limits are
// idgen.ErrInvalid.
func NewLeaser(db *sql.DB, d Dialect, namespace string, o LeaserOptions) (*Leaser, error) {
	if o.Prefix == "" {
		o.Prefix = "idgen"
	}
	if o.MaxSkew == 0 {
		o.MaxSkew = 5 * time.Second
	}
	if o.Owner == "" {
		o.Owner = defaultOwner()
	}
	if db == nil {
		return nil, fmt.Errorf("%w: sqlid: db is nil", idgen.ErrInvalid)
	}
	if err := check(d, o.Prefix); err != nil {
		return nil, err
	}
	if err := checkName("namespace", namespace); err != nil {
		return nil, err
	}
	if err := checkName("Owner", o.Owner); err != nil {
		return nil, err
	}
	if o.MaxSkew < 0 || o.MaxSkew > maxWindow {
		return nil, fmt.Errorf("%w: sqlid: MaxSkew is %v, 0 to %v", idgen.ErrInvalid, o.MaxSkew, maxWindow)
	}
	l := &Leaser{db: db, dialect: d, namespace: d.text(namespace), owner: d.text(o.Owner), skew: o.MaxSkew}
	l.statements(o.Prefix + "_leases")
	return l, nil
}

func defaultOwner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%.200s:%d", strings.ToValidUTF8(host, "?"), os.Getpid())
}

func (l *Leaser) statements(table string) {
	switch l.dialect {
	case Postgres:
		l.clock = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
	case MySQL: // not UNIX_TIMESTAMP, which is ambiguous when the session's time zone leaves daylight saving
		l.clock = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))"
	case SQLite: // this machine's clock
	}
	const row = " WHERE namespace = ? AND worker = ? AND token = ?"
	bind := l.dialect.bind
	l.list = bind("SELECT worker, token, until_us FROM " + table + " WHERE namespace = ? AND worker < ?")
	l.one = bind("SELECT until_us FROM " + table + row)
	insert := "INSERT INTO " + table + " (namespace, worker, token, until_us, owner) VALUES (?, ?, 1, ?, ?)"
	if l.dialect == MySQL { // counts inserted rows whatever the DSN says about affected ones
		insert = strings.Replace(insert, "INSERT", "INSERT IGNORE", 1)
	} else {
		insert += " ON CONFLICT (namespace, worker) DO NOTHING"
	}
	l.insert = bind(insert)
	// The end is compared too: the holder may have moved it since the row was read, with the same token.
	l.replace = bind("UPDATE " + table + " SET token = token + 1, until_us = ?, owner = ?" + row + " AND until_us = ?")
	l.extend = bind("UPDATE " + table + " SET until_us = ?" + row + " AND until_us < ?")
	// The token moves on, so that this grant is over.
	l.release = bind("UPDATE " + table + " SET token = token + 1, until_us = CASE WHEN until_us > ? THEN ? ELSE until_us END" + row)
}

// now returns the store's clock in microseconds.
func (l *Leaser) now(ctx context.Context) (us int64, err error) {
	if l.clock == "" {
		return time.Now().UnixMicro(), ctx.Err()
	}
	if err := l.db.QueryRowContext(ctx, l.clock).Scan(&us); err != nil {
		return 0, fmt.Errorf("sqlid: read the database's clock: %w", err)
	}
	return us, nil
}

// lease is one row.
type lease struct{ worker, token, until int64 }

// Acquire implements idgen.Leaser.
func (l *Leaser) Acquire(ctx context.Context, workers uint32, from, until time.Time) (idgen.Grant, error) {
	if l.db == nil {
		return idgen.Grant{}, fmt.Errorf("sqlid: use NewLeaser: %w", idgen.ErrClosed)
	}
	length := until.Sub(from)
	if workers == 0 || length < time.Microsecond || length > maxWindow {
		return idgen.Grant{}, fmt.Errorf("%w: sqlid: %d workers and a window of %v, at least 1 and 1µs to %v",
			idgen.ErrInvalid, workers, length, maxWindow)
	}
	for {
		now, err := l.now(ctx)
		if err != nil {
			return idgen.Grant{}, err
		}
		if skew := time.Duration(from.UnixMicro()-now) * time.Microsecond; skew > l.skew || skew < -l.skew {
			return idgen.Grant{}, fmt.Errorf("%w: sqlid: it is %v ahead of the database's, at most %v", idgen.ErrClock, skew, l.skew)
		}
		old, err := l.choose(ctx, workers, now)
		if err != nil {
			return idgen.Grant{}, err
		}
		start := max(from.UnixMicro(), old.until)
		end := start + length.Microseconds()
		won, err := l.write(ctx, old, end)
		if err != nil {
			return idgen.Grant{}, fmt.Errorf("sqlid: acquire worker %d: %w", old.worker, err)
		}
		if won {
			return idgen.Grant{
				Worker: uint32(old.worker), Token: old.token + 1, From: time.UnixMicro(start), Until: time.UnixMicro(end),
			}, nil
		}
		// Somebody else took this number since it was read; that is progress, so this ends.
	}
}

// choose returns the lowest number never used, as a row with token 0, otherwise the free one whose window ended first.
func (l *Leaser) choose(ctx context.Context, workers uint32, now int64) (lease, error) {
	rows, err := l.db.QueryContext(ctx, l.list, l.namespace, int64(workers))
	if err != nil {
		return lease{}, fmt.Errorf("sqlid: read the leases: %w", err)
	}
	defer rows.Close()
	best, used := lease{worker: -1}, make(map[int64]bool)
	for rows.Next() {
		var r lease
		if err := rows.Scan(&r.worker, &r.token, &r.until); err != nil {
			return lease{}, fmt.Errorf("sqlid: read the leases: %w", err)
		}
		used[r.worker] = true
		if r.until <= now && (best.worker < 0 || r.until < best.until) {
			best = r
		}
	}
	if err := rows.Err(); err != nil {
		return lease{}, fmt.Errorf("sqlid: read the leases: %w", err)
	}
	if len(used) < int(min(int64(workers), 1<<31-1)) {
		for w := range int64(workers) {
			if !used[w] {
				return lease{worker: w}, nil
			}
		}
	}
	if best.worker < 0 {
		return lease{}, fmt.Errorf("%w: sqlid: all %d are held", idgen.ErrNoWorker, workers)
	}
	return best, nil
}

// write takes a row as it was read; false when it is another one by now.
func (l *Leaser) write(ctx context.Context, old lease, end int64) (bool, error) {
	if old.token == 0 {
		return l.changed(ctx, l.insert, l.namespace, old.worker, end, l.owner)
	}
	return l.changed(ctx, l.replace, end, l.owner, l.namespace, old.worker, old.token, old.until)
}

func (l *Leaser) changed(ctx context.Context, query string, args ...any) (bool, error) {
	res, err := l.db.ExecContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// Extend implements idgen.Leaser. An end more than 24h and MaxSkew after the database's clock is idgen.ErrClock.
func (l *Leaser) Extend(ctx context.Context, g idgen.Grant, until time.Time) (idgen.Grant, error) {
	if l.db == nil {
		return idgen.Grant{}, fmt.Errorf("sqlid: use NewLeaser: %w", idgen.ErrClosed)
	}
	now, err := l.now(ctx)
	if err != nil {
		return idgen.Grant{}, err
	}
	end := until.UnixMicro()
	if ahead := time.Duration(end-now) * time.Microsecond; ahead > maxWindow+l.skew {
		return idgen.Grant{}, fmt.Errorf("%w: sqlid: a window until %v after the database's clock", idgen.ErrClock, ahead)
	}
	moved, err := l.changed(ctx, l.extend, end, l.namespace, int64(g.Worker), g.Token, end)
	if err != nil {
		return idgen.Grant{}, fmt.Errorf("sqlid: extend worker %d: %w", g.Worker, err)
	}
	if !moved { // lost, or it ends later already
		err := l.db.QueryRowContext(ctx, l.one, l.namespace, int64(g.Worker), g.Token).Scan(&end)
		if err != nil {
			return idgen.Grant{}, lostOr(err, g)
		}
	}
	g.Until = time.UnixMicro(end)
	return g, nil
}

// Release implements idgen.Leaser.
func (l *Leaser) Release(ctx context.Context, g idgen.Grant, used time.Time) error {
	if l.db == nil {
		return fmt.Errorf("sqlid: use NewLeaser: %w", idgen.ErrClosed)
	}
	end := used.Add(time.Microsecond - 1).UnixMicro() // up: nothing was issued at or after used
	done, err := l.changed(ctx, l.release, end, end, l.namespace, int64(g.Worker), g.Token)
	if err != nil {
		return fmt.Errorf("sqlid: release worker %d: %w", g.Worker, err)
	}
	if !done {
		return lostOr(sql.ErrNoRows, g)
	}
	return nil
}

func lostOr(err error, g idgen.Grant) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: sqlid: worker %d was granted again since token %d", idgen.ErrLeaseLost, g.Worker, g.Token)
	}
	return fmt.Errorf("sqlid: extend worker %d: %w", g.Worker, err)
}
