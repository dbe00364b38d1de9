// Package paginationrows compares package pagination with other ways to page.
//
// The position of the token rows is a time and an int64, the most common order.
// Peers whose module cannot be required are represented by an implementation of
// their documented scheme, and named after it. Pages come from SQLite in memory,
// where the database costs least, so that our own share shows most.
package paginationrows

import (
	"fmt"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// sizes are those of the table, or small ones to see it work.
type sizes struct {
	rows int // of lists
}

// Rows returns the rows of pagination.
func Rows(quick bool) ([]harness.Row, error) {
	z := sizes{rows: 1_000_000}
	if quick {
		z = sizes{rows: 20_000}
	}
	rows := tokens()
	rows = append(rows, statements()...)
	rows = append(rows, pages(z)...)
	rows = append(rows, lists(z)...)
	return append(rows, harness.Row{
		Workload: "ParseLink, 4 links",
		Ours:     ourLinks(), Peers: []harness.Contender{hellbergLinks()}, Target: harness.AtLeast(1), MaxAllocs: 5,
	}), nil
}

// tokens are the rows of the codec.
func tokens() []harness.Row {
	of := func(workload string, ours, peer harness.Contender, target float64, allocs float64) harness.Row {
		return harness.Row{
			Workload: workload + ", against " + peer.Name,
			Ours:     ours, Peers: []harness.Contender{peer}, Target: harness.AtLeast(target), MaxAllocs: allocs,
		}
	}
	return []harness.Row{
		of("encode {time, int64}, plain", ourEncode(plain), jsonEncode(), 5, 1),
		of("encode {time, int64}, plain", ourEncode(plain), aipEncode(), 15, 1),
		of("encode {time, int64}, sealed", ourEncode(sealed), gcmEncode(), 6, 1),
		of("encode {time, int64}, sealed", ourEncode(sealed), aipEncode(), 6, 1),
		of("decode {time, int64}, plain", ourDecode(plain), jsonDecode(), 6, 2),
		of("decode {time, int64}, plain", ourDecode(plain), aipDecode(), 60, 2),
		of("decode {time, int64}, sealed", ourDecode(sealed), gcmDecode(), 1, 2),
		{Workload: "refuse a damaged token, plain", Ours: ourRefuse(plain), Target: harness.Limit(1000)},
		{Workload: "refuse a damaged token, sealed", Ours: ourRefuse(sealed), Target: harness.Limit(1000)},
		{
			Workload: "token length, plain", Unit: "characters",
			Ours: ourLength(plain), Peers: []harness.Contender{jsonLength()}, Target: harness.AtMost(0.6),
		},
		{
			Workload: "token length, sealed", Unit: "characters",
			Ours: ourLength(sealed), Peers: []harness.Contender{gcmLength()}, Target: harness.AtMost(0.6),
		},
	}
}

// statements are the rows of statement building.
func statements() (rows []harness.Row) {
	for keys := 1; keys <= 3; keys++ {
		rows = append(rows, harness.Row{
			Workload: fmt.Sprintf("statement for %d keys, warm", keys),
			Ours:     ourStatement(keys), Peers: []harness.Contender{gormStatement(keys)},
			Target: harness.AtLeast(10), MaxAllocs: 2 + 2*float64(keys), // values are boxed
		})
	}
	return rows
}

// pages are the rows of pages from a database.
func pages(z sizes) []harness.Row {
	near, far := z.rows/100, z.rows/100*99
	row := func(workload string, ours, peer harness.Contender, target harness.Target) harness.Row {
		return harness.Row{Workload: workload, Ours: ours, Peers: []harness.Contender{peer}, Target: target, MaxAllocs: harness.NoAllocLimit}
	}
	return []harness.Row{
		row(fmt.Sprintf("page of 20 at 50 %% of %d rows, SQLite", z.rows), ourPage("ours", z, z.rows/2), offsetPage(z, z.rows/2), harness.AtLeast(50)),
		row(fmt.Sprintf("page of 20 at 99 %% of %d rows, SQLite", z.rows), ourPage("ours", z, far), offsetPage(z, far), harness.AtLeast(100)),
		row("page of 20 at 99 %, against our own at 1 %", ourPage("ours", z, far), ourPage("ours at 1 %", z, near), harness.AtMost(1.3)),
		row("page of 20, against optimal SQL by hand", ourPage("ours", z, far), handPage(z, far), harness.AtMost(1.15)),
		row(fmt.Sprintf("All over %d rows, against one SELECT", z.rows/10), ourAll(z), selectAll(z), harness.AtMost(1.10)),
	}
}

// lists are the rows of lists in memory and of shards.
func lists(z sizes) []harness.Row {
	rows := []harness.Row{{
		Workload: fmt.Sprintf("page of 20 at 99 %% of a slice of %d", z.rows),
		Ours:     ourSlice(z), Peers: []harness.Contender{scanSlice(z)}, Target: harness.AtLeast(100), MaxAllocs: harness.NoAllocLimit,
	}}
	for _, shards := range []int{2, 8, 64} {
		rows = append(rows, harness.Row{
			Workload: fmt.Sprintf("merge %d shards, page of 100", shards), Unit: "rows read",
			Ours: mergeReads(z, shards), Peers: []harness.Contender{everyShardReads(z, shards)}, Target: harness.Limit(float64(200 + shards)),
		}, harness.Row{
			Workload: fmt.Sprintf("merge %d shards, page of 100, without the shards' own time", shards), Unit: "ns/row",
			Ours: mergeTime(z, shards), Target: harness.Limit(60),
		})
	}
	return rows
}
