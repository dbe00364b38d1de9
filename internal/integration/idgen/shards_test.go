package idgen_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/sqlid"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

func exec1(t *testing.T, db *sql.DB, query string, args ...any) sql.Result {
	t.Helper()
	res, err := db.ExecContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return res
}

// Two MariaDB masters: AUTO_INCREMENT collides, and with the statements of StrideDDL it cannot.
func TestTwoMastersNumberApart(t *testing.T) {
	strides, err := idgen.Strides(2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if !strides[0].Disjoint(strides[1]) {
		t.Fatal("not disjoint")
	}
	plain, apart := map[int64]int{}, map[int64]int{}
	for _, stride := range strides {
		server := servers.MariaDB(t)
		db, err := sql.Open("mysql", server.DSN)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		insert := func(table string, seen map[int64]int) {
			exec1(t, db, "CREATE TABLE "+table+" (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT)")
			for range 50 {
				id, err := exec1(t, db, "INSERT INTO "+table+" (v) VALUES (1)").LastInsertId()
				if err != nil {
					t.Fatal(err)
				}
				seen[id]++
				if _, ok := stride.Index(idgen.ID(id)); table == "apart" && !ok {
					t.Errorf("%d is not in %+v", id, stride)
				}
			}
		}
		insert("plain", plain)
		statements, err := sqlid.StrideDDL(sqlid.MySQL, stride, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			exec1(t, db, s)
		}
		db.SetMaxIdleConns(0) // the settings hold for new connections
		insert("apart", apart)
	}
	if len(plain) != 50 {
		t.Errorf("AUTO_INCREMENT gave %d numbers for 100 rows; the scene needs 50", len(plain))
	}
	if len(apart) != 100 {
		t.Errorf("strides gave %d numbers for 100 rows", len(apart))
	}
}

func TestPostgresSequencesOfTwoStridesAreDisjoint(t *testing.T) {
	s := newStore(t, "postgres")
	seen := map[int64]bool{}
	strides, err := idgen.Strides(2, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, stride := range strides {
		name := []string{"odd", "even"}[i]
		statements, err := sqlid.StrideDDL(sqlid.Postgres, stride, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range statements {
			exec1(t, s.db, statement)
		}
		for k := range int64(50) {
			var id int64
			if err := s.db.QueryRowContext(t.Context(), "SELECT nextval('"+name+"')").Scan(&id); err != nil {
				t.Fatal(err)
			}
			if want, err := stride.At(k); err != nil || want != idgen.ID(id) || seen[id] {
				t.Fatalf("%s gave %d, want %d, %v", name, id, want, err)
			}
			seen[id] = true
		}
	}
}

// A row moves to another database. Its key, packed or as a pair, and every lookup survive.
func TestAMovedRowKeepsItsKey(t *testing.T) {
	ctx := context.Background()
	layout := idgen.Layout{ShardBits: 13, SeqBits: 50}
	dbs := make([]*sql.DB, 2)
	home := map[uint32]int{0: 0, 1: 1} // logical shard → database
	gens := make([]idgen.Generator, 2)
	for i := range dbs {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "shard.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		dbs[i] = db
		for _, statement := range sqlid.Schema(sqlid.SQLite, "") {
			exec1(t, db, statement)
		}
		exec1(t, db, "CREATE TABLE orders (id BIGINT PRIMARY KEY, v TEXT)")
		exec1(t, db, "CREATE TABLE invoices (birth_shard INT, local_id BIGINT, v TEXT, PRIMARY KEY (birth_shard, local_id))")
		counter, err := sqlid.NewCounter(db, sqlid.SQLite, "orders", sqlid.CounterOptions{}) // each shard counts alone
		if err != nil {
			t.Fatal(err)
		}
		seg, err := idgen.NewSegment(counter, idgen.SegmentOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer seg.Close(ctx)
		if gens[i], err = idgen.NewSharded(seg, layout, uint32(i)); err != nil {
			t.Fatal(err)
		}
	}
	var ids []idgen.ID
	for i := range 20 {
		id, err := gens[i%2].Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		exec1(t, dbs[home[layout.Shard(id)]], "INSERT INTO orders VALUES (?, ?)", id, "order "+id.String())
		p, err := layout.Split(id)
		if err != nil {
			t.Fatal(err)
		}
		exec1(t, dbs[i%2], "INSERT INTO invoices VALUES (?, ?, ?)", p.Shard, int64(p.Seq), "invoice "+id.String())
	}
	find := func(id idgen.ID) string {
		var v string
		var back idgen.ID
		err := dbs[home[layout.Shard(id)]].QueryRowContext(ctx, "SELECT id, v FROM orders WHERE id = ?", id).Scan(&back, &v)
		if err != nil || back != id {
			t.Fatalf("%d: %v", id, err)
		}
		return v
	}
	for _, id := range ids { // logical shard 1 moves to database 0
		if layout.Shard(id) == 1 {
			exec1(t, dbs[0], "INSERT INTO orders VALUES (?, ?)", id, find(id))
			p, err := layout.Split(id)
			if err != nil {
				t.Fatal(err)
			}
			exec1(t, dbs[0], "INSERT INTO invoices VALUES (?, ?, ?)", p.Shard, int64(p.Seq), "moved")
		}
	}
	home[1] = 0
	for _, id := range ids {
		if find(id) != "order "+id.String() {
			t.Errorf("%d is lost", id)
		}
	}
	var n int
	if err := dbs[0].QueryRowContext(ctx, "SELECT count(*) FROM invoices").Scan(&n); err != nil || n != 20 {
		t.Errorf("%d invoices, %v: the pairs collided", n, err)
	}
}
