package pagination_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // for a zone that is not the machine's

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// specimen is a row with a column of each kind that engines store differently.
type specimen struct {
	ID int64
	T  time.Time           // to the microsecond; microseconds since 1970 on SQLite
	U  [16]byte            // uuid, or 16 bytes
	D  *pagination.Decimal // numeric
	C  string              // in a collation that ignores case
	Y  []byte
	B  bool
	F  float64
	N  uint64
}

// columns is how each engine stores a specimen.
func (e engine) columns(tb testing.TB) string {
	tb.Helper()
	switch e.dialect {
	case sqlpage.Postgres:
		e.exec(tb, "CREATE COLLATION ignorecase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
		return "id BIGINT PRIMARY KEY, t TIMESTAMPTZ NOT NULL, u UUID NOT NULL, d NUMERIC(30, 10), c TEXT COLLATE ignorecase NOT NULL, y BYTEA NOT NULL, b BOOLEAN NOT NULL, f DOUBLE PRECISION NOT NULL, n NUMERIC(20) NOT NULL"
	case sqlpage.MySQL:
		return "id BIGINT PRIMARY KEY, t DATETIME(6) NOT NULL, u BINARY(16) NOT NULL, d DECIMAL(30, 10), c VARCHAR(30) COLLATE utf8mb4_general_ci NOT NULL, y VARBINARY(20) NOT NULL, b BOOLEAN NOT NULL, f DOUBLE NOT NULL, n BIGINT UNSIGNED NOT NULL"
	default:
		return "id INTEGER PRIMARY KEY, t INTEGER NOT NULL, u BLOB NOT NULL, d NUMERIC, c TEXT COLLATE NOCASE NOT NULL, y BLOB NOT NULL, b INTEGER NOT NULL, f REAL NOT NULL, n INTEGER NOT NULL"
	}
}

// specimens are random, with ties, with neighbours one microsecond, one unit in the
// last place, or one letter's case apart.
func specimens(e engine, rnd *rand.Rand) []specimen {
	base := time.Date(2024, 10, 27, 0, 59, 59, 999998000, time.UTC) // Europe turns its clocks back an hour later
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		panic(err)
	}
	zones := []*time.Location{time.UTC, tokyo, time.FixedZone("", -9*3600-1800)}
	words := []string{"", "a", "A", "ab", "aB", "B", "b", "é", "z", "Zz"}
	decimals := []pagination.Decimal{"-10.5", "-9", "0", "0.1", "0.12", "9", "10", "99999.25"}
	numbers := []uint64{0, 1, 2, 1<<53 + 1, 1 << 53, 1<<63 - 1}
	if e.dialect != sqlpage.SQLite {
		decimals = append(decimals, "12345678901234567890.0000000001", "12345678901234567890.0000000002")
		numbers = append(numbers, 1<<63, 1<<64-1)
	}
	rows := make([]specimen, 150)
	for i := range rows {
		s := &rows[i]
		*s = specimen{ID: int64(i + 1), B: rnd.IntN(2) == 0, C: words[rnd.IntN(len(words))], F: float64(rnd.IntN(9)-4) / 3, N: numbers[rnd.IntN(len(numbers))]}
		s.T = base.Add(time.Duration(rnd.IntN(5)) * time.Microsecond).Add(time.Duration(rnd.IntN(3)) * time.Hour).In(zones[rnd.IntN(3)])
		s.U[rnd.IntN(3)*7] = byte(rnd.IntN(3) * 100)
		s.Y = []byte(strings.Repeat("\x00", rnd.IntN(3)) + string([]byte{byte(rnd.IntN(2)) * 255}))
		if rnd.IntN(4) > 0 {
			s.D = &decimals[rnd.IntN(len(decimals))]
		}
	}
	return rows
}

func (e engine) insert(tb testing.TB, s *specimen) {
	tb.Helper()
	var when, uuid, number any = s.T, s.U[:], s.N
	switch e.dialect {
	case sqlpage.Postgres:
		uuid, number = fmt.Sprintf("%x", s.U), strconv.FormatUint(s.N, 10)
	case sqlpage.SQLite:
		when, number = s.T.UnixMicro(), int64(s.N)
	case sqlpage.MySQL:
	}
	e.exec(tb, "INSERT INTO specimens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", s.ID, when, uuid, (*string)(s.D), s.C, s.Y, s.B, s.F, number)
}

