package hashring_test

import (
	"fmt"
	"log"
	"math"

	"github.com/sysblocks/sysblocks/hashring"
)

// user is a row with its token in a BIGINT column. Such columns are signed: flipping the top bit keeps the order.
type user struct {
	name  string
	token int64
}

func column(token uint64) int64 { return int64(token ^ 1<<63) }

// table stands for a database; its methods say the SQL that they stand for.
type table struct{ rows []user }

// between is SELECT name, token FROM users WHERE token BETWEEN first AND last.
func (t *table) between(first, last int64) []user {
	var found []user
	for _, row := range t.rows {
		if first <= row.token && row.token <= last {
			found = append(found, row)
		}
	}
	return found
}

// deleteBetween is DELETE FROM users WHERE token BETWEEN first AND last.
func (t *table) deleteBetween(first, last int64) {
	var rest []user
	for _, row := range t.rows {
		if row.token < first || last < row.token {
			rest = append(rest, row)
		}
	}
	t.rows = rest
}

// Re-sharding of SQL databases: the plan of a join is a list of BETWEEN statements.
func Example_resharding() {
	ring, err := hashring.New([]hashring.Node[*table]{
		{ID: "db-1", Value: new(table)}, {ID: "db-2", Value: new(table)}, {ID: "db-3", Value: new(table)},
	}, hashring.Options{VNodes: 64})
	if err != nil {
		log.Fatal(err)
	}
	for i := range 1000 {
		name := fmt.Sprint("user:", i)
		token := ring.Snapshot().Token(name)
		owner, _ := ring.Snapshot().Owner(token)
		owner.Value.rows = append(owner.Value.rows, user{name, column(token)})
	}
	change, err := ring.Add(hashring.Node[*table]{ID: "db-4", Value: new(table)})
	if err != nil {
		log.Fatal(err)
	}
	statements, copied := 0, 0
	for move := range change.Moves(1) {
		first, last := column(move.Range.First), column(move.Range.Last)
		from, to := move.Old[0].Value, move.New[0].Value
		rows := from.between(first, last)
		to.rows = append(to.rows, rows...)
		from.deleteBetween(first, last)
		statements++
		copied += len(rows)
	}
	fmt.Println(statements, "ranges,", copied, "of 1000 rows copied")
	misplaced := 0
	for node := range change.New.All() {
		for _, row := range node.Value.between(math.MinInt64, math.MaxInt64) {
			if owner, _ := change.New.Get(row.name); owner != node.Value {
				misplaced++
			}
		}
		fmt.Println(node.ID, len(node.Value.rows), "rows")
	}
	fmt.Println(misplaced, "misplaced")
	// Output:
	// 49 ranges, 276 of 1000 rows copied
	// db-1 217 rows
	// db-2 230 rows
	// db-3 277 rows
	// db-4 276 rows
	// 0 misplaced
}
