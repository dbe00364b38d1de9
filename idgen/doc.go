// Package idgen gives every row, event and object of a distributed system an identifier that no other machine gives,
// without asking anybody on the hot path, and says under which conditions that holds.
//
//	gen, err := idgen.NewSnowflake(1, idgen.SnowflakeOptions{})
//	if err != nil {
//		return err
//	}
//	id, err := gen.Next(ctx) // 219881274368000001: a string in JSON, a BIGINT in SQL
//
// The scene that needs it: a table is split over two databases, and each has an AUTO_INCREMENT column. Both hand out 1,
// 2, 3. The first service that looks up "order 2" finds two of them.
//
// # How it works
//
// An ID is 63 bits, so that it fits a BIGINT and never turns negative. A [Layout] divides them:
//
//	 63           41           33       27        0
//	  +------------+------------+--------+--------+
//	0 |    time    |   shard    | worker |  seq   |   Layout{TimeBits: 41, ShardBits: 8, WorkerBits: 6, SeqBits: 8}
//	  +------------+------------+--------+--------+
//	    ticks since  chosen per   one per  counts
//	    the epoch    call         process  within the tick
//
// A [Snowflake] keeps one 64-bit word, tick<<SeqBits | seq: the next free slot. The worker and the shard are added on the
// way out.
//
//	word's tick < now    compare-and-swap to the first slot of now, then as below
//	word's tick = now    fetch-and-add: the old value is yours; an overflow carries into the next tick
//	word's tick > now    the sequence is used up, or the clock went back: reserve a slot, then sleep until its tick
//
// A mark beside the limit says for which tick the second line holds, so that most calls touch the word's cache line once.
// Timers wake late, by up to a millisecond. A tick that callers have waited for is therefore used up before the word moves
// on, at most one tick after its end; and callers take turns in it, so that whoever wakes first does not take it all.
//
// The word only grows, and each slot comes from exactly one atomic operation. That is the whole proof of uniqueness inside
// a process. A caller that must wait knows its slot, so sleepers are served in order, nobody spins, no lock is held, and
// a deadline that cannot be met is refused before a slot is spent.
//
// Between processes the worker number separates. [NewLeased] takes it from a [Leaser]: a grant is a window of ID time,
// and the windows of one number never overlap. The check is made on the number inside the ID, after the atomic operation:
//
//	worker 3   |---- A: 12:00:00 to 12:00:30 ----|---- B: 12:00:30 to 12:01:00 ----|
//	           A is paused at 12:00:10, wakes up at 14:00 and reads any clock it likes: an ID that it can
//	           issue lies below 12:00:30, an ID of B does not. Nobody has to compare fencing tokens.
//
// A [Segment] takes ranges from a [Counter], an INCRBY or a row of a database, and hands them out with a fetch-and-add;
// the next range arrives before the current one ends.
//
// # Choosing
//
//	You need                                             Take                        Costs
//	64-bit keys, sorted by time, no service to ask       NewLeased, or NewSnowflake  a store for the leases, touched
//	                                                     where something assigns     every few seconds
//	                                                     worker numbers
//	dense small numbers                                  Segment over a Counter      a store; gaps after a restart
//	two or more databases that number for themselves     Stride, Tickets             no order between servers
//	no coordination at all                               idgen/uuid: uuid.NewV7      16 bytes per key
//	ids that reveal nothing outside                      idgen/opaque over any       one key to keep
//
// 64 or 128 bits? A UUID costs 8 bytes more in the key, in every index and in every foreign key, and asks for nothing. With
// n random bits a collision among k ids has probability k²/2^(n+1): for v7's 74 bits and k = 1000 ids in the same
// millisecond, 10^6/2^75, about 3e-17.
//
// Bits: the time field of t bits and unit u ends after u*2^t; one worker issues 2^s ids per unit. 41 bits of milliseconds
// are 69.7 years, 12 bits of sequence 4,096,000 ids per second. A service that needs 200,000 ids per second on each of
// 100 processes takes 8 bits of sequence (256,000/s) and 7 of worker, and has 7 bits left for shards.
//
// The shard in an ID is the shard of birth, never a host. [Layout.Shard] reads it back, a map from logical shards to
// databases routes, and a row that moves keeps its key.
//
// Worker numbers on Kubernetes: the ordinal at the end of a StatefulSet pod's host name is one, as long as no two sets
// share a number space. Numbers derived from IP or MAC addresses are the most frequent cause of duplicates; this
// package has no such function.
//
// In a testing/synctest bubble it is 2000-01-01, before every epoch here. Make the generator inside the bubble, after
//
//	<-time.After(time.Until(time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)))
//
// # Guarantees
//
//  1. Unique (U): no two successful calls return the same ID, over all generators with different workers, windows,
//     strides, shards or ranges.
//  2. Ascending (M): in one generator, if call A returned before call B began, A < B: for one shard always, for all shards
//     with SeqFirst, and across a change of the leased worker. For Segment too.
//  3. Timely (T): the ID's tick is at most the clock at return + MaxAhead, and not older than the clock's tick at the call:
//     by one where callers had to wait for that tick, by a second until a step of the wall clock is noticed, by the lag
//     of CoarseClock.
//  4. Never zero (Z): slot 0 of tick 0 is skipped.
//  5. Failed or cancelled calls may burn slots; they never repeat them (F).
//
// Every generator is safe for concurrent use. The clock is the monotonic clock, compared with the wall clock once a
// second: a forward step is followed; after a backward step calls borrow up to MaxAhead, wait up to MaxWait, and fail with
// [ErrClock] beyond, until the clock is back.
//
// # Costs
//
// Next and NextFor: one clock reading (20 to 50 ns on common machines, the larger part), one atomic operation, no lock, no
// allocation; a sleep allocates one timer. Fill: one clock reading and one atomic operation per tick touched. CoarseClock
// saves the reading and costs a goroutine while there is traffic. A Snowflake takes about 1 KB, a Segment likewise.
// Leases: one store call per TTL/3. Segment: one Reserve per range, Target long.
//
// # Limits
//
//   - [NewSnowflake] believes the worker number: two live processes with one number make duplicates. And it forgets at
//     exit: a clock that is set back while the process is down can repeat ids. [FileLeaser] and the stores do not forget.
//   - A lease is as good as its store. A store that loses acknowledged writes, such as Redis in a fail-over, can grant
//     overlapping windows for up to one TTL; SQL cannot.
//   - IDs of different processes are in order to the clocks' difference only.
//   - An ID shows when and where it was made, and sequences can be counted. idgen/opaque hides that.
//   - At the cap, with a Unit shorter than the lateness of the system's timers (about a millisecond on Linux), a generator
//     that sleeps loses part of the ticks that it sleeps through. A MaxAhead of a few milliseconds recovers them.
//   - Hostile text: decoders look at a fixed width, never panic, and accept one text per ID (Base32 aliases aside). An ID
//     from outside may claim any time and shard: [Layout.Check] before routing.
//   - Left out: xid, KSUID, ObjectID and nanoid (a 64-bit ID or a v7 UUID does the same with better order or smaller
//     size); UUID versions 1, 3, 5 and 6; worker numbers from addresses.
//
// # References
//
//   - Twitter, Announcing Snowflake (2010); Instagram Engineering, Sharding & IDs at Instagram (2012).
//   - Flickr, Ticket Servers: Distributed Unique Primary Keys on the Cheap (2010).
//   - C. Gray, D. Cheriton, Leases (SOSP 1989): why a lease needs bounded clocks, which a window of ID time avoids.
//   - T. Granlund, P. Montgomery, Division by Invariant Integers using Multiplication (PLDI 1994).
//   - RFC 9562, Universally Unique IDentifiers (2024).
package idgen
