// Package redisid keeps the counters and the worker leases of package idgen in Redis or Valkey, through any client.
//
//	leaser, err := redisid.NewLeaser(rdb.Do, "orders", redisid.LeaserOptions{}) // rdb: go-redis
//	if err != nil {
//		return err
//	}
//	gen, err := idgen.NewLeased(ctx, leaser, idgen.SnowflakeOptions{})
//
// # How it works
//
// The package asks for a function that sends one command, not for a client. The Do of go-redis's Client, ClusterClient and
// UniversalClient fits as it is. Any other client needs a few lines:
//
//	type reply struct {
//		value any
//		err   error
//	}
//	func (r reply) Result() (any, error) { return r.value, r.err }
//
//	// redigo
//	do := func(ctx context.Context, args ...any) reply {
//		conn, err := pool.GetContext(ctx)
//		if err != nil {
//			return reply{err: err}
//		}
//		defer conn.Close()
//		v, err := redis.DoContext(conn, ctx, args[0].(string), args[1:]...)
//		return reply{v, err}
//	}
//
//	// rueidis and valkey-go
//	do := func(ctx context.Context, args ...any) reply {
//		words := make([]string, len(args))
//		for i, a := range args {
//			words[i] = fmt.Sprint(a)
//		}
//		v, err := client.Do(ctx, client.B().Arbitrary(words...).Build()).ToAny()
//		return reply{v, err}
//	}
//
// Each operation is one command or one script on one key, so it is atomic and works in a cluster:
//
//	counter   key                      INCRBY key n              text of the last number given out
//	leases    Prefix + namespace       one script per operation  hash: worker -> "token until_us owner"
//
// Scripts use the server's clock and integers below 2^53, and are sent by hash first.
//
// # Choosing
//
// [NewLeaser] for ids sorted by time, [NewCounter] under idgen.NewSegment for dense numbers. FloorRate where the data may be
// flushed or a fail-over may lose writes: the counter never stands below (server time - FloorEpoch) * FloorRate. It has to
// be above the rate at which numbers are used: with 10,000 per second on average, FloorRate 20,000 leaves a second of safety
// per second of life, and reaches 2^53 after 14,000 years.
//
// # Guarantees
//
//  1. Ranges of one counter never overlap, windows of one worker never overlap, as long as Redis keeps what it has
//     acknowledged; with FloorRate, ranges do not overlap after a loss either while the average rate stays below it.
//  2. A caller whose clock differs more than MaxSkew from the server's is refused with idgen.ErrClock.
//  3. A reply of unexpected shape is an error, never "free" or "granted".
//  4. Nothing is retried but a script that the server did not know, which it has not run.
//
// # Costs
//
// One round trip per operation. Acquire reads the hash of its namespace, O(workers). The keys have no TTL: they are the
// memory that makes numbers unique.
//
// # Limits
//
//   - Replication is asynchronous: a fail-over that loses an Acquire can grant an overlapping window, for at most one TTL.
//     min-replicas-to-write narrows it; package sqlid has no such gap. WAIT does not help: it counts the writes of its own
//     connection, and a pooled Do may use another one.
//   - A flush repeats numbers of a counter without FloorRate. idgen.Segment notices within a process (ErrRegressed).
//   - With FloorRate, numbers end at 2^53 (idgen.ErrOverflow): Lua counts in doubles.
//   - An eviction policy that touches keys without TTL (allkeys-*) is a loss of data here.
//
// # References
//
//   - Redis documentation: INCRBY, EVALSHA, Redis replication.
//   - M. Kleppmann, How to do distributed locking (2016): why a lease needs a fence, here the window of ID time.
package redisid
