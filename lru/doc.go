// Package lru is an in-process cache: bounded, fast when every core reads it, exact about capacity and deadlines, and
// without background goroutines.
//
//	pages, err := lru.New(10_000, lru.Options[string, []byte]{TTL: time.Minute})
//	if err != nil {
//		return err
//	}
//	pages.Set("/", body)
//	body, ok := pages.Get("/")
//
// Ten names are enough for a start: New, Options, Get, Set, Remove, GetOrLoad, Fetch, Len, All and Stats. The rest is
// a field of Options or Loading, or a method that is found when it is needed.
//
// # How it works
//
// A cache is split into shards by the hash of the key. Each has a table that is read without a lock, and under its
// lock an order in which entries leave:
//
//	             ┌ ctrl ┬ slot ┬ slot ┬ … 7 ┐  one cache line: seven tags, seven pointers
//	hash ──────► │ tags │  ●   │      │     │
//	             └──────┴──┼───┴──────┴─────┘
//	                       ▼
//	                 ┌───────────┐      shard (under its lock, for writers)
//	                 │ uses 0…3  │      window ──► probation ◄──► protected
//	                 │ key       │      sketch of key frequencies
//	                 │ value     │      wheel of deadlines
//	                 │ deadline? │      loads in flight
//	                 └───────────┘
//
// A hit finds the entry and raises its use counter, until that is 3: from then on it writes nothing. Values of one
// machine word change in place by an atomic store; for other values a new entry takes the place of the old one, so no
// reader ever sees half a value. A full table is copied into a larger one that a single store publishes.
//
// An entry whose bucket is full stands up to three buckets farther; its tag tells how far. When an entry leaves, one that
// had to pass takes its place, so a search that fails looks at two or three buckets however many entries came and went. A
// reader that found nothing looks again if something moved meanwhile. The queues of the order carry the hash beside the
// pointer: an eviction asks for all the cache lines that it is going to need at once and waits for memory once.
//
// The capacity is one budget for all shards: nothing is evicted while the whole is within it, and one entry may weigh
// as much as the whole. A shard that cannot free enough leaves the rest to others, one lock at a time.
//
// Adaptive is a W-TinyLFU: new entries enter the window, a queue; at its end they must have been seen more often than
// the next victim of the main part to replace it. Both parts give used entries a second chance when a hand passes,
// and what was used on probation becomes protected, up to four fifths of main. A lead of a single count decides only as
// long as entries admitted by it are used again: on a loop the newcomer always leads by the access that brought it.
//
// The share of the window decides on which streams the cache is good: 0.5 % is best for loops, scans and constant
// popularity, 90 % where keys come in bursts and never again. It is set by marginal utility. A sample of the keys that
// left without a use tells, when they are missed, which larger window would have had them; a cursor that looks at one
// entry per miss tells how many uses the least popular entries of main get. The other way round, the uses at the end of
// the window tell what a smaller one would lose, and the misses on keys that the sketch has counted often what a larger
// main would win. Four times per as many misses as there are entries the window goes where the balance is best, and hands
// over or takes four entries per eviction until it is there. Nothing of this happens on a hit.
//
// Other designs were tried on the traces of the benchmarks. Without the protected part Zipf streams larger than
// the cache lost up to 2.7 points. In the same 8 bytes per entry, a sketch of four-bit counters took more new keys for
// known ones and lost 0.2 to 0.4 on Zipf streams of 1e6 keys at 10,000; counters of two bits gained up to 0.3 there and lost 1
// to 3 where the hot set nearly fits (sprite:500, p3:100000). Tagged exact counters, five per entry, forgot too soon:
// 1.2 to 2.0 points. A margin of one count for every admission lost 0.5 on Zipf, none at all lost 9 on
// loop:250 and everything on a loop of ten capacities: hence the feedback above. A sketch in which all counters of a key
// grow needs 13 bytes per entry for what 8 do when only the lowest grow. A window that could not hand entries over
// without a duel stayed as large as it once was: 3 to 5 points on p3, 5 on sprite:250, 24 where bursts and loops
// alternate. A hill climber that takes a move back when the share of uses falls gained nothing over the balance alone
// and lost on streams with phases. Counters to 15 instead of 3 gained nothing. Ranking main by the uses of the last
// period instead of by the sketch took chance for unpopularity and lost up to 7 points on Zipf. Deciding
// on figures from before the shard was full, or before the window had its share, lost up to 9 points on short bursts and
// gained up to 2 on some short traces. What a larger main would win was once extrapolated from its own least popular entries as if
// popularity were Zipf's: 1 point less on drifting loops, 1.4 on multi3:1200. The window starts with 35 %: with 15 to 20 %
// multi3 gains 0.3, bursts lose 9, since distances between uses are counted in misses, which a larger window would
// make fewer; keys that return once, just within its reach, are not noticed. Correcting those distances by the theory
// of average eviction time found such keys, but moved loops and p3 to windows that lost 1 to 4. Taking every balance
// as it is, without its standard deviation, cost up to 0.5 by moves to and fro. What the mechanism costs is the time to
// notice a change: where one hot set replaces another (shift) a plain LRU is up to half a point ahead.
//
// Expiry is found by a timing wheel per shard and one timer per cache, armed only while there is a deadline. The timer
// holds the cache weakly: there is nothing to close, and an unused cache is collected.
//
// A load is a record under its key. A write or removal of the key takes the record away; a load whose record is
// gone gives its result to its callers and stores nothing.
//
// Behind the cache may stand a store, beside it a snapshot, below it a tier:
//
//	Fetch ──► Cache ──miss──► Overflow (diskstore) ──miss──► Load, or the Store of a Backed
//	            │ evicted ────────►│
//	            │ Save ──► snapshot ──► Restore, Warm
//
// Backed writes through, around or behind the cache. What is not saved yet stands in a table that reads ask before
// the store, in the order in which the writes took effect on the cache. Save and Restore move the hottest entries to
// another process; Warm takes them from anywhere, behind everything that is there, and heeds what is written meanwhile by
// a bit per hash. Overflow keeps evicted entries elsewhere until they are asked for: in lru/diskstore on local files. A
// second level that processes share is lru/rediscache, and lru/golanglru has the names of another package.
//
// # Choosing
//
// The capacity decides the hit ratio, the hit ratio the load on what is behind: with r requests a second and a hit
// ratio h, the source sees r·(1−h). At 20,000 requests a second, going from h = 0.90 to 0.95 halves the load from 2000
// to 1000 a second; Curve tells from the live stream which capacity that takes. In memory an entry costs about 60 bytes
// for a key and a value of one word, plus what they point to.
//
// Adaptive, the default, is right unless the order itself matters. LRU, LFU, FIFO and SIEVE are those algorithms to
// the letter and run in one shard; LRU and LFU take its lock for hits too.
//
// TTL bounds how old data may get, TTI drops what nobody wants, Jitter spreads the expiry of what was written together.
// For an expensive source add Loading.RefreshAfter (no reader waits for what is merely old), StaleFor (a failing
// source is survived), NegativeTTL and ErrorTTL (misses and failures are not repeated), and BatchWindow (misses join
// into one query).
//
// Where writes go through the program, NewBacked keeps cache and store together: WriteThrough where readers elsewhere
// must see a write at once, WriteAround where what is written is seldom read soon, WriteBack where many writes hit few
// keys and the last second may be lost: at 5000 writes a second to 300 counters the store sees 300 a second.
//
// # Guarantees
//
//  1. Every operation on one key is linearizable, loads included.
//  2. At rest the weight is within the capacity, pinned entries (weight 0) apart; with k concurrent writers it may be
//     exceeded by k entries. Nothing is evicted for size below it.
//  3. From its deadline on an entry is absent, whatever the operation, by the monotonic clock. Its memory and event
//     follow within max(1 s, lifetime/64).
//  4. No function of the user runs under a lock of the cache; the methods of a Tier run one at a time per shard. A panic or runtime.Goexit in one reaches the caller, in a loader as
//     *PanicError, and leaves the cache whole. The listener is the exception where it runs on the timer or behind a
//     background load: a panic there ends the program.
//  5. The listener hears of each departed value once, in order per key. One goroutine at a time tells the events of a
//     shard, so another one may deliver ours.
//  6. One load per key at a time. A caller leaves with its own context; the load is cancelled with the last one.
//  7. No goroutine outlives the load that it runs, or the writes that it saves (WriteBack). Everything works inside a testing/synctest bubble.
//
// # Costs
//
// A hit takes no lock (LRU and LFU: one) and allocates nothing; an insertion allocates the entry; updating a word
// allocates nothing. Without TTL, TTI and SetTTL no clock is read. All operations are O(1) apart from
// those that name many entries: Clear, RemoveFunc, RemoveExpired, Resize and iteration, which copies one pointer per
// entry of a shard (Coldest and Hottest: of the cache). An LFU halves its counts in O(n log n) once per 10 × capacity uses.
//
// An entry of word-sized key and value takes 24 bytes (32 with a deadline, 80 with weights, tags, TTI or
// RefreshAfter), about 12 in the table, 16 in the order, 8 in the sketch and, with a deadline, 8 to 16 in the wheel.
//
// A hit of an integer key is a hash of 3 ns and two cache misses, one after the other: the bucket and the entry. An
// insertion into a full cache touches about twelve lines: bucket, sketch, entry and queue of the new key, of the candidate
// and of the victim, and the cursor's. Where the cache does not fit the processor's and a miss takes 150 ns or more, the
// misses are the insertion; shards that two cores use in turn add the transfers between them. A write to a hot key costs
// the transfer of its line to every core that reads it.
//
// What was tried for speed, on 2 cores, nanoseconds per operation before and after. Mixing integers in place instead of
// maphash.Comparable: a hit 21 to 17; maphash.String for strings: within the noise. Buckets of twelve 32-bit indices into a slab of
// entries: 16; keys and values inside the bucket: 16; neither is worth memory that is used again while readers look at it,
// which only works for words. A path of its own for writes to present keys: 106 to 70 with half writes. The same
// without the shard's lock, by a bit in the entry: 71 to 82, no gain. Entries that stay where they first found room (the
// first table): 35 buckets for a search that fails. Moving them closer with one bit of the home bucket in the tag: 24, with
// two bits and no bound on the distance: 12; with the bound: 2.4. An evicting insertion, in one state of the machine: 1500
// with the first table, 1415 with hashes in the queues, 1280 when the lines are asked for at once, 880 with the second
// table. Asking for the lines of the shard itself as well: nothing.
//
// The slowest read in a thousand while a cache grows takes tens of µs, here as in the peers (p99.9 in the comparison of the
// README); what it waits for was not found.
//
// # Limits
//
// Weights are not part of admission: a large entry displaces several small ones by its frequency alone. Keys that
// differ from themselves (NaN) can be stored but never found. The function of Compute must not write the key it
// computes. Values kept for StaleFor count in Len. A shard remembers at most 4096 failed keys. Hash seeds are
// random, and refused keys are admitted at random now and then, so that somebody who chooses keys cannot pin the
// contents; but who floods the cache with keys of real popularity gets them cached.
//
// # References
//
//   - Einziger, Friedman, Manes: TinyLFU, a highly efficient cache admission policy. ACM TOS 2017.
//   - Estan, Varghese: New directions in traffic measurement and accounting. SIGCOMM 2002.
//   - Einziger, Eytan, Friedman, Manes: Adaptive software cache management. Middleware 2018.
//   - Zhang and others: SIEVE is simpler than LRU. NSDI 2024.
//   - Varghese, Lauck: Hashed and hierarchical timing wheels. SOSP 1987.
//   - Vattani, Chierichetti, Lowenstein: Optimal probabilistic cache stampede prevention. VLDB 2015.
//   - Waldspurger, Park, Garthwaite, Ahmad: Efficient MRC construction with SHARDS. FAST 2015.
package lru
