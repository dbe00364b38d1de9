package session

import "math"

// Each shard has a heap of the times at which its records may be due. A Touch does not move the item: it is filed
// again when its time has come and the record lives. Items of removed records stay until then too, but never more
// than there are records.

// dueItem names records by the bytes that place them: eight bytes instead of a pointer and a time.
type dueItem struct {
	second uint32 // rounded down
	key    uint32
}

func dueSecond(ms int64) uint32 { return uint32(min(max(ms, 0)/1000, math.MaxUint32)) }

// file puts an entry on the heap.
func (sh *shard) file(e *entry) {
	if len(sh.heap) > 2*sh.live+16 {
		sh.refile()
		return
	}
	sh.push(dueItem{dueSecond(e.expires.Load()), slotKey(&e.id)})
	sh.publishDue()
}

// refile builds the heap from the table: the items of removed records go.
func (sh *shard) refile() {
	sh.heap = sh.heap[:0]
	t := *sh.table.Load()
	for i := range t {
		if e := t[i].Load(); e != nil && e.version != 0 {
			sh.push(dueItem{dueSecond(e.expires.Load()), slotKey(&e.id)})
		}
	}
	sh.publishDue()
}

func (sh *shard) publishDue() {
	if len(sh.heap) == 0 {
		sh.due.Store(math.MaxInt64)
		return
	}
	sh.due.Store(int64(sh.heap[0].second))
}

func (sh *shard) push(item dueItem) {
	sh.heap = append(sh.heap, item)
	h := sh.heap
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].second <= item.second {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = item
}

func (sh *shard) pop() dueItem {
	h := sh.heap
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].second < h[child].second {
			child++
		}
		if last.second <= h[child].second {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = last
	}
	sh.heap = h
	return top
}

// expire looks at no more than budget due items and removes what has expired; the lock of the shard is held. more
// tells whether items were left that are worth another look.
func (s *MemoryStore) expire(sh *shard, now int64, budget int) (removed int, more bool) {
	second := dueSecond(now)
	var later [expirePerWrite]dueItem // due within this second, but not yet
	waiting := 0
	for ; budget > 0 && len(sh.heap) > 0 && sh.heap[0].second <= second && waiting < len(later); budget-- {
		key := sh.pop().key
		next := int64(math.MaxInt64) // one item per item, for the first of the records it names: they never multiply
		for i, e := range sh.withKey(key) {
			expires := e.expires.Load()
			if expires > now || !e.expires.CompareAndSwap(expires, 0) { // lost to a Touch: it lives
				next = min(next, e.expires.Load())
				continue
			}
			s.drop(sh, i, e)
			removed++
		}
		switch item := (dueItem{dueSecond(next), key}); {
		case next == math.MaxInt64:
		case item.second <= second:
			later[waiting] = item
			waiting++
		default:
			sh.push(item)
		}
	}
	for _, item := range later[:waiting] {
		sh.push(item)
	}
	sh.publishDue()
	return removed, budget == 0 && waiting == 0
}

// makeRoom removes one record or more: expired ones, else an anonymous one other than keep. No lock is held.
func (s *MemoryStore) makeRoom(now int64, keep ID) bool {
	for i := range s.shards {
		sh := &s.shards[i]
		for more := sh.due.Load() <= now/1000; more; {
			var n int
			sh.mu.Lock()
			n, more = s.expire(sh, now, expireChunk)
			sh.mu.Unlock()
			if n > 0 {
				return true
			}
		}
	}
	// CLOCK within a shard, the shards in turn: IDs are random, so all shards age alike.
	for range s.shards {
		sh := &s.shards[s.hand.Add(1)%uint32(len(s.shards))]
		if sh.anon.Load() > 0 && s.evict(sh, keep) {
			return true
		}
	}
	return false
}

// evict removes the first anonymous record that was not read since the hand last came by.
func (s *MemoryStore) evict(sh *shard, keep ID) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p := sh.table.Load()
	if p == nil {
		return false
	}
	t := *p
	for range 2 * len(t) {
		sh.hand = (sh.hand + 1) % len(t)
		e := t[sh.hand].Load()
		if e == nil || e.version == 0 || e.userLen > 0 || e.id == keep {
			continue
		}
		if e.used.Swap(0) == 0 {
			s.drop(sh, sh.hand, e)
			return true
		}
	}
	return false
}
