package session

import (
	"encoding/binary"
	"hash/maphash"
	"iter"
	"sync"
)

// prefix is the first half of an ID. 64 random bits tell sessions apart well enough for an index whose every answer
// is checked against the records.
type prefix uint64

func prefixOf(id *ID) prefix     { return prefix(binary.LittleEndian.Uint64(id[:8])) }
func (p prefix) shard() uint8    { return uint8(p) }
func (p prefix) slotKey() uint32 { return uint32(p >> 8) }

// userIndex finds the sessions of a user. Its locks are taken while that of a shard is held, never the other way.
type userIndex struct {
	seed   maphash.Seed
	shards [64]userShard
}

type userShard struct {
	mu sync.Mutex
	// one has a session of each user, by hash of the user ID: 16 bytes for most users. Users with equal hashes
	// share a list; who asks filters by the user ID of the record.
	one  map[uint64]prefix
	more map[uint64]map[prefix]struct{} // the others
}

func (x *userIndex) init() { x.seed = maphash.MakeSeed() }

func (x *userIndex) shard(userID string) (*userShard, uint64) {
	h := maphash.String(x.seed, userID)
	return &x.shards[h%uint64(len(x.shards))], h
}

func (x *userIndex) add(userID string, id ID) {
	sh, h := x.shard(userID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p := prefixOf(&id)
	first, ok := sh.one[h]
	switch {
	case !ok:
		if sh.one == nil {
			sh.one = map[uint64]prefix{}
		}
		sh.one[h] = p
	case first != p:
		if sh.more == nil {
			sh.more = map[uint64]map[prefix]struct{}{}
		}
		if sh.more[h] == nil {
			sh.more[h] = map[prefix]struct{}{}
		}
		sh.more[h][p] = struct{}{}
	}
}

func (x *userIndex) remove(userID string, id ID) {
	sh, h := x.shard(userID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p := prefixOf(&id)
	if first, ok := sh.one[h]; !ok || first != p {
		delete(sh.more[h], p)
	} else {
		delete(sh.one, h)
		for other := range sh.more[h] { // any of them moves up
			sh.one[h] = other
			delete(sh.more[h], other)
			break
		}
	}
	if len(sh.more[h]) == 0 {
		delete(sh.more, h)
	}
}

func (x *userIndex) list(userID string) []prefix {
	sh, h := x.shard(userID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	first, ok := sh.one[h]
	if !ok {
		return nil
	}
	all := append(make([]prefix, 0, 1+len(sh.more[h])), first)
	for p := range sh.more[h] {
		all = append(all, p)
	}
	return all
}

// withPrefix yields the entries whose ID starts with p, without a lock.
func (sh *shard) withPrefix(p prefix) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, e := range sh.withKey(p.slotKey()) {
			if prefixOf(&e.id) == p && !yield(e) {
				return
			}
		}
	}
}