func (e engine) scan(rows *sql.Rows, s *specimen) error {
	var micros int64
	var uuid []byte
	var d sql.NullString // SQLite hands out numbers
	when := any(&s.T)
	if e.dialect == sqlpage.SQLite {
		when = &micros
	}
	if err := rows.Scan(&s.ID, when, &uuid, &d, &s.C, &s.Y, &s.B, &s.F, &s.N); err != nil {
		return err
	}
	if d.Valid {
		s.D = new(pagination.Decimal(d.String))
	}
	if e.dialect == sqlpage.SQLite {
		s.T = time.UnixMicro(micros)
	}
	if e.dialect == sqlpage.Postgres { // as text
		if _, err := fmt.Sscanf(strings.ReplaceAll(string(uuid), "-", ""), "%x", &uuid); err != nil {
			return err
		}
	}
	s.U = [16]byte(uuid)
	return nil
}

// TestWalksEveryKindOfKey walks orders by each kind, forward and backward. The oracle
// is the engine itself, sorting the table with one statement: its collation, its
// numbers, its clock.
func TestWalksEveryKindOfKey(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		rnd := rand.New(rand.NewPCG(7, uint64(e.dialect)))
		if e.dialect == sqlpage.MySQL { // DATETIME has no zone: it is read and bound in that of the connection
			e.db = open(t, "mysql", e.dsn+"&loc=Asia%2FTokyo")
		}
		e.exec(t, "CREATE TABLE specimens ("+e.columns(t)+")")
		rows := specimens(e, rnd)
		for i := range rows {
			e.insert(t, &rows[i])
		}
		nulls, desc := pagination.NullsLow, " DESC"
		if e.dialect == sqlpage.Postgres {
			nulls = pagination.NullsHigh
		}
		at := pagination.By("t", func(s *specimen) time.Time { return s.T })
		if e.dialect == sqlpage.SQLite {
			at = pagination.By("t", func(s *specimen) int64 { return s.T.UnixMicro() })
		}
		order, err := pagination.NewOrder("",
			pagination.ID("id", func(s *specimen) int64 { return s.ID }), at,
			pagination.By("u", func(s *specimen) [16]byte { return s.U }),
			pagination.ByNull("d", nulls, func(s *specimen) *pagination.Decimal { return s.D }),
			pagination.By("c", func(s *specimen) string { return s.C }),
			pagination.By("y", func(s *specimen) []byte { return s.Y }),
			pagination.By("b", func(s *specimen) bool { return s.B }),
			pagination.By("f", func(s *specimen) float64 { return s.F }),
			pagination.By("n", func(s *specimen) uint64 { return s.N }))
		if err != nil {
			t.Fatal(err)
		}
		for _, sort := range []string{"t", "-t", "u", "-u", "d", "-d", "c", "-c", "y", "-y", "b,-t", "f", "-f,t", "n", "-n", "c,-d", "-t,u,c"} {
			order, err := order.Sort(sort)
			if err != nil {
				t.Fatal(err)
			}
			source, err := sqlpage.NewSource(e.db, e.dialect, order, sqlpage.Query[specimen]{
				From: "specimens", Select: []string{"id", "t", "u", "d", "c", "y", "b", "f", "n"}, Scan: e.scan,
			})
			if err != nil {
				t.Fatal(err)
			}
			var by []string
			for _, term := range order.Terms() {
				item := term.Key.Column
				if term.Desc {
					item += desc
				}
				by = append(by, item)
			}
			want := e.ids(t, "SELECT id FROM specimens ORDER BY "+strings.Join(by, ", "))
			pager, err := pagination.New(source, order, pagination.Options[specimen]{Limit: 7})
			if err != nil {
				t.Fatal(err)
			}
			for _, backward := range []bool{false, true} {
				if got := walkIDs(t, pager, func(s *specimen) int64 { return s.ID }, backward); !slices.Equal(got, want) {
					t.Errorf("%s, backward %v:\ngot  %v\nwant %v", order, backward, got, want)
				}
			}
		}
	})
}

// ids is one column of a result.
func (e engine) ids(tb testing.TB, query string) (out []int64) {
	tb.Helper()
	rows, err := e.db.QueryContext(context.Background(), query)
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			tb.Fatal(err)
		}
		out = append(out, id)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}

// walkIDs returns the rows of all pages in forward order.
func walkIDs[T any](t *testing.T, p *pagination.Pager[T], id func(*T) int64, backward bool) (all []int64) {
	t.Helper()
	for req := (pagination.Request{Last: backward}); ; {
		page, err := p.Page(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		var ids []int64
		for i := range page.Items {
			ids = append(ids, id(&page.Items[i]))
		}
		token := page.Next
		if backward {
			token = page.Prev
			all = append(ids, all...)
		} else {
			all = append(all, ids...)
		}
		if token == "" || len(all) > 10_000 {
			return all
		}
		req = pagination.Request{Token: token}
	}
}
