package sqlid

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/sysblocks/sysblocks/idgen"
)

// Counter is an idgen.Counter in a row of a table. It is safe for concurrent use.
type Counter struct {
	db      *sql.DB
	dialect Dialect
	name    any
	first   int64
	create  string
	update  string
}

// CounterOptions are the options of NewCounter.
type CounterOptions struct {
	Prefix string // of the table names; default "idgen"
	First  int64  // first number of a new counter; default 1
}

// NewCounter returns the counter called name, 1 to 255 bytes; its row is made at first use. It takes a *sql.DB and never a
// transaction: a rollback would hand a range out twice. A nil db, an unknown dialect, and a name, prefix or First outside
// its limits are idgen.ErrInvalid.
func NewCounter(db *sql.DB, d Dialect, name string, o CounterOptions) (*Counter, error) {
	if o.Prefix == "" {
		o.Prefix = "idgen"
	}
	if o.First == 0 {
		o.First = 1
	}
	if db == nil {
		return nil, fmt.Errorf("%w: sqlid: db is nil", idgen.ErrInvalid)
	}
	if err := check(d, o.Prefix); err != nil {
		return nil, err
	}
	if err := checkName("counter name", name); err != nil {
		return nil, err
	}
	if o.First < 0 {
		return nil, fmt.Errorf("%w: sqlid: First is %d, at least 1", idgen.ErrInvalid, o.First)
	}
	c := &Counter{db: db, dialect: d, name: d.text(name), first: o.First}
	table := o.Prefix + "_counters"
	insert := "INSERT INTO " + table + " (name, next_value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
	update := "UPDATE " + table + " SET next_value = next_value + ? WHERE name = ? AND next_value <= ? RETURNING next_value"
	if d == MySQL {
		insert = "INSERT IGNORE INTO " + table + " (name, next_value) VALUES (?, ?)"
		// The sum comes back with the answer to the UPDATE itself, so no second statement can see another's.
		update = "UPDATE " + table + " SET next_value = LAST_INSERT_ID(next_value + ?) WHERE name = ? AND next_value <= ?"
	}
	c.create, c.update = d.bind(insert), d.bind(update)
	return c, nil
}

// Reserve implements idgen.Counter in one statement, plus two at the first use of the name. An error that is neither
// ErrRange nor ErrOverflow leaves the outcome unknown: the range may be reserved and is then lost.
func (c *Counter) Reserve(ctx context.Context, n int64) (first int64, err error) {
	if c.db == nil {
		return 0, fmt.Errorf("sqlid: use NewCounter: %w", idgen.ErrClosed)
	}
	if n <= 0 || n > 1<<40 {
		return 0, fmt.Errorf("%w: sqlid: n is %d, 1 to %d", idgen.ErrRange, n, int64(1<<40))
	}
	next, found, err := c.add(ctx, n)
	if err == nil && !found {
		if _, err = c.db.ExecContext(ctx, c.create, c.name, c.first); err == nil {
			next, found, err = c.add(ctx, n)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("sqlid: reserve %d numbers: %w", n, err)
	}
	if !found {
		return 0, fmt.Errorf("%w: sqlid: %d more than the counter has", idgen.ErrOverflow, n)
	}
	return next - n, nil
}

// add is the one UPDATE. found is false when there is no row, or its number is too high for n more.
func (c *Counter) add(ctx context.Context, n int64) (next int64, found bool, err error) {
	if c.dialect != MySQL {
		err := c.db.QueryRowContext(ctx, c.update, n, c.name, math.MaxInt64-n).Scan(&next)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, false, nil
		}
		return next, err == nil, err
	}
	res, err := c.db.ExecContext(ctx, c.update, n, c.name, math.MaxInt64-n)
	if err != nil {
		return 0, false, err
	}
	changed, err := res.RowsAffected()
	if err != nil || changed == 0 {
		return 0, false, err
	}
	next, err = res.LastInsertId()
	return next, err == nil, err
}
