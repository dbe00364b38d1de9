// Package redisbloom keeps a Bloom filter in Redis for many machines: no module, no Lua, one command and one slot per key.
//
//	users, err := redisbloom.New(ctx, rdb.Do, "users", 1_000_000, 0.01, redisbloom.Options{})
//	if err != nil {
//		return err
//	}
//	taken, err := users.Test(ctx, bloom.String("ada")) // an error is never an answer
//
// # How it works
//
// The bits are those of package bloom: the same key, the same block, the same bytes in memory, in a file and on the server.
// They are cut into shards, one Redis string each, so that a cluster spreads them over its slots:
//
//	users      80 bytes: the layout's header, the shard size, a checksum
//	users:0    blocks 0 ... 131071          8 MiB of the filter
//	users:1    blocks 131072 ... 262143     8 MiB
//	users:2    ...
//
// All bits of a key lie in one block of 64 bytes, hence in one shard. Add and TestAndAdd are one BITFIELD with a SET for
// each bit; its reply holds the bits as they were, and since the server runs one command at a time, of all clients that
// race with one new key exactly one sees a bit that was clear. Test is one BITFIELD_RO that fetches the 2, 4 or 8 words
// of the key. Batches go out as one command per shard and 4,096 sub-operations.
//
// A Window cannot live without a script, because its clock must be the server's. Each shard has a ring of six strings
// under one hash tag; a script reads TIME, tests the five generations that count, and adds to the current one, which
// expires by itself.
//
// # Choosing
//
// Filter for a shared set that is rarely rebuilt; Load and Save where each machine can keep a copy and look keys up without
// the network. Window for duplicate suppression across consumers. Native where the server has the Bloom commands and
// other clients speak them already.
//
// A shard of 8 MiB holds 6.5 million keys at 1 %, since a key takes 10.3 bits. Larger shards make larger batches; smaller
// ones spread better: take the filter's size divided by four times the number of masters, at least 64 KiB. 100 million
// keys at 1 % are 128 MB, which is 16 shards of 8 MiB.
//
// The constructors take the Do method of go-redis as it is. For other clients, three lines:
//
//	type reply struct{ v any; err error }
//	func (r reply) Result() (any, error) { return r.v, r.err }
//
//	// redigo
//	do := func(ctx context.Context, args ...any) reply {
//		v, err := redis.DoContext(conn, ctx, args[0].(string), args[1:]...)
//		return reply{v, err}
//	}
//
//	// rueidis and valkey-go: arguments are strings there
//	do := func(ctx context.Context, args ...any) reply {
//		words := make([]string, len(args))
//		for i, a := range args { words[i] = fmt.Sprint(a) }
//		v, err := client.Do(ctx, client.B().Arbitrary(words...).Build()).ToAny()
//		return reply{v, err}
//	}
//
// # Guarantees
//
//  1. An Add that returned nil is seen by every later Test, as long as the server keeps its bits.
//  2. Of concurrent TestAndAdd calls with one new key, from any number of processes, exactly one returns false, nil
//     (none, if the key was a false positive).
//  3. Every failure is an error and never an answer. Errors of the server and of the context come back as they are:
//     WRONGTYPE, OOM, READONLY; a reply of unexpected shape is ErrReply.
//  4. Nothing is sent twice. A call that timed out may have taken effect; adding again is harmless, but a TestAndAdd that
//     timed out has an unknown outcome.
//  5. A batch returns results in the order of its keys, and treats a repeated key as present from its second place on. After
//     an error some of its keys may have been added, and dst has the length it had.
//  6. Two programs that ask for one name with other arguments cannot mix their bits: New returns bloom.ErrIncompatible.
//
// All methods are safe for concurrent use.
//
// # Costs
//
// One round trip per call and the server's time for 4 to 16 sub-operations, a few microseconds. Memory on the server is that
// of the local filter; a shard is allocated as far as its highest block in use. Load and Save move all bits, one shard
// at a time.
//
// # Limits
//
// A server that evicts, that lost its memory, or a failover to a replica that lags, loses bits, and those are false
// negatives: run such a filter with noeviction, and rebuild it after a loss. Reading from replicas has the same effect.
// A Filter is permanent: it has no TTL and is removed by Delete. Whoever can write to the server can set all bits; the
// header's checksum finds accidents only. The clock of a Window is the server's wall clock: when it is set back, keys
// live longer by as much. Redis 6.2 or later, or Valkey; a server without a command gives ErrUnsupported.
//
// Filter and Window are tested against real servers. Native is tested against a scripted one only, which answers as the
// commands are documented, since no distribution in the reach of the tests has the module; with REDIS_BLOOM_MODULE set to the
// path of the module's library the integration test loads it and runs against it.
//
// # References
//
//   - Redis, BITFIELD: https://redis.io/docs/latest/commands/bitfield/
//   - Redis Cluster specification, hash tags: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
//   - Package bloom and its FORMAT.md, for the bits and the header.
package redisbloom
