package hashring_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"slices"

	"github.com/sysblocks/sysblocks/hashring"
)

// names lists IDs, for the outputs of the examples.
func names[T any](nodes []hashring.Node[T]) []string {
	var ids []string
	for _, n := range nodes {
		ids = append(ids, n.ID)
	}
	return ids
}

func Example() {
	ring, err := hashring.New(hashring.Nodes("cache-1", "cache-2", "cache-3"), hashring.Options{})
	if err != nil {
		log.Fatal(err)
	}
	owner, _ := ring.Get("user:42")
	fmt.Println(owner, ring.GetN("user:42", 2))
	// Output:
	// cache-3 [cache-3 cache-2]
}

func ExampleNew() {
	type client struct{ addr string } // any type: a connection, a DSN, a queue
	ring, err := hashring.New([]hashring.Node[*client]{
		{ID: "cache-1", Zone: "a", Value: &client{"10.0.0.1:6379"}},
		{ID: "cache-2", Zone: "b", Value: &client{"10.0.0.2:6379"}},
		{ID: "cache-3", Zone: "c", Value: &client{"10.0.0.3:6379"}, Weight: 2},
	}, hashring.Options{})
	if err != nil {
		log.Fatal(err)
	}
	c, _ := ring.Get("user:42")
	fmt.Println(c.addr)

	_, err = hashring.New(hashring.Nodes("a", "a"), hashring.Options{})
	fmt.Println(errors.Is(err, hashring.ErrInvalid), err)
	// Output:
	// 10.0.0.3:6379
	// true hashring: invalid argument: Node.ID "a" is given twice
}

func ExampleNodes() {
	for _, n := range hashring.Nodes("a", "b") {
		fmt.Println(n.ID, n.Value)
	}
	// Output:
	// a a
	// b b
}

func ExampleHash() {
	fmt.Printf("%x\n", hashring.Hash("user:42"))
	// Output:
	// dc1fea7da8d2d1c2
}

func ExampleRing_Get() {
	var ring hashring.Ring[string] // the zero Ring is empty
	_, ok := ring.Get("user:42")
	fmt.Println(ok)
	if _, err := ring.Add(hashring.Nodes("a", "b", "c")...); err != nil {
		log.Fatal(err)
	}
	owner, ok := ring.Get("user:42")
	fmt.Println(owner, ok)
	// Output:
	// false
	// a true
}

func ExampleRing_GetN() {
	ring, _ := hashring.New([]hashring.Node[string]{
		{ID: "a1", Zone: "a", Value: "a1"},
		{ID: "a2", Zone: "a", Value: "a2"},
		{ID: "b1", Zone: "b", Value: "b1"},
		{ID: "c1", Zone: "c", Value: "c1"},
	}, hashring.Options{})
	fmt.Println(ring.GetN("user:42", 3)) // three machines in three zones
	fmt.Println(ring.GetN("user:42", 9)) // all there are
	// Output:
	// [c1 b1 a2]
	// [c1 b1 a2 a1]
}

func ExampleRing_AppendN() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{})
	buf := make([]string, 0, 2) // reused: no allocation per key
	for _, key := range []string{"user:1", "user:2", "user:3"} {
		buf = ring.AppendN(buf[:0], key, 2)
		fmt.Println(key, buf)
	}
	// Output:
	// user:1 [a c]
	// user:2 [a c]
	// user:3 [a b]
}

func ExampleRing_Walk() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{})
	down := map[string]bool{"a": true}
	for node := range ring.Walk("user:2") { // fail over along the preference list
		if !down[node.ID] {
			fmt.Println("read from", node.ID)
			break
		}
		fmt.Println("skip", node.ID)
	}
	// Output:
	// skip a
	// read from c
}

func ExampleRing_Set() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{})
	change, err := ring.Set(hashring.Nodes("b", "c", "d")) // as discovery says
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(change.Old.Len(), change.New.Len(), ring.Snapshot() == change.New)
	// Output:
	// 3 3 true
}

func ExampleRing_Add() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{})
	change, err := ring.Add(hashring.Node[string]{ID: "d", Value: "d"})
	if err != nil {
		log.Fatal(err)
	}
	ranges, part := 0, 0.0
	for move := range change.Moves(1) {
		ranges++
		part += move.Range.Fraction()
		if move.Gained()[0].ID != "d" {
			fmt.Println("never printed: only the joiner gains")
		}
	}
	fmt.Printf("%d ranges, %.1f%% of the keys\n", ranges, 100*part)
	// Output:
	// 202 ranges, 27.6% of the keys
}

