package session

import (
	"encoding/binary"
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

// entry is one record; a Save replaces it, only the atomics change in place.
type entry struct {
	id       ID
	version  uint64 // 0 marks a tombstone
	created  int64
	deadline int64
	expires  atomic.Int64 // raised by Touch, set to 0 by drop; read by all
	blob     string       // the user ID, then the payload: one allocation
	userLen  uint8
	used     atomic.Uint32 // the reference bit of CLOCK: set by Load and replace, cleared by eviction; new = unused
}

func newEntry(rec Record) *entry {
	e := &entry{
		id: rec.ID, version: rec.Version + 1, created: rec.CreatedAt.UnixMilli(), deadline: rec.Deadline.UnixMilli(),
		blob: rec.UserID + string(rec.Payload), userLen: uint8(len(rec.UserID)),
	}
	e.expires.Store(min(rec.ExpiresAt.UnixMilli(), e.deadline))
	return e
}

// entry is what newEntry would make of the record, with one copy less. The user ID is at most maxLabel long.
func (st *state) entry() *entry {
	var space [512]byte // of the stack: most blobs fit
	blob := append(space[:0], st.userID...)
	blob = append(st.env.append(blob), st.data...)
	e := &entry{
		id: st.id, version: st.version + 1, created: st.created, deadline: st.deadline,
		blob: string(blob), userLen: uint8(len(st.userID)),
	}
	e.expires.Store(min(st.expires, e.deadline))
	return e
}

func (e *entry) userID() string { return e.blob[:e.userLen] }
func (e *entry) cost() int64    { return int64(len(e.blob)) + recordCost }

func (e *entry) record(expires int64) Record {
	return Record{
		ID: e.id, Version: e.version, UserID: e.userID(),
		CreatedAt: time.UnixMilli(e.created), ExpiresAt: time.UnixMilli(expires), Deadline: time.UnixMilli(e.deadline),
		Payload: []byte(e.blob[e.userLen:]),
	}
}

// slotKey places an ID within its shard. IDs are random and made by the server, so their bytes are the hash and
// nobody can build a chain.
func slotKey(id *ID) uint32 { return binary.LittleEndian.Uint32(id[1:5]) }

// table is open-addressed with linear probing, of a power of two slots, at most three quarters used.
type table []atomic.Pointer[entry] // slots are written under the lock of the shard and read without

const minTable = 8

// shard is the table of the IDs with one first byte, and what is needed to expire and evict them.
type shard struct {
	mu    sync.Mutex
	table atomic.Pointer[table] // published by grow; readers may still walk the one before
	live  int                   // records
	used  int                   // records and tombstones
	tomb  *entry
	anon  atomic.Int32 // anonymous records; written under mu, read by eviction to skip the shard
	heap  []dueItem
	due   atomic.Int64 // second of heap[0]; written under mu, read to skip the shard
	hand  int          // slot that eviction looks at next
}

// get reads without a lock.
func (sh *shard) get(id ID) *entry {
	t := sh.table.Load()
	if t == nil {
		return nil
	}
	_, e := t.find(id)
	return e
}

// find is called with mu held.
func (sh *shard) find(id ID) (int, *entry) {
	t := sh.table.Load()
	if t == nil {
		return 0, nil
	}
	return t.find(id)
}

func (t table) find(id ID) (int, *entry) {
	mask := uint32(len(t) - 1)
	for i := slotKey(&id) & mask; ; i = (i + 1) & mask {
		e := t[i].Load()
		if e == nil {
			return 0, nil
		}
		if e.version != 0 && e.id == id {
			return int(i), e
		}
	}
}

// withKey yields the entries whose slotKey is key.
func (sh *shard) withKey(key uint32) iter.Seq2[int, *entry] {
	return func(yield func(int, *entry) bool) {
		p := sh.table.Load()
		if p == nil {
			return
		}
		t := *p
		mask := uint32(len(t) - 1)
		for i := key & mask; ; i = (i + 1) & mask {
			e := t[i].Load()
			if e == nil || e.version != 0 && slotKey(&e.id) == key && !yield(int(i), e) {
				return
			}
		}
	}
}

// replace publishes a new version.
func (sh *shard) replace(i int, old, fresh *entry) {
	fresh.used.Store(1)
	(*sh.table.Load())[i].Store(fresh)
	sh.countAnon(old, -1)
	sh.countAnon(fresh, 1)
	if fresh.expires.Load() < old.expires.Load() {
		sh.file(fresh) // the old filing would come too late
	}
}

func (sh *shard) countAnon(e *entry, n int32) {
	if e.userLen == 0 {
		sh.anon.Add(n)
	}
}

// insert adds an entry that is not in the table.
func (sh *shard) insert(e *entry) {
	if t := sh.table.Load(); t == nil || (sh.used+1)*4 > len(*t)*3 {
		sh.resize()
	}
	t := *sh.table.Load()
	mask := uint32(len(t) - 1)
	i := slotKey(&e.id) & mask
	for {
		old := t[i].Load()
		if old == nil {
			sh.used++
			break
		}
		if old.version == 0 {
			break // a tombstone becomes a slot again
		}
		i = (i + 1) & mask
	}
	t[i].Store(e)
	sh.live++
	sh.countAnon(e, 1)
	sh.file(e)
}

// remove leaves a tombstone: a reader that walks past must not stop here.
func (sh *shard) remove(i int, e *entry) {
	if sh.tomb == nil {
		sh.tomb = new(entry)
	}
	(*sh.table.Load())[i].Store(sh.tomb)
	sh.live--
	sh.countAnon(e, -1)
}

// resize builds a table of twice the live records, without tombstones, and publishes it. A shard of a store of a
// million records has 4 000: some 50 µs.
func (sh *shard) resize() {
	size := minTable
	for size < sh.live*2+2 {
		size *= 2
	}
	fresh := make(table, size)
	mask := uint32(size - 1)
	if old := sh.table.Load(); old != nil {
		for j := range *old {
			e := (*old)[j].Load()
			if e == nil || e.version == 0 {
				continue
			}
			i := slotKey(&e.id) & mask
			for fresh[i].Load() != nil {
				i = (i + 1) & mask
			}
			fresh[i].Store(e)
		}
	}
	sh.used = sh.live
	sh.table.Store(&fresh)
}
