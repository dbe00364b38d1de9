// Package redislimit is one rate limit for a fleet: the buckets live in Redis, each decision is one script there.
//
//	limits := []ratelimit.Limit{ratelimit.PerSecond(10), ratelimit.PerHour(2000)}
//	fleet, err := redislimit.New(rdb.Do, limits, redislimit.Options{})
//	…
//	d, err := fleet.Take(ctx, user, 1)
//
// It needs no client library: the first argument is the client's method for one command. The Do of go-redis's Client,
// ClusterClient and UniversalClient fits as it is. For another client write a function whose result has Result():
//
//	type reply struct{ v any; err error }
//	func (r reply) Result() (any, error) { return r.v, r.err }
//
//	do := func(ctx context.Context, args ...any) reply { // redigo
//		v, err := redis.DoContext(conn, ctx, args[0].(string), args[1:]...)
//		return reply{v, err}
//	}
//
// # How it works
//
// A key holds the states of all its limits, "time used/token …", in integers below 2^53, which Lua's numbers hold
// exactly: a token is Per/g units and a microsecond brings Count/g, with g their greatest common divisor. The script
// reads the server's clock, refills, decides, and writes only what it admitted. Of a fixed window it keeps the tokens
// used, of a sliding one also those of the window before, which weigh by the microseconds of it that still count.
// Windows start at multiples of Per since 1970 by the server's clock, so all nodes see one window.
//
//	caller ─► deny cache ─► lease ─► line of the key ─┬─ one call under way ─► EVALSHA, one key, one slot
//	              │           │                       └─ those that come meanwhile go with the next call
//	              └ denied    └ admitted here
//
// Concurrent callers of one key on one node travel together: the script takes the operations of all that wait and
// decides them in order, each with its own cost, as if they had been sent one by one.
//
// A denial with its RetryAfter answers locally until that has passed: nothing but a gift can change it. A gift of this
// node voids it, one of another node is seen after a second at the latest.
//
// With LeaseMax a call brings more tokens than it needs, charged centrally before they are used. The lease doubles when
// it is used up within a quarter of LeaseTTL and halves when it lapses; the script grants at most an eighth of what is
// left, so that small and nearly spent limits stay exact. Lapsed tokens go back with a later call.
//
// # Choosing
//
// No leases, the default, is exact. A lease fits hot keys with a large limit: with LeaseMax 100 on 20 nodes at most
// 20·100 = 2000 tokens are used later than they were charged, so in any time T at most Burst + rate·T + 2000 are
// admitted, and a key at 10,000/s costs some 100 calls a second per node.
//
// Timeout is what a request can afford to wait for its decision. Fallback is a ratelimit.Local table, with the limit
// divided by the number of nodes: with the whole limit on each of N nodes an outage admits N times as much.
//
// # Guarantees
//
//  1. Admitted in any interval T ≤ Burst + rate·T + nodes·LeaseMax, by the server's clock.
//  2. One decision is one command, on one key. A denial writes nothing.
//  3. A charge is never sent again after an unknown outcome. NOSCRIPT is a known one: the script did not run.
//  4. One decision takes at most Timeout, whatever the client does; one that fails so has had 7/8 of it at least.
//  5. A reply of another shape is ErrReply, never an admission.
//  6. What was charged for a caller whose context or patience ended first is given back by the next call.
//  7. Five failures in a row open a breaker for 1 s, then 2 s, up to 30 s, each with a tenth of jitter; one probe at a
//     time ends it. While it is open, or a call fails, the Fallback answers, or the error wraps ErrUnavailable.
//  8. Every key has a TTL, its time to full and a second, so expiry forgets nothing. A quota (Count 0) is permanent.
//  9. If the server's clock steps back there is no refill until it catches up; if it is behind by more than a second
//     and the time to full, the state starts from the new time.
//  10. Other limits under the same prefix read the old state: used tokens stay used, at most the burst.
//
// # Costs
//
// One round trip per decision, and one goroutine while calls are under way for a key, since a client may not honour the
// deadline of its context; its switch costs some 4 µs beside the round trip. One timer watches all calls. A decision on
// a key that is not hot allocates 8 times beside what the client does for its command. A key takes some 60 to 120 bytes
// in Redis. On the node: about 250 bytes per remembered denial, at most 65,536 of them, and 200 per leased key.
//
// # Limits
//
// Per must be whole microseconds, and twice the burst in units must stay below 2^53; otherwise New returns ErrInvalid.
// One per day with a burst up to 52,000 fits, and a sliding window of as many a day. A node that dies loses its leases until they are refilled. A Redis
// that fails over to a replica may lose the last charges. Keys come from callers: hash what is secret.
//
// # References
//
// Redis documentation of EVALSHA, TIME and key expiry. brandur/redis-cell and go-redis/redis_rate for the generic cell
// rate algorithm in Redis; YouTube's Doorman for leases of capacity.
package redislimit
