// Package diskstore keeps the entries that a cache of package lru evicts, on local files, and hands them back.
//
//	disk, err := diskstore.Open(dir, diskstore.Options[string, []byte]{MaxBytes: 10 << 30})
//	if err != nil {
//		return err
//	}
//	defer disk.Close(ctx)
//	cache, err := lru.New(100_000, lru.Options[string, []byte]{Load: fromOrigin, Overflow: disk})
//
// # How it works
//
// Files are segments that are only appended to. Memory has a hash and a place per entry. Putting, taking and removing
// write one frame each; the file system's cache, not a buffer of ours, makes that cheap.
//
//	hash of key ──► segment 7, offset 4096
//	                   │
//	 0000000005.seg    │  0000000007.seg                       ┌ head: kind, lengths, deadline, sums
//	 ┌───────────────┐ │  ┌──────────────────────────────┐     │
//	 │ oldest: being │ └─►│ put k=v │ remove j │ put … ──►│ ◄───┴ frame: head, key, value
//	 │ emptied       │    └──────────────────────────────┘
//	 └───────────────┘      the end is written to
//
// When another segment would exceed MaxBytes, a goroutine goes through the oldest. If less than a quarter of what was
// put there is still wanted, that is written again at the end; otherwise it is what has waited longest, and goes. Open
// reads heads and keys of all segments in order.
//
// # Choosing
//
// A second level is worth its hit ratio times the time it saves. If the origin takes 20 ms and a hit on disk 0.1 ms,
// a memory cache with 80 % hits and a disk that has another 15 % brings the mean from 0.2 × 20 = 4 ms to
// 0.05 × 20 + 0.15 × 0.1 ≈ 1 ms. Give MaxBytes the size of the entries times their number, plus 40 bytes and a key each,
// plus a quarter (with few segments, two of them). SegmentSize bounds the largest entry, and is what goes at a time.
//
// # Guarantees
//
//  1. Take returns what the last Put of the key stored, or nothing: never another value, never a part of one.
//  2. When Take, Remove or Clear has returned, the value is gone for good, also for a process that opens the directory
//     after this one was killed. A process that is killed in the middle of any method, at any byte, leaves a directory
//     that opens with the state before or after it.
//  3. Damaged bytes are a miss. Where damage hides what was removed, everything older than it is dropped as well.
//  4. The files take at most MaxBytes, and memory at most 40 bytes per entry.
//  5. One store at a time has a directory; a second Open is ErrLocked.
//  6. When a write fails, as on a full disk, the store deletes its files, tells OnError once, and answers ErrDisabled
//     from then on. A cache that gets such an error goes on without the tier.
//
// # Costs
//
// Put and Remove cost one write of a frame, Take one write and one read, each of which the kernel usually serves from
// its cache. A goroutine runs only while a segment is being emptied.
//
// # Limits
//
// Nothing is forced to the disk. After a power failure the files may lack the newest frames, removals among them:
// start with an empty directory then. Expired entries take room until their segment goes. Entries in files are not
// encrypted. Keys are found by the bytes of their encoding, so equal keys must have equal ones.
//
// # References
//
//   - Sheehy, Smith: Bitcask, a log-structured hash table for fast key/value data. Basho 2010.
//   - Rosenblum, Ousterhout: The design and implementation of a log-structured file system. ACM TOCS 1992.
//   - Castagnoli, Bräuer, Herrmann: Optimization of cyclic redundancy-check codes with 24 and 32 parity bits.
//     IEEE Transactions on Communications 1993.
package diskstore