func ExampleRing_Remove() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{})
	change := ring.Remove("b", "never there")
	heirs := map[string]float64{}
	for move := range change.Moves(1) {
		heirs[move.New[0].ID] += move.Range.Fraction()
	}
	fmt.Printf("a inherits %.2f, c inherits %.2f\n", heirs["a"], heirs["c"])
	// Output:
	// a inherits 0.18, c inherits 0.16
}

func ExampleSnapshot_With() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{})
	now := ring.Snapshot()
	next, err := now.With(hashring.Nodes("d")...) // nothing has changed yet
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("peak %.2f now, %.2f after\n", now.Stats().Peak, next.Stats().Peak)
	fmt.Println(ring.Snapshot().Len(), next.Len(), next.Without("d").Fingerprint() == now.Fingerprint())
	// Output:
	// peak 1.07 now, 1.10 after
	// 3 4 true
}

func ExampleDiff() {
	nodes := hashring.Nodes("a", "b", "c", "d")
	loose, _ := hashring.New(nodes, hashring.Options{VNodes: 16})
	tight, _ := hashring.New(nodes, hashring.Options{VNodes: 16, LoadFactor: 1.05})
	moves, err := hashring.Diff(loose.Snapshot(), tight.Snapshot(), 1) // what a re-tuning would cost
	if err != nil {
		log.Fatal(err)
	}
	part := 0.0
	for move := range moves {
		part += move.Range.Fraction()
	}
	fmt.Printf("peak %.2f to %.2f for %.0f%% of the keys\n",
		loose.Snapshot().Stats().Peak, tight.Snapshot().Stats().Peak, 100*part)
	// Output:
	// peak 1.68 to 1.03 for 16% of the keys
}

func ExampleSnapshot_Owner() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{})
	s := ring.Snapshot()
	token := s.Token("user:42") // stored beside the row
	owner, _ := s.Owner(token)
	fmt.Printf("%016x %s %v\n", token, owner.ID, token == s.TokenBytes([]byte("user:42")))
	for node := range s.WalkToken(token) {
		fmt.Print(node.ID, " ")
	}
	// Output:
	// dc1fea7da8d2d1c2 a true
	// a c b
}

func ExampleSnapshot_Ranges() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{VNodes: 2})
	s := ring.Snapshot()
	for _, r := range s.Ranges("a", 1) { // what a owns
		fmt.Printf("%016x … %016x\n", r.First, r.Last)
	}
	fmt.Println(s.Ranges("a", 3)[0] == hashring.Range{First: 0, Last: math.MaxUint64}) // with three replicas, all
	// Output:
	// 0000000000000000 … 37e2cad4e004f963
	// a57d675f15654e45 … ffffffffffffffff
	// true
}

func ExampleSnapshot_AllRanges() {
	ring, _ := hashring.New(hashring.Nodes("a", "b"), hashring.Options{VNodes: 2})
	for r, nodes := range ring.Snapshot().AllRanges(1) {
		fmt.Printf("%016x … %016x %4.1f%% %v\n", r.First, r.Last, 100*r.Fraction(), names(nodes))
	}
	// Output:
	// 0000000000000000 … 37e2cad4e004f963 21.8% [a]
	// 37e2cad4e004f964 … a57d675f15654e44 42.8% [b]
	// a57d675f15654e45 … ffffffffffffffff 35.4% [a]
}

func ExampleSnapshot_Stats() {
	ring, _ := hashring.New([]hashring.Node[string]{{ID: "big", Weight: 2}, {ID: "small"}}, hashring.Options{})
	st := ring.Snapshot().Stats()
	fmt.Printf("%d points, big owns %.3f, peak %.3f, deviation %.3f\n", st.Points, st.Share["big"], st.Peak, st.StdDev)
	// Output:
	// 768 points, big owns 0.675, peak 1.012, deviation 0.019
}

func ExampleSnapshot_Fingerprint() {
	here, _ := hashring.New(hashring.Nodes("a", "b"), hashring.Options{})
	there, _ := hashring.New(hashring.Nodes("b", "a"), hashring.Options{})
	other, _ := hashring.New(hashring.Nodes("a", "b"), hashring.Options{VNodes: 100})
	fmt.Println(here.Snapshot().Fingerprint() == there.Snapshot().Fingerprint())
	fmt.Println(here.Snapshot().Fingerprint() == other.Snapshot().Fingerprint())
	// Output:
	// true
	// false
}

