// Package rediscache is a cache of two levels: package lru in each process, over a Redis that all processes share.
//
//	cache, err := rediscache.New(rdb.Do, 10_000, rediscache.Options[string, User]{
//		Local:     lru.Options[string, User]{Load: fromDatabase, TTL: time.Minute},
//		Subscribe: subscribe, // six lines, see below
//	})
//	user, err := cache.Fetch(ctx, "42")
//
// # How it works
//
// A Fetch asks this process, then Redis, then the source. One script at Redis returns the value or hands out the lease
// of the key: of all processes that miss it one loads, and the others look again until the value is there.
//
//	Fetch ──► lru.Cache ──miss──► Redis: GET, else lease ──lease──► source
//	             ▲                  │ value      │ busy: again in 10…100 ms
//	             │◄─────────────────┘            ▼
//	             │◄── remove key ── channel ◄── Set, Remove of any process
//
// A key in Redis is either a value or a lease, which is a token. The value that was loaded is stored only while the
// token is still there. Set and Remove overwrite whatever is there, and so void every load that began before; the same
// script publishes the key, and each process removes it from its first level.
//
// The client stays yours: do sends a command, Subscribe listens. With go-redis:
//
//	subscribe := func(ctx context.Context, channel string, ready func(), message func(string)) error {
//		ps := rdb.Subscribe(ctx, channel)
//		defer context.AfterFunc(ctx, func() { ps.Close() })() // a blocked read does not look at ctx
//		defer ps.Close()
//		if _, err := ps.Receive(ctx); err != nil {
//			return err
//		}
//		ready()
//		for {
//			m, err := ps.ReceiveMessage(ctx)
//			if err != nil {
//				return err
//			}
//			message(m.Payload)
//		}
//	}
//
// # Choosing
//
// The first level pays where keys are read often by the same process: a hit costs some ten nanoseconds against a round
// trip of 100 µs or more. With 20 processes, a hit ratio of 0.9 in each and 0.9 at Redis for the rest, 100,000 reads a
// second are 10,000 commands and 1000 loads. Where one process is enough, or values are cheap, package lru alone is
// simpler.
//
// # Guarantees
//
//  1. While the subscription stands, a value of the first level is at most as old as a message takes on its way. When
//     it is lost, entries live for one more second; a connection that stands but is dead is noticed after 4.5 seconds.
//     When it stands again, the first level starts empty. Without Subscribe the bound is Local.TTL.
//  2. After Set or Remove returned nil, no load that began before stores its result in Redis or in this process.
//  3. Of all processes one loads a key at a time, as long as loading takes less than Lease and Redis keeps its data. A
//     load that takes longer is given to its callers and cached nowhere.
//  4. Without Redis the first level and the source serve. A call waits for it 250 ms at most; after five failures in a
//     row it is not asked for a second. Set and Remove then return the error, and this process forgets the key.
//  5. Keys and values may be any bytes. Each call uses one key, and so one slot of a cluster.
//
// # Costs
//
// A hit in the process is a hit of lru.Cache. A hit in Redis is one EVALSHA and takes 1.1 to 1.4 times as long as a GET
// (go run ./benchmarks/cmd/compare -pkg lru -rows rediscache). A miss is two, and the load. Set and Remove are one, with a
// message to each process. Three goroutines run while there is a subscription. Quiet processes send one message a
// second, all together.
//
// # Limits
//
// Redis is asked after the source was written, by the program: in between, readers see the old value, and a program
// that dies in between leaves it until TTL. A writer that does not use this package is noticed when Local.TTL or TTL
// ends. A cluster fail-over can lose the last writes; the bound is again TTL. Values are stored as they are encoded,
// neither encrypted nor compressed.
//
// # References
//
//   - Nishtala and others: Scaling Memcache at Facebook. NSDI 2013 (leases).
//   - Redis: Pub/Sub, https://redis.io/docs/latest/develop/pubsub/, and EVAL,
//     https://redis.io/docs/latest/commands/eval/.
package rediscache
