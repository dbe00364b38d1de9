// Package storage keeps the entries of one node: a commit log, a memtable, and sorted runs that are compacted. It is a small
// log-structured merge tree, and needs no network.
//
//	Put ──▶ 000009.log ──▶ memtable ──▶ acknowledged          disk/log.go, memtable.go
//	         append           │
//	                          │ its log has grown to 4 MiB: frozen, a new log and memtable take over
//	                          ▼
//	                  ┌──────────────┐
//	    newest        │  000008.run  │   a flush writes the frozen memtable in order     flush.go, run/
//	      │           ├──────────────┤
//	      ▼           │  000007.run  │ ┐ compaction merges the newest runs into one
//	    oldest        │              │ ├─▶ as soon as an older run is not larger than    stack/compact.go
//	                  │  000003.run  │ ┘   all newer ones together
//	                  └──────────────┘
//	Get ──▶ memtable, frozen memtable, then run by run, newest first: filter ─▶ index ─▶ block (cache)
//	Scan ─▶ all of them side by side, merged by key
//
// # One rule
//
// The newest layer that knows a key is right, and the others are not asked. Put keeps that rule: it looks up what is there, and
// appends only what has a later stamp. So a layer never holds an older version than the layers below, reads end at the first hit, and
// a merge may drop whatever a newer layer repeats. The price is that a Put of a key that lies in a run reads a block. (A store that
// wants blind writes must ask all layers in every read, and compare stamps there.)
//
// # Deletions
//
// Two things delete, and both have to be written down, or the version below would be seen again:
//
//   - A tombstone says that the key is deleted, cluster-wide, as of its stamp. Other replicas may have missed it, and a repair may
//     bring an old version back; then the tombstone must be there and win. So it is dropped only when it is older than Options.Grace,
//     within which every replica must have been mended, and no older run can hold the key. Nothing in package cluster promises such a
//     time: its hints live in memory and its repairs follow reads. So the default keeps tombstones for ever.
//   - Forget says that the key has moved to other nodes. That concerns this node alone. The mark of it is dropped as soon as no older
//     run can hold the key. It has no stamp: the key may come back in a later join with the version that it had.
//
// Whether an older run can hold a key is asked of its Bloom filter, which never errs in that direction.
//
// # What a crash leaves
//
// At any moment the manifest on the disk names the runs and the first log that count, and all else is debris that Open removes. Each
// step makes durable what the next one relies on:
//
//	turn     fsync the full log ▸ create the next one ▸ fsync the folder ▸ writes go there
//	flush    write run.tmp ▸ fsync ▸ rename to run ▸ fsync the folder ▸ manifest likewise ▸ remove the old log
//	merge    the same, with the merged runs in the place of the log
//
// A process that is killed loses nothing that was acknowledged; a machine that loses power loses at most the end of the newest log,
// unless Options.Sync is set. A block, log record or manifest that is damaged is ErrCorrupt, which names the file and the place.
// It is never an answer. When work in the background fails, as on a full disk, the store takes no more writes and goes on reading;
// the log still has everything, so opening it again is the way back.
//
// # How many runs, how much work
//
// After compaction every run is larger than all newer ones together. So sizes at least double from run to run: with memtables
// of m bytes and t bytes in all there are at most log2(t/m)+2 runs, and each entry is written again only into a run that is at
// least twice as large, at most log2(t/m)+1 times. For 4 MiB and 4 GiB: twelve runs, eleven rewrites. A look-up of an absent
// key asks twelve filters of one per cent and reads 0.12 blocks on average. Leveled compaction would ask fewer runs and take less
// room while it works (merging everything needs the room twice), for several times the rewriting; it pays where reads outweigh writes.
//
// Values lie in the runs like keys, up to 8 MiB. Stores with larger ones keep them apart, so that merging does not copy them.
package storage
