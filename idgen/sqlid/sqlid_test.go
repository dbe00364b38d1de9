package sqlid

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sysblocks/sysblocks/idgen"
)

// The statements run on real databases in internal/integration/idgen; here is what needs none.

type nowhere struct{}

var errNowhere = errors.New("nowhere")

func (nowhere) Connect(context.Context) (driver.Conn, error) { return nil, errNowhere }
func (nowhere) Driver() driver.Driver                        { return nil }

func TestArgumentsOutsideTheirLimits(t *testing.T) {
	db := sql.OpenDB(nowhere{})
	defer db.Close()
	for name, c := range map[string]struct {
		db     *sql.DB
		d      Dialect
		name   string
		prefix string
	}{
		"db":           {nil, Postgres, "n", ""},
		"Dialect":      {db, 0, "n", ""},
		"Dialect is 4": {db, 4, "n", ""},
		"1 to 255":     {db, SQLite, "", ""},
		"UTF-8":        {db, SQLite, "\xff", ""},
		"NUL":          {db, SQLite, "a\x00b", ""},
		"255 bytes":    {db, SQLite, strings.Repeat("x", 256), ""},
		"A-Za-z":       {db, MySQL, "n", "x; DROP TABLE y"},
		"0-9":          {db, MySQL, "n", "1x"},
		"40":           {db, MySQL, "n", strings.Repeat("x", 41)},
	} {
		_, err := NewCounter(c.db, c.d, c.name, CounterOptions{Prefix: c.prefix})
		require.ErrorIs(t, err, idgen.ErrInvalid)
		require.ErrorContains(t, err, name)
		_, err = NewLeaser(c.db, c.d, c.name, LeaserOptions{Prefix: c.prefix})
		require.ErrorIs(t, err, idgen.ErrInvalid)
		require.ErrorContains(t, err, name)
	}
	_, err := NewCounter(db, SQLite, "n", CounterOptions{First: -1})
	require.ErrorIs(t, err, idgen.ErrInvalid)
	_, err = NewLeaser(db, SQLite, "n", LeaserOptions{MaxSkew: -1})
	require.ErrorIs(t, err, idgen.ErrInvalid)
	_, err = NewLeaser(db, SQLite, "n", LeaserOptions{Owner: strings.Repeat("x", 300)})
	require.ErrorIs(t, err, idgen.ErrInvalid)

	l, err := NewLeaser(db, Postgres, "n", LeaserOptions{})
	require.NoError(t, err)
	_, err = l.Acquire(t.Context(), 4, time.Now(), time.Now().Add(time.Second))
	require.ErrorIs(t, err, errNowhere)
	_, err = l.Acquire(t.Context(), 0, time.Now(), time.Now().Add(time.Second))
	require.ErrorIs(t, err, idgen.ErrInvalid)
	_, err = l.Extend(t.Context(), idgen.Grant{}, time.Now())
	require.ErrorIs(t, err, errNowhere)
	require.ErrorIs(t, l.Release(t.Context(), idgen.Grant{}, time.Now()), errNowhere)

	_, err = new(Leaser).Acquire(t.Context(), 1, time.Now(), time.Now().Add(time.Second))
	require.ErrorIs(t, err, idgen.ErrClosed)
	_, err = new(Counter).Reserve(t.Context(), 1)
	require.ErrorIs(t, err, idgen.ErrClosed)
}

func TestSchemaIsPlain(t *testing.T) {
	for _, d := range []Dialect{Postgres, MySQL, SQLite} {
		require.Len(t, Schema(d, ""), 2)
		require.Contains(t, Schema(d, "shop")[1], "CREATE TABLE IF NOT EXISTS shop_leases")
	}
	require.Nil(t, Schema(0, ""))
	require.Nil(t, Schema(MySQL, "x y"))
}

func TestStrideDDL(t *testing.T) {
	s := idgen.Stride{Offset: 2, Increment: 5}
	my, err := StrideDDL(MySQL, s, "")
	require.NoError(t, err)
	require.Equal(t, []string{"SET GLOBAL auto_increment_increment = 5", "SET GLOBAL auto_increment_offset = 2"}, my)
	pg, err := StrideDDL(Postgres, s, "orders_id")
	require.NoError(t, err)
	require.Equal(t, []string{"CREATE SEQUENCE orders_id MINVALUE 2 START WITH 2 INCREMENT BY 5"}, pg)
	for _, c := range []struct {
		d    Dialect
		s    idgen.Stride
		name string
	}{
		{SQLite, s, "x"},
		{0, s, "x"},
		{Postgres, s, ""},
		{Postgres, s, "a-b"},
		{MySQL, idgen.Stride{Offset: 1, Increment: 65536}, ""},
		{MySQL, idgen.Stride{Offset: 3, Increment: 2}, ""},
	} {
		_, err := StrideDDL(c.d, c.s, c.name)
		require.ErrorIs(t, err, idgen.ErrInvalid)
	}
}
