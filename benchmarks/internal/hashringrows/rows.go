// Package hashringrows compares package hashring with other packages for consistent hashing.
//
// Keys have 13 bytes and come from a table larger than the caches of a branch predictor; nodes are node-000 … with
// 160 points each, ours and the peers'. Each peer hashes as its own documentation says, and gets its keys in the
// form that it takes, so that no conversion is charged to it.
package hashringrows

import (
	"fmt"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/hashring"
)

const points = 160 // a node

// sizes are those of the table, or small ones to see it work.
type sizes struct {
	nodes, many, keys int
}

// Rows returns the rows of hashring.
func Rows(quick bool) ([]harness.Row, error) {
	z := sizes{nodes: 100, many: 10_000, keys: 1 << 20}
	if quick {
		z = sizes{nodes: 10, many: 100, keys: 1 << 10}
	}
	rows := lookups(z)
	rows = append(rows, parallel(z)...)
	rows = append(rows, changes(z)...)
	return append(rows, extras(z)...), nil
}

// lookups are the rows of Get and GetN.
func lookups(z sizes) []harness.Row {
	get := func(peer harness.Contender, target float64) harness.Row {
		return harness.Row{
			Workload: fmt.Sprintf("Get, %d nodes, against %s", z.nodes, peer.Name),
			Ours:     ourGet(z, z.nodes), Peers: []harness.Contender{peer}, Target: harness.AtLeast(target),
		}
	}
	replicas := func(peer harness.Contender) harness.Row {
		return harness.Row{
			Workload: fmt.Sprintf("AppendN 3, %d nodes, against %s", z.nodes, peer.Name),
			Ours:     ourAppendN(z, 0), Peers: []harness.Contender{peer}, Target: harness.AtLeast(8),
		}
	}
	unzoned := ourAppendN(z, 0)
	unzoned.Name = "ours without zones"
	return []harness.Row{
		get(stathatGet(z), 10),
		get(authzedGet(z), 10),
		get(groupcacheGet(z), 10),
		get(serialxGet(z), 25),
		get(rendezvousGet(z), 8),
		get(jumpGet(z), 3),
		{
			Workload: fmt.Sprintf("Get, %d nodes, %d keys", z.many, z.keys),
			Ours:     ourGet(z, z.many), Peers: []harness.Contender{searchGet(z)}, Target: harness.AtLeast(4),
		},
		replicas(stathatGetN(z)),
		replicas(authzedFindN(z)),
		{
			Workload: fmt.Sprintf("AppendN 3, %d nodes, 3 zones", z.nodes),
			Ours:     ourAppendN(z, 3), Peers: []harness.Contender{unzoned}, Target: harness.AtMost(2),
		},
	}
}

// parallel are the rows in which several goroutines read.
func parallel(z sizes) []harness.Row {
	var rows []harness.Row
	for _, procs := range []int{1, 2, 8} {
		target := harness.Report()
		if procs == 8 {
			target = harness.AtLeast(20)
		}
		rows = append(rows, harness.Row{
			Workload: fmt.Sprintf("Get, %d goroutines on as many processors", procs),
			Ours:     inParallel(procs, ourParallelGet(z)),
			Peers:    []harness.Contender{inParallel(procs, authzedParallelGet(z))},
			Target:   target, MaxAllocs: 0.5, // the goroutines themselves
		})
	}
	return rows
}

// changes are the rows of building, changing and planning.
func changes(z sizes) []harness.Row {
	plan := func(n int, target float64) harness.Row {
		return harness.Row{
			Workload: fmt.Sprintf("Moves(%d), %d nodes and one more", n, z.many/10),
			Ours:     ourMoves(z, n), Peers: []harness.Contender{ourGetPerBoundary(z)},
			Target: harness.AtMost(target), MaxAllocs: harness.NoAllocLimit,
		}
	}
	return []harness.Row{
		{
			Workload: fmt.Sprintf("Add and Remove, %d nodes", z.nodes),
			Ours:     ourAddRemove(z), Peers: []harness.Contender{authzedAddRemove(z)},
			Target: harness.AtLeast(100), MaxAllocs: 20,
		},
		{
			Workload: fmt.Sprintf("New, %d nodes", z.many/10),
			Ours:     ourBuild(z), Peers: []harness.Contender{sortBuild(z)},
			Target: harness.AtLeast(2), MaxAllocs: 5,
		},
		plan(1, 1),
		plan(3, 5),
	}
}

