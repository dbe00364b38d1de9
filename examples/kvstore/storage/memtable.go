package storage

import (
	"math/rand/v2"
	"sync"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage/run"
)

const (
	// maxHeight suits 4^12 = 16 million keys.
	maxHeight = 12
	// stride is how many items a cursor copies under the lock at a time.
	stride = 64
)

// memtable holds the newest states in the order of their keys, as a skip list: every node stands in the lowest list, and in each
// higher one with a chance of one in four, so that a search skips most of them. The lock of the store guards it.
type memtable struct {
	head node
	len  int
}

type node struct {
	run.Item
	next []*node // by height
}

func newMemtable() *memtable { return &memtable{head: node{next: make([]*node, maxHeight)}} }

// seek returns the first node that is not before the key, and in path, if there is one, the last node before it at each height.
func (m *memtable) seek(key string, path *[maxHeight]*node) *node {
	at := &m.head
	for h := maxHeight - 1; h >= 0; h-- {
		for at.next[h] != nil && at.next[h].Key < key {
			at = at.next[h]
		}
		if path != nil {
			path[h] = at
		}
	}
	return at.next[0]
}

// put sets the state of a key.
func (m *memtable) put(key string, state []byte) {
	var path [maxHeight]*node
	if n := m.seek(key, &path); n != nil && n.Key == key {
		n.Value = state
		return
	}
	height := 1
	for height < maxHeight && rand.Uint32()%4 == 0 {
		height++
	}
	n := &node{Item: run.Item{Key: key, Value: state}, next: make([]*node, height)}
	for h := range n.next {
		n.next[h], path[h].next[h] = path[h].next[h], n
	}
	m.len++
}

func (m *memtable) get(key string) (state []byte, found bool) {
	if n := m.seek(key, nil); n != nil && n.Key == key {
		return n.Value, true
	}
	return nil, false
}

// tableCursor walks through a memtable while it is written. It takes the lock for a few items at a time, so that no writer waits for
// a slow reader; a key that comes in meanwhile is seen if it sorts after what has been seen.
type tableCursor struct {
	lock  *sync.RWMutex
	table *memtable
	from  string // the next item is not before it
	items []run.Item
}

// Next implements run.Cursor.
func (c *tableCursor) Next() (run.Item, bool, error) {
	if len(c.items) == 0 {
		c.lock.RLock()
		for n := c.table.seek(c.from, nil); n != nil && len(c.items) < stride; n = n.next[0] {
			c.items = append(c.items, n.Item)
		}
		c.lock.RUnlock()
		if len(c.items) == 0 {
			return run.Item{}, false, nil
		}
		c.from = behind(c.items[len(c.items)-1].Key)
	}
	it := c.items[0]
	c.items = c.items[1:]
	return it, true, nil
}

// behind is the first string that sorts after s.
func behind(s string) string { return s + "\x00" }
