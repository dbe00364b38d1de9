package hashring_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/sysblocks/sysblocks/hashring"
)

// replica is one node of the store: a map with versions, and a switch to turn it off.
type replica struct {
	rows map[string]version
	down bool
}

type version struct {
	value string
	stamp int
}

var errQuorum = errors.New("too few replicas answer")

// quorum is a Dynamo-style store: every key on N nodes in distinct zones; a write needs W answers, a read R.
// With R + W > N a read meets at least one node that has the last write.
type quorum struct {
	ring    *hashring.Ring[*replica]
	n, r, w int
	clock   int
}

func (q *quorum) put(key, value string) error {
	q.clock++
	acks := 0
	for _, node := range q.ring.GetN(key, q.n) {
		if !node.down {
			node.rows[key] = version{value, q.clock}
			acks++
		}
	}
	if acks < q.w {
		return errQuorum
	}
	return nil
}

func (q *quorum) get(key string) (string, error) {
	var last version
	var stale []*replica
	answers := 0
	for _, node := range q.ring.GetN(key, q.n) {
		if node.down {
			continue
		}
		answers++
		switch v := node.rows[key]; {
		case v.stamp > last.stamp:
			last = v
		case v.stamp < last.stamp:
			stale = append(stale, node)
		}
	}
	if answers < q.r {
		return "", errQuorum
	}
	for _, node := range stale { // read repair
		node.rows[key] = last
	}
	return last.value, nil
}

// join adds a node and streams to it, and to whoever else gains, exactly the ranges of the plan.
func (q *quorum) join(node hashring.Node[*replica]) (copied int, err error) {
	change, err := q.ring.Add(node)
	if err != nil {
		return 0, err
	}
	for move := range change.Moves(q.n) {
		for _, to := range move.Gained() {
			for _, from := range move.Old {
				for key, v := range from.Value.rows {
					if move.Range.Contains(change.New.Token(key)) && v.stamp > to.Value.rows[key].stamp {
						to.Value.rows[key] = v
						copied++
					}
				}
			}
		}
	}
	return copied, nil
}

// A Dynamo-style store: N = 3, W = 2, R = 2 over three zones.
func Example_dynamoStore() {
	node := func(id, zone string) hashring.Node[*replica] {
		return hashring.Node[*replica]{ID: id, Zone: zone, Value: &replica{rows: map[string]version{}}}
	}
	ring, err := hashring.New([]hashring.Node[*replica]{
		node("a1", "a"), node("a2", "a"), node("b1", "b"), node("b2", "b"), node("c1", "c"),
	}, hashring.Options{})
	if err != nil {
		log.Fatal(err)
	}
	store := quorum{ring: ring, n: 3, r: 2, w: 2}
	for i := range 300 {
		if err := store.put(fmt.Sprint("user:", i), "first"); err != nil {
			log.Fatal(err)
		}
	}
	c1, _ := ring.Snapshot().Node("c1") // the only node of its zone holds a copy of everything
	fmt.Println("c1 holds", len(c1.Value.rows), "rows")

	c1.Value.down = true // writes go on
	for i := range 300 {
		if err := store.put(fmt.Sprint("user:", i), "second"); err != nil {
			log.Fatal(err)
		}
	}
	c1.Value.down = false
	value, err := store.get("user:42")
	fmt.Println("read:", value, err)

	copied, err := store.join(node("c2", "c"))
	fmt.Println("c2 joins, rows copied:", copied, err)
	wrong := 0
	for i := range 300 {
		if value, err := store.get(fmt.Sprint("user:", i)); value != "second" || err != nil {
			wrong++
		}
	}
	fmt.Println("wrong reads:", wrong)
	// Output:
	// c1 holds 300 rows
	// read: second <nil>
	// c2 joins, rows copied: 170 <nil>
	// wrong reads: 0
}
