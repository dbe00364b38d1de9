// Package uuid makes 128-bit identifiers that need no coordination at all: RFC 9562 UUIDs of versions 4 and 7, ULIDs and
// TypeIDs.
//
//	id := uuid.NewV7() // cannot fail; sorted by time
//	fmt.Println(id)    // 01945b6e-7c3a-7d52-8f0b-5a7c9e1d2f34
//	back, err := uuid.Parse(s)
//	if err != nil {
//		return err
//	}
//
// # How it works
//
//	0                48   52          64 66          80                     128
//	+----------------+----+-----------+--+-----------+----------------------+
//	| unix ms        | 7  | fraction  |10| counter   | random               |   version 7
//	+----------------+----+-----------+--+-----------+----------------------+
//	  48 bits          4    12 bits    2   14 bits     48 bits of crypto/rand
//
// All version 7 ids of a process come from one 64-bit word: 50 bits of 256 ns ticks and 14 bits of counter. A call reads
// the clock. In a new tick it moves the word there with a compare-and-swap, at a random counter with the top bit clear;
// in the same tick it adds one. The word only grows, so ids ascend strictly, over all goroutines, and without a lock. At
// least 8192 ids fit into 256 ns, more than any machine makes, so the word never has to run ahead of the clock.
//
// The fraction counts the millisecond in 4096 steps of 244 ns, which is RFC 9562's method 3; the counter is its method 1.
// Random bytes are read from crypto/rand in blocks, one block per processor, and wiped when used.
//
// A ULID is the same 128 bits in Crockford's base 32, and a TypeID the same with a prefix; both convert freely.
//
// # Choosing
//
//	NewV7    keys of tables and events: new rows land at the end of the index
//	NewV4    when not even the time of creation may show
//	NewULID  as v7, with a text of 26 characters that is the same in any case
//	TypeID   as v7, with the kind of object in the text: order_01h455vb4pex5vsknk084sn02q
//
// How many are safe? Among k ids of the same process none repeats. Two processes collide only in the same tick and with
// the same counter and random bits: 2^61 possibilities, as the counter starts at one of 2^13 places. A thousand
// processes that each make an id in the same 256 ns collide with probability 1000²/2/2^61, about 2e-13.
//
// A 64-bit key costs half as much in every index: see package idgen for what it asks in return.
//
// # Guarantees
//
//  1. NewV7, FillV7 and NewULID ascend strictly in a process (a [Source]: among its own), in the order of the calls.
//  2. The time in an id is never ahead of the clock, and at most a tick of 256 ns behind it.
//  3. A wall clock that goes back is seen within a second. Time in ids then stands still at the largest reading and the
//     counter goes on, moving the time by 256 ns per 16,384 ids, until the clock is back. Order and uniqueness stay.
//  4. Each id has at least 48 bits (v4: 122) of crypto/rand of its own.
//  5. Everything is safe for concurrent use, and nothing can fail but parsing.
//  6. Each UUID has one accepted text up to case, likewise each ULID; a TypeID has exactly one.
//
// # Costs
//
// NewV7: one clock reading, one atomic operation, 6 to 12 random bytes at about 3 ns each; no lock, no allocation. FillV7
// spares the clock and the atomic operation: only the random bytes are left. NewV4: 18 random bytes.
//
// In a testing/synctest bubble the package functions show real time: use a [Source] made in the bubble there.
//
// # Limits
//
//   - An id is not a secret. A v7 id shows its time, and from an id others of the same microsecond are easier to guess.
//   - Across processes order is that of the clocks.
//   - A restart with an earlier clock starts earlier: only random bits stand between old and new ids then, 61 of them.
//   - Versions 1, 3, 5 and 6 are parsed and printed, but not made.
//   - Text of any length is refused in constant time; errors quote at most 36 bytes of it.
//
// # References
//
//   - RFC 9562, Universally Unique IDentifiers (2024), sections 5.4, 5.7 and 6.2.
//   - The ULID specification, github.com/ulid/spec; the TypeID specification, github.com/jetify-com/typeid.
//   - D. Crockford, Base 32 (crockford.com/base32.html).
package uuid