// extras are the rows of memory, balancer and group.
func extras(z sizes) []harness.Row {
	get := ourGet(z, z.nodes)
	get.Name = "our Get"
	return []harness.Row{
		{
			Workload: fmt.Sprintf("memory, %d nodes of 256 points", z.many/5), Unit: "B/point",
			Ours: ourBytes(z), Target: harness.Limit(28),
		},
		{
			Workload: fmt.Sprintf("memory, %d nodes", z.nodes), Unit: "B/node",
			Ours: heapOf("ours", z, func() any { return ourRing(z.nodes, 0, points) }),
			Peers: []harness.Contender{
				heapOf("stathat", z, func() any { return newStathat(z) }),
				heapOf("authzed", z, func() any { return newAuthzed(z) }),
				heapOf("groupcache", z, func() any { return newGroupcache(z) }),
				heapOf("serialx", z, func() any { return newSerialx(z) }),
				heapOf("go-rendezvous", z, func() any { return newRendezvous(z) }),
			},
			Target: harness.Report(),
		},
		{
			Workload: fmt.Sprintf("Acquire and Release, %d nodes", z.nodes),
			Ours:     ourAcquire(z), Peers: []harness.Contender{get}, Target: harness.AtMost(4),
		},
		{
			Workload: "Group of 1000 keys",
			Ours:     ourGroup(z), Peers: []harness.Contender{ourThousandGets(z)},
			Target: harness.AtMost(1.5), MaxAllocs: 3,
		},
	}
}

// names are node-000, node-001, ….
func names(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("node-%03d", i)
	}
	return ids
}

const keySize = 13

// keyTable returns n random keys of 13 bytes; n is a power of two. They lie one after the other: keys allocated one
// by one fill the holes that earlier rows left in the heap, and then fetching the keys is what a row measures.
func keyTable(n int) []string {
	text := string(keyText(n))
	keys := make([]string, n)
	for i := range keys {
		keys[i] = text[i*keySize:][:keySize]
	}
	return keys
}

// keyBytes are the same keys for peers that take bytes.
func keyBytes(n int) [][]byte {
	text := keyText(n)
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = text[i*keySize:][:keySize:keySize]
	}
	return keys
}

func keyText(n int) []byte {
	text := make([]byte, 0, n*keySize)
	for i := range n {
		text = fmt.Appendf(text, "key-%09d", mix64(uint64(i))%1e9)
	}
	return text
}

// few is the size of the key table where the keys are not the point of the row.
const few = 1 << 16

// mix64 is the finaliser of SplitMix64.
func mix64(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// overKeys makes a contender that looks keys up. Each writes the loop over keys[at:] out, since a call through a
// function value for every key would be a good part of the fast ones' time.
func overKeys(name string, keys int, setup func() func(keys []string)) harness.Contender {
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		get := setup()
		table, at := keyTable(keys), 0
		return func(n int) {
			for n > 0 {
				part := min(n, keys-at)
				get(table[at : at+part])
				at, n = (at+part)%keys, n-part
			}
		}, nil, nil
	}}
}

// ourRing never fails: its nodes are valid.
func ourRing(nodes, zones, vnodes int) *hashring.Ring[string] {
	list := hashring.Nodes(names(nodes)...)
	for i := range list {
		if zones > 0 {
			list[i].Zone = fmt.Sprint("zone-", i%zones)
		}
	}
	r, err := hashring.New(list, hashring.Options{VNodes: vnodes})
	if err != nil {
		panic(err)
	}
	return r
}
