// Package hashring maps keys to nodes by consistent hashing with virtual nodes: it answers which node owns a key,
// in constant time, without a lock or an allocation and alike in every process, and it lists exactly which key
// ranges move, from where and to where, when the membership changes.
//
//	ring, err := hashring.New(hashring.Nodes("cache-1", "cache-2", "cache-3"), hashring.Options{})
//	if err != nil {
//		return err
//	}
//	owner, ok := ring.Get("user:42")        // the node; false only on an empty ring
//	replicas := ring.GetN("user:42", 2)     // two distinct nodes, in two zones if there are zones
//
// A Node carries any value, such as a client or a DSN, so the package shards any store; it does no I/O itself.
// Start with New, Node, Options and the methods of Ring. Snapshot is for those who inspect or plan, Change.Moves
// for those who must copy data, Balancer for hot keys, RangeMap and Directory for the other ways to shard.
//
// # How it works
//
// The ring is the space of all 64-bit tokens, closed to a circle. Each node stands on it at many points, derived
// from its ID alone. A key is hashed to a token, and the first point at or after the token says who owns it:
//
//	     0 = 2⁶⁴
//	   b ──┴── a
//	 a           c       key ─XXH64─▶ token
//	│             │                     │ clockwise
//	c             b  ◀──────────────────┘ b owns the key; a, the next other
//	 b           a                        node on the way, is its replica
//	   c ───── b
//
// When a node joins, its points cut arcs out of those of others: only keys that fall to the joiner move, about
// 1/(n+1) of them. When it leaves, each of its many arcs falls to another neighbour, so its load spreads over all.
// With hash modulo n, n/(n+1) of the keys would move; Modulo and Jump are here to compare.
//
// The points lie in one sorted table with an index over their top bits, so that a lookup is one hash, one load of
// the index and about one comparison, whatever the number of nodes:
//
//	token ─top bits─▶ index ──▶ tokens  …│ 3fa1… │ 3fc8… │ 4002… │…     2 to 4 buckets a point
//	                            owners  …│   b   │   a   │   c   │…
//
// Preference order. The owner comes first, then the nodes in the order in which the ring meets them. With zones
// the key of the order is (rank within the zone, distance): every zone's nearest node, then every zone's second
// nearest, and so on. That is a total order, so GetN(k) is a prefix of GetN(k+1), and a join only lowers ranks
// of its own zone, so it changes at most one member of any replica set.
//
// LoadFactor deals the arcs out in ring order, each to the first node from there on whose room, LoadFactor times
// its fair share, is large enough. The rooms add up to more than the ring, so that cannot fail, and it is done in
// integers, so it does not depend on the order of a sum. A lookup costs the same as without.
//
// A Ring is one atomic pointer to an immutable Snapshot. Writers build the next one aside, merging in only the
// points that differ, and switch the pointer.
//
// # Choosing
//
// VNodes. The share of a node has a standard deviation of about 1/√VNodes of its fair share, and the largest of n
// nodes is about √(2·ln n) deviations above. Worked: 256 points give 1/16 = 6.3 %, the fullest of 100 nodes has
// about 1 + 3.0·0.063 = 1.19 times its share, and the table takes 256·100·(20 … 28) bytes, 0.5 to 0.7 MB. Four
// times the points halve the deviation.
//
// LoadFactor. Set it where a full node hurts more than some extra movement: 1.25 costs practically none, 1.05 about
// a third more than the ideal on a join, 1.02 about half more (100 nodes with 256 points). Without it only the
// joiner gains, which some stores rely on.
//
// Balancer, where single keys are hot or requests differ in cost: it bounds the requests in flight per node, at
// run time, and lets a hot key spill along its preference list.
//
// Weight, for machines of different power. Weights are absolute: a node of weight 2 gets twice the points, and no
// other node's points change. Drain a node by lowering its weight in steps.
//
// Zone, for replicas that must not share a rack or a data centre. Seed, where users choose keys and could aim them
// at one node. HashTags, where several keys must live together. RangeMap, where keys are read in order. Directory,
// where one key deserves a place of its own. Subset, where tenants must not share all their nodes.
//
// # Guarantees
//
//  1. Identity. The same nodes and options give the same owners and the same Fingerprint in any process, order of
//     insertion and history; a node that leaves and returns gets exactly its old ranges. The placement is
//     published in PLACEMENT.md, with known answers in testdata, and will never change.
//  2. Minimal movement, without a LoadFactor. A join moves keys only to the joiner, a leave only from the leaver,
//     a change of weight only to or from that node. With n replicas each alters at most one member of a set.
//  3. Bound. With LoadFactor f no node owns more than ceil(2⁶⁴·f·q/Q) tokens, of q points out of Q; exactly.
//  4. Distinct replicas. GetN and Walk give each node once; the counts of two zones differ by at most one until
//     one of them is used up.
//  5. Exact plans. Moves yields disjoint ascending ranges, precisely where the ordered replica lists differ.
//     AllRanges partitions the tokens. Ranges include both ends and never wrap, ready for SQL's BETWEEN.
//  6. Concurrency. All types may be used by any number of goroutines. Reads of Ring, Snapshot and RangeMap take no
//     lock, never wait for a writer and see one whole version. Writers are serialised; a Change is the pair of
//     versions of its own writer. Snapshots stay valid for ever.
//  7. All or nothing. On an error the ring is as before. Add and Remove state the wanted outcome: to repeat one
//     changes nothing, an unknown ID is ignored.
//  8. Balancer. Acquire never takes a load over its bound; AcquireFunc refuses only if no node is allowed.
//  9. Directory. While Move copies, no Write of that key runs; a failed move leaves the key as it was.
//
// # Costs
//
// With V points, n nodes and k replicas:
//
//	Get, Owner               O(1), no allocation; O(log V) at worst, with hostile explicit tokens
//	GetN, AppendN, Walk      O(k) expected; with z zones O(z + k); AppendN and Walk do not allocate
//	                         up to 16 nodes and 8 zones
//	New                      O(V), 5 allocations and a few per zone; no comparison sort
//	Add, Remove, Set         O(V) copying, hashing only the nodes that differ; with a bound the arcs are dealt anew
//	Moves, Ranges, AllRanges O(V·k), lazily
//	Acquire, Release         a lookup and four atomic operations, no allocation
//	Group                    a lookup a key, one allocation for the keys; a second above 2048 keys and nodes
//	memory                   20 to 28 bytes a point, once more where there are zones, 4 more with a bound;
//	                         old versions live as long as somebody holds them
//
// Figures against other packages: go run ./benchmarks/cmd/compare -pkg hashring.
//
// Designs tried and left, measured in turns with the one that stayed, with 160 points a node:
//
//   - One line of 64 bytes for about four points: ten 11-bit prefixes, compared in two words at once, and their
//     owners. Get 1.06 times as fast at 100 nodes and 1.25 times at 10 000, where it saves two cache misses out of
//     three; but 28 bytes a point instead of 20, and a change would copy a third more.
//   - The owner beside its token, in 12 or 16 bytes: level at 100 and at 10 000 nodes.
//   - No branch on the first token in tables of any size: Get 1.15 times as fast at 100 nodes, 0.7 times at 1000
//     and 10 000, since the owner is then loaded after the token. Small tables, and zones, do it.
//   - Both possible owners loaded ahead of the comparison: 0.9 times at 100 nodes, level at 10 000.
//   - XXH64 of short keys in Go, to spare the call of assembly: 0.9 times.
//   - Get as one function with hash and search written out: level.
//   - Values beside the nodes: level. An index of half the density: Add and Remove 1.3 times as fast, Get 0.8 times.
//   - Of Add and Remove, two fifths of the time are copying, the rest is the collector, which frees the tables of
//     old versions. Only tables that share their unchanged parts would do less, with one more load in each Get.
//
// # Limits
//
// It finds no members and detects no failures: call Set from memberlist, Kubernetes or DNS, and pass health to
// AcquireFunc or skip nodes in Walk. All processes must be given the same members; compare Fingerprints.
//
// Between two processes that learn of a change at different moments, owners differ for a while. A store needs
// versions or a hand-off; Change keeps both sides for dual reads.
//
// A change copies the tables: at 10 000 nodes with 256 points that is 50 MB. Batch changes in one Add or Set.
//
// Hostile keys: XXH64 is not keyed. Seed hides where keys land from those who do not see tokens or fingerprints,
// but full 64-bit collisions of XXH64 can be made and hit any seed; against that supply a keyed Hash, such as
// SipHash. A Hash that ignores its input is legal and gives all keys to one node. Explicit Tokens may crowd one
// spot; lookups there go by halving.
//
// The bound concerns tokens, not traffic: a single key that takes half the traffic is a matter for the Balancer.
// The Balancer and the Directory count within one process.
//
// At most 1<<20 points a node and 1<<31 in all. Jump needs no memory and is perfectly even; rendezvous hashing
// needs no table for few nodes. Where only the last node ever leaves, Jump is the better choice.
//
// # References
//
// Karger et al., Consistent Hashing and Random Trees, STOC 1997, the method. DeCandia et al., Dynamo: Amazon's
// Highly Available Key-value Store, SOSP 2007, virtual nodes and preference lists. Mirrokni, Thorup, Zadimoghaddam,
// Consistent Hashing with Bounded Loads, 2016, the idea behind LoadFactor and Balancer. Lamping and Veach, A Fast,
// Minimal Memory, Consistent Hash Algorithm, 2014, Jump. Steele, Lea, Flood, Fast Splittable Pseudorandom Number
// Generators, OOPSLA 2014, the mixing of points. Redis Cluster specification, HashTag and Slot. Amazon Builders'
// Library, Workload isolation using shuffle-sharding, Subset.
package hashring