func ExampleSnapshot_All() {
	ring, _ := hashring.New(hashring.Nodes("b", "a"), hashring.Options{})
	s := ring.Snapshot()
	fmt.Println(names(slices.Collect(s.All())), s.Len())
	_, ok := s.Node("c")
	fmt.Println(ok)
	// Output:
	// [a b] 2
	// false
}

func ExampleBalancer() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{})
	balancer, err := hashring.NewBalancer(ring, hashring.BalancerOptions{LoadFactor: 1.25})
	if err != nil {
		log.Fatal(err)
	}
	for range 6 { // six requests in flight for one hot key
		lease, ok := balancer.Acquire("hot")
		if !ok {
			log.Fatal("no nodes")
		}
		defer lease.Release()
	}
	st := balancer.Stats()
	fmt.Println(st.Total, st.Load, st.Spilled)
	// Output:
	// 6 map[a:3 c:3] 3
}

func ExampleBalancer_AcquireFunc() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{})
	balancer, _ := hashring.NewBalancer(ring, hashring.BalancerOptions{})
	healthy := func(n hashring.Node[string]) bool { return n.ID == "b" }
	for range 4 {
		lease, _ := balancer.AcquireFunc("hot", healthy)
		defer lease.Release()
	}
	st := balancer.Stats()
	fmt.Println(st.Load, st.Forced > 0)
	// Output:
	// map[b:4] true
}

func ExampleModulo() {
	token := hashring.Hash("user:42")
	fmt.Println(hashring.Modulo(token, 10), hashring.Modulo(token, 11), hashring.Modulo(token, 0))
	// Output:
	// 6 0 -1
}

func ExampleJump() {
	token := hashring.Hash("user:42")
	fmt.Println(hashring.Jump(token, 10), hashring.Jump(token, 11), hashring.Jump(token, 0))
	// Output:
	// 5 5 -1
}

func ExampleHashTag() {
	fmt.Println(hashring.HashTag("{user:42}:cart"), hashring.HashTag("user:42"))
	// Output:
	// user:42 user:42
}

func ExampleSlot() {
	fmt.Println(hashring.Slot("user:42"), hashring.Slot("{user:42}:cart"))
	// Output:
	// 15880 15880
}

func ExampleSnapshot_Subset() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c", "d", "e", "f"), hashring.Options{})
	for _, tenant := range []string{"acme", "globex"} {
		shard := ring.Snapshot().Subset(tenant, 3)
		owner, _ := shard.Get("invoice:1")
		fmt.Println(tenant, names(slices.Collect(shard.All())), owner)
	}
	// Output:
	// acme [b e f] e
	// globex [c d e] e
}

func ExampleFromSpec() {
	ring, _ := hashring.New([]hashring.Node[string]{{ID: "a"}, {ID: "b", Weight: 2}}, hashring.Options{})
	text, err := json.Marshal(ring.Snapshot().Spec()) // to a file, a header, another service
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))

	var spec hashring.Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		log.Fatal(err)
	}
	dial := func(id string) (string, error) { return "tcp://" + id, nil }
	same, err := hashring.FromSpec(spec, nil, dial)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(same.GetN("user:42", 2))
	// Output:
	// {"vnodes":256,"nodes":[{"id":"a"},{"id":"b","weight":2}],"fingerprint":"11055180233572681566"}
	// [tcp://a tcp://b]
}

func ExampleRangeMap() {
	var shards hashring.RangeMap[string, string]
	shards.Set("", "shard-1")
	shards.Set("m", "shard-2")
	shards.Set("p", "shard-3") // split a hot range
	for _, name := range []string{"alice", "mallory", "peggy"} {
		shard, _ := shards.Get(name)
		fmt.Println(name, shard)
	}
	fmt.Println(shards.Remove("p"), shards.Len()) // merge it back
	for from, shard := range shards.All() {
		fmt.Printf("from %q: %s\n", from, shard)
	}
	// Output:
	// alice shard-1
	// mallory shard-2
	// peggy shard-3
	// true 2
	// from "": shard-1
	// from "m": shard-2
}

func ExampleDirectory() {
	ring, _ := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{})
	dir := hashring.NewDirectory(ring.Get)
	ctx := context.Background()
	err := dir.Move(ctx, "user:42", "own", func(_ context.Context, from, to string) error {
		fmt.Println("copy from", from, "to", to)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	err = dir.Write(ctx, "user:42", func(_ context.Context, owner string) error {
		fmt.Println("write to", owner)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// copy from a to own
	// write to own
}
