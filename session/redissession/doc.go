// Package redissession keeps sessions in Redis or Valkey, single or cluster.
//
//	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs}) // go-redis
//	store, err := redissession.New(rdb.Do, redissession.Options{})
//	sessions, err := session.New[Data](store, session.Options{})
//	http.ListenAndServe(":8080", sessions.Handler(mux))
//	n, err := sessions.RevokeUser(ctx, "ann") // needs nothing more
//
// It imports no client: it asks for the function that sends a command. The Do method of go-redis's Client,
// ClusterClient and UniversalClient fits as it is; for rueidis, valkey-go and redigo it takes a few lines, since all
// arguments are strings:
//
//	func do(ctx context.Context, args ...any) reply { // redigo; reply is a struct of v any, err error
//		conn, err := pool.GetContext(ctx)
//		if err != nil {
//			return reply{nil, err}
//		}
//		defer conn.Close()
//		v, err := redis.DoContext(conn, ctx, args[0].(string), args[1:]...)
//		return reply{v, err}
//	}
//
// # How it works
//
//	session:{hVq3…}            hash   v version  u user  c created  e expiry  d deadline  p payload  n nonce
//	  └ TTL: the expiry
//	session:user:{Zk0x…}       zset   hVq3… 1767225600000, 8sQa… 1767229200000
//	  └ TTL: the latest deadline        └ session  └ its deadline
//
//	Load          HMGET                                     1 round trip
//	Save          script: compare v, HSET, PEXPIREAT        1
//	  at a login  enter in the index, save, enter again     4, of a new session 3
//	Touch         script: raise e, PEXPIREAT                1
//	Remove        script: DEL, then ZREM from the index     2, of an anonymous session 1
//	ListUser      script: ZRANGE, then HMGET for each       1 + sessions
//	RemoveUser    script: ZRANGE, DEL for each, one ZREM    2 + sessions
//
// The braces are what a cluster places a key by. A session and the index of its user lie in different slots, so no
// script can change both; the order of the steps makes up for it. An entry is made before the session is saved and
// removed after the session, hence the index may name a session that does not exist, and whoever reads it finds out,
// loads the session, sees nothing, and removes the entry. A login that comes between would be removed with it, so each
// login raises the score of its entry, again when the session is stored, and only an entry with the score that was read
// is removed.
//
// An ordinary Save finds the user and deadline as they were and needs no index; one that finds them changed stores
// nothing and says "index first".
//
// # Choosing
//
// Redis fits when sessions are many and short: everything is in memory. A session of 200 bytes takes about 450 bytes of
// the server, and 100 more in the index of its user: 1 000 000 sessions × 550 bytes = 550 MB. In a database that is there
// already, package sqlsession saves a server. For fewer round trips, put session.NewCachedStore around the store: reads
// of a busy session are then one in two seconds.
//
// Set maxmemory-policy to noeviction, or a volatile policy evicts logged-in sessions. A cluster needs nothing special.
//
// # Guarantees
//
//  1. Each operation on a session is one command or one script on one key: atomic, and one slot in a cluster.
//  2. No key without a TTL is ever written, whatever the durations: an expiry in the past removes.
//  3. The index never misses a session whose Save has been acknowledged, and loses entries that have no session when it
//     is read, or with its TTL. There is no SCAN and no keyspace notification.
//  4. A script that the server has forgotten (restart, SCRIPT FLUSH, fail-over) is sent again. No other error is
//     followed by a second attempt. If the client repeats a save by itself, as go-redis does after a time-out, the nonce
//     tells the second that the first has been done.
//  5. The expiry is checked by the clock of the program; removal follows the server's. An end is moved by at most the
//     difference.
//  6. Replies are decoded strictly; what has another shape is ErrReply and never "no session".
//  7. The store sees the hash of a secret, inside the payload. User IDs are stored in clear in u, hashed in keys.
//
// # Costs
//
// One round trip per request that reads its session, and one a minute for its expiry; see the table above. The scripts
// touch one key and run in constant time but for the size of an index.
//
// # Limits
//
//   - Redis replicates asynchronously: a fail-over may lose the last moments, an update or a logout. Set
//     min-replicas-to-write, or keep what must not come back short. In persistence, appendfsync everysec loses a second.
//   - ListUser and RemoveUser take as many round trips as the user has sessions; session.Options.MaxPerUser bounds them.
//   - A session that changes from one user to another leaves an entry with the first until his sessions are listed.
//   - A Save that times out may have happened: the error says so to the manager, which does not repeat it.
//   - Redis before 6.2 is not tested.
//
// # References
//
//   - Redis documentation: EVALSHA and NOSCRIPT; cluster specification, hash tags; PEXPIREAT; replication.
//   - Spring Session, issues 1715 and 2230: what an index by keyspace notifications leaves behind.
package redissession
