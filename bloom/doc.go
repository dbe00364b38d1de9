// Package bloom answers "certainly absent" or "probably present" for a set far larger than the memory it uses.
//
//	users, err := bloom.New(1_000_000, 0.01, bloom.Options{}) // keys, false-positive rate
//	if err != nil {
//		return err
//	}
//	users.Add(bloom.String("ada"))
//	if !users.Test(bloom.String("bob")) {
//		return ErrNotFound // certainly absent: no query
//	}
//
// A filter is a performance tool: a negative answer saves a disk read, a network call or a query, and a false positive
// costs one in vain. One Filter can be shared by all goroutines without thinking, its rate is what was asked for, and its
// decoders read hostile bytes without harm.
//
// # How it works
//
// A key is hashed once, to 64 bits, and touches one block of 64 bytes: one cache line, so at most one cache miss. The 8
// words of a block form groups; in each group the hash picks one word and sets a few bits there:
//
//	hash * blocks, high half ──► block          the 128 bits multiplied out of the hash ──► inside it
//
//	 block 648   │ block 649                                                       │ block 650
//	             │ group 0: w0   w1   w2   w3     group 1: w4   w5   w6   w7       │
//	             │          ▲ 3 bits                                      ▲ 3 bits │
//
// That is the layout (2, 3), which serves 1 %; other rates take 2, 4 or 8 words of 1 to 5 bits. Test loads the words,
// compares all bits at once and does not branch: an early exit would cost a mispredicted branch for nearly every absent
// key. Add reads a word first and changes it with one atomic OR when a bit is missing, so that a hot key stays in all caches.
//
// TestAndAdd answers duplicates without a lock. Only an absent key takes one of up to 64 mutexes, chosen by its hash, and
// is tested again; "some bit changed" would not do, because two racing callers can each change one word.
//
// TestMany, AddMany and TestAndAddMany first touch the lines of 64 keys and then do the work: the cache misses overlap
// instead of queueing behind each other.
//
// # Choosing
//
// Filter is right unless one of these holds:
//
//	Scalable    the number of keys is not known        half more memory, a few probes per test
//	Window      keys matter for a time only            six small filters, five probes per test
//	View        the filter lies in a mapped file       tested in place; ViewAt reads one block from disk
//	SplitBlock  Parquet files                          larger at the same rate
//	Classic     streams of bits-and-blooms/bloom       several times slower
//	redisbloom  one filter for many machines           a round trip per test
//
// The rate: let a be the share of look-ups for absent keys, m the cost of a miss that the filter saves and t the cost of a
// test. The filter pays while a*(1-rate)*m > t, so from 1e-2 on a lower rate saves at most one per cent more; go lower
// where a false positive costs more than time. Memory in bits per key:
//
//	rate            1e-1    1e-2    1e-3    1e-4    1e-5    1e-6
//	this layout     4.91   10.27   15.82   22.56   30.00   39.02
//	classic         4.79    9.59   14.38   19.17   23.96   28.76
//	Parquet         5.99   10.53   16.89   26.34   40.99   64.66
//
// Worked: 100 million users at 1 % are 100e6 * 10.3 / 8 = 129 MB. When three of four requests are for unknown users and
// a query takes 1 ms, 1,000 requests save 0.75 * 0.99 * 1000 = 742 queries and 742 ms of them, for 1,000 tests of about
// 20 ns. At 1e-4 it would be 749 queries for 282 MB.
//
// The rate of a blocked filter is not (1-e^(-kn/m))^k: some blocks get more keys than others, and those decide low rates.
// Sizing averages over the Poisson distribution of keys per block, exactly for the layout at hand; Layout.RateAt is that
// curve, and model.go explains it. Plan shows what New would choose.
//
// Keys that an adversary chooses could be made to collide, since XXH64 has no secret. In memory, use
// Hashed(maphash.String(seed, s)) with a private maphash.Seed; where the filter travels, use the first 8 bytes of a
// keyed hash, such as HMAC-SHA-256 or SipHash, as Hashed(binary.LittleEndian.Uint64(sum)).
//
// # Guarantees
//
//  1. No false negative: when Add(k) happened before Test(k), in the sense of the Go memory model, Test is true, under any
//     interleaving with Add, TestAndAdd, Union, Fold, Clone, Stats and WriteTo.
//  2. At its capacity a filter's expected false-positive rate is at most the rate that it was made for. Beyond the capacity
//     it rises smoothly: a 1 % filter has 4.5 % at 1.5 times, 11 % at 2 times, 54 % at 4 times. Stats().Rate is the rate
//     of the bits as they are.
//  3. Of any number of concurrent TestAndAdd calls with one key that is not in the filter exactly one returns false, none
//     if the key was a false positive.
//  4. All methods are safe for concurrent use but Clear, Intersect and UnmarshalBinary, which need exclusive use, and but
//     filters made with Options.Unsynchronized.
//  5. A Scalable's chance of a false positive stays below its rate however many distinct keys come; repeats never grow it.
//  6. A Window finds every key for at least its span after the last Add, on the monotonic clock, and, apart from chance,
//     not after 1.25 spans, however long it was idle. It works inside a testing/synctest bubble.
//  7. Decoders report damage as ErrCorrupt, never panic, and use memory in step with the bytes that have arrived. What one
//     release wrote, all later ones read; FORMAT.md describes the bytes.
//
// # Costs
//
// Add, Test and TestAndAdd touch one line in constant time and allocate nothing, whatever the form of the key. Memory is
// the table above, plus 64 bytes per 16 KiB for the locks, at most 4 KiB. New takes about 20 microseconds besides clearing
// the memory: it solves the model.
//
// Test is branch-free on purpose. What was tried, in nanoseconds per Test of the layout (2, 3) on one machine, the same keys in
// the same run, at 16 KiB, 256 KiB, 1 MiB and 64 MiB:
//
//	masks, compared with the words; a function with a frame     4.4   4.7   6.0   54
//	the same without a frame                                    4.2   4.5   5.9   54
//	each word shifted to its bits, no frame (this package)      3.9   4.4   5.7   45
//	return after the first word, absent keys                    4.0   4.4   5.4   37
//	rotated masks                                               4.5   4.9   6.2   54
//	one function for all shapes, a switch instead of a pointer  4.1   4.5   6.1   54
//
// The early return wins while nearly all keys are absent; with half of them present it takes twice the time in the caches (12
// against 5.6), and in main memory it wins nothing. A batch in two phases of 32 keys took 17 at 64 MiB, of 64 keys (this
// package) 14.6, of 128 keys 14.5 but more at 1 MiB; keeping the block's place between the phases costs more than computing it
// twice. For (2, 3) and (4, 2) a batch has a loop of its own, a tenth faster than a call per key. XXH64 of short strings,
// written out in Go to be inlined, was slower than upstream's assembly at every length below 32 bytes.
//
// A Scalable takes 1.4 to 1.7 times the memory of a Filter of the same total capacity and
// asks a stage per doubling; a Window takes six filters for a quarter of the keys at a fifth of the rate, asks up to five of
// them and reads the clock. Stats, Clone, Union and Fold read everything. OpenTrusted is O(1); Open and Read compute
// one XXH64 over the bytes.
//
// # Limits
//
// A key cannot be removed. The keys cannot be listed. Stats().Keys is an estimate, usually within one per cent.
//
// A 64-bit hash limits the rate to about n/2^64. At equal rate a classic filter needs 7 % less memory at 1e-2 and 24 % less
// at 1e-5, for one cache miss per hash function; a static filter (xor, binary fuse) needs less still, but cannot be added to.
//
// Keys must be well hashed: Hashed of a counter fills few blocks. The checksum of the format finds accidents, not forgeries:
// whoever can write a filter can make it say "present" to everything, or hide keys.
//
// A Window sizes its generations for keys that arrive evenly: where bursts must keep the rate, take four times the busiest
// quarter of a span as its capacity. An Add that stalls for a quarter of the span between reading the clock and writing may
// be forgotten early. A monotonic clock that stands still while a machine sleeps makes the window longer by as much.
//
// # References
//
//   - B. H. Bloom, Space/time trade-offs in hash coding with allowable errors, CACM 13(7), 1970.
//   - F. Putze, P. Sanders, J. Singler, Cache-, Hash- and Space-Efficient Bloom Filters, WEA 2007: blocked filters.
//   - H. Lang, T. Neumann, A. Kemper, P. Boncz, Performance-Optimal Filtering, VLDB 12(5), 2019: sectorized blocks.
//   - P. S. Almeida, C. Baquero, N. Preguiça, D. Hutchison, Scalable Bloom Filters, IPL 101(6), 2007.
//   - Apache Parquet, Parquet Bloom Filter: https://parquet.apache.org/docs/file-format/bloomfilter/
//   - Y. Collet, XXH64: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
package bloom
