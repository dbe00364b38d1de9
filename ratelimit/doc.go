// Package ratelimit decides who may proceed, now or when: exactly, in constant time and without locks.
//
//	perIP, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{ratelimit.PerSecond(10), ratelimit.PerHour(2000)}, ratelimit.Options{})
//	…
//	if d := perIP.Take(ip, 1); !d.OK {
//		return d.Err() // d.RetryAfter, d.Policy
//	}
//
// A Limit is a number of tokens per time and a burst. New makes one bucket under one to eight limits; Keyed is a table
// of buckets, one per key; TakeAll charges several buckets or none. The sub-packages put a limit before an HTTP handler
// (httplimit) and behind a fleet (redislimit).
//
// # How it works
//
// The state of a limit is one number s: the point up to which tokens are used up, on a line along which a clock v moves
// at the refill rate. It is the generic cell rate algorithm seen from the token's side.
//
//	        v(now)             s               v(now)+burst
//	---------|----------------|--------------------|---->  tokens ever made
//	         |<---- used ---->|<---- remaining --->|
//
//	take n:  s' = max(s, v) + n    admitted if and only if  s' ≤ v + burst
//
// When v has passed s the bucket is full. Time alone refills: nothing has to be written, and no goroutine runs. A call
// reads the clock once, computes v with one multiplication, and either swaps s for s' in one atomic step or, on a
// denial, writes nothing at all.
//
// The line is counted in units that are chosen per limit. If Count/Per in lowest terms is c tokens in u nanoseconds and c
// is at most 16, a token is u units and every nanosecond brings c: 10/s, 3e5/s, 7/h, one per 97 ns are exact, without
// any rounding. For odd rates such as 999983/s a token is 2^f units of about a nanosecond of refill, v is rounded
// down where it is tested and up where a full bucket is charged, and the rate is good to 2^-60. v is computed from the
// time since New each time, so nothing drifts.
//
// New limits start a new line above every state of the old one. A state shows by its size on which line it was written
// and is read through the old limits until it is written again: that is why changing the limits of a million keys costs
// nothing, and why used tokens stay used.
//
// Keyed stores no keys. A bucket is found by a 64-bit fingerprint, of a hash seeded per table, in one of two groups of
// eight slots; a new key goes to the first while that is nearly empty, then to the emptier one. Only a full bucket, which
// carries no information, gives its slot away:
//
//	hash ──┬─► group 1: [f s][f s][f s][f s][f s][f s][f s][f s]
//	       └─► group 2: [f s][f s][f s][f s][f s][f s][f s][f s]   8 + 8·limits bytes a slot
//
// A waiter's cost is added to s at once: its ticket. So nobody overtakes it, however small the other's cost, and its
// moment is known to the nanosecond when it goes to sleep.
//
// A FixedWindow is the same line with a clock that stands still within a window and then makes a step of Count. A
// SlidingWindow packs the window's number and two counters into the word instead:
//
//	| number of the window | tokens of the window before | tokens of this window |
//
// A pause, and limits that Override gave one key, stand beside the table behind one pointer, which is nil until the
// first of them: the other keys pay for that look.
//
// # Choosing
//
//	what must hold                          take                                  admitted in one Per at most
//	smooth use with a reserve               PerSecond(10)                         20: Burst + Count
//	an even pace, no bursts (leaky bucket)  PerSecond(10).WithBurst(1)            11
//	a strict "at most n in any window"      Rolling(100, time.Minute, 20)         100
//	a quota that never refills              Limit{Per: time.Hour, Burst: 500}     500, ever
//	two horizons                            PerSecond(10) and PerHour(2000)       both
//	everything back at one known moment     Limit{2000, Hour, FixedWindow}        4000: twice the Count
//	even on average, without a reserve      Limit{2000, Hour, SlidingWindow}      4000 at worst, 2000 if even
//	a fleet                                 redislimit                            as above
//
// Burst: a bucket admits at most Burst + Count·T/Per in any time T. For "at most N in any window W" choose Rolling: it
// takes Count = N - Burst. With N = 2000 an hour and a burst of 200, Count is 1800: a client may send 200 at once, then
// one every 2 s. Plain PerHour(2000) admits 2000 at once and 4000 within the hour that starts there.
//
// A FixedWindow admits twice the Count around an edge: 2000 at 12:59:59 and 2000 at 13:00:00. It is the one to announce:
// each request takes one off the remainder, and all of it returns at one moment. A SlidingWindow weighs the window before
// by the share of it that is less than Per ago, as if its requests had come evenly: 80 in the last minute count as 60
// after a quarter of this one. If they came at its end, nearly twice the Count falls into one Per. Rolling bounds every
// window, at no cost; prefer it where nobody asks for windows. Windows start at multiples of Per since 1970, by the wall
// clock as it was in New.
//
// Capacity: the number of keys that are in use at one time, which is the rate of distinct keys times the time to full.
// 500 new clients a second under PerMinute(60), each using 10 tokens: a bucket is full again after 10 s, 5,000 in use.
// Up to Capacity nothing is lost; Stats.Evicted counts what is lost above it.
//
// # Guarantees
//
//  1. For every limit and every interval of length T, admitted ≤ Burst + ⌊rate·T⌋, plus what was reserved earlier and
//     falls due in it. A token is never early; where the limit is not exact it is late by at most two units of about
//     a nanosecond of refill, or of 2^-60 of the burst if that is more.
//  2. A denied call leaves every word of state as it was.
//  3. Several limits, and the claims of TakeAll, are charged together or not at all. A denial that would not have been
//     necessary is possible only in a race with a call that is itself denied.
//  4. All methods are safe for concurrent use. Allow, Take and Peek take no lock, but for the first charge of a key.
//  5. Waiters are first come, first served, in a Limiter made by New and per key. On the former a cancelled waiter moves
//     all behind it up, and new limits time all anew.
//  6. Time is the monotonic clock since New. A caller with an older reading can be denied, never mint tokens; the wall
//     clock does not matter. Where the system stops the monotonic clock in suspend, no tokens accrue meanwhile.
//  7. In a testing/synctest bubble time is the bubble's: code that limits is tested without waiting.
//  8. With Keyed two keys in use share a bucket only when 64-bit seeded hashes agree: 1e-7 for a million keys.
//
// # Costs
//
// A bucket made by New is 8 bytes a limit and a few hundred for the handle. A table takes (8 + 8·limits)/0.7 bytes per
// key of Capacity, 23 for one limit, at once and for good; it holds no pointers, so the collector does not scan it.
// 65,536 keys, the default, are 1.5 MB. What was given to a table is given for good, used or not.
//
// Allow is one reading of the clock and about 10 ns; nothing on the way of Allow, Take, Peek, TakeUpTo, Charge, Key and
// TakeAll allocates. Several limits cost one atomic step each. A new key takes one of 256 locks. Len walks the table.
//
// The clock is the floor: a reading costs 20 to 35 ns, two thirds of an Allow, and every peer pays it too, so an Allow
// that cost nothing else would be three to four times as fast as x/time/rate, no more. With a million keys the floor is
// memory: a key's place is one or two cache lines anywhere in 23 MB, so a hit waits for main memory once or twice, as a
// map does. A wake-up of a waiting goroutine costs the scheduler some microseconds: beyond some 70,000 waiters a second
// on two cores they come through later than their moment, never earlier.
//
// An overridden key costs about 500 bytes with one limit, a paused one about 50 bytes until the pause ends.
// SetLimits and Clear are constant in the number of keys, but after 1,024 changes within the time to full, or where
// the burst exceeds 2^59 units, the table is converted on the caller's goroutine, in some 10 ns a place.
//
// Wait costs a timer and a list entry; a cancelled waiter costs a step for each one behind it.
//
// # Limits
//
// Keys are not enumerable. A limiter lives 18 years: then an exact clock with 16 units a nanosecond meets its end.
//
// A hostile flood of new keys cannot grow memory. When every place of a new key is in use the least used bucket among
// them is forgotten, so junk keys that owe a token each push out one another and not an abuser who owes more;
// Options.DenyNew refuses the new key instead. An eviction can admit one burst too much, no more. If such a race falls
// together with an eviction, one charge can go to the key that took the place.
//
// A SlidingWindow counts at most 4,096 per second, 32,768 per minute or 262,144 per hour: two counters and 18 years of
// windows must fit into one word. Those who wait for it can queue for about three windows ahead; then they get
// ErrDeadline.
//
// On a handle from Keyed.Key the waiters that are asleep keep their moment when one ahead of them gives up.
//
// One bucket under contention is one cache line: admissions do not scale with cores, denials do. A limit counts what it
// is asked about: it does not protect a service whose requests become slower; that takes a limit on concurrency.
//
// # References
//
// ITU-T I.371, annex A, for the generic cell rate algorithm. J. Turner, New directions in communications, 1986, for the
// leaky bucket. M. Mitzenmacher, The power of two choices in randomized load balancing, 2001. golang.org/x/time/rate for
// the shape of Allow and Wait. boinkor-net/governor for showing that one atomic word is enough.
package ratelimit
