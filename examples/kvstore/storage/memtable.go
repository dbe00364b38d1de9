package storage

import (
	"slices"
	"strings"
)

// inline is the largest value that the memtable holds itself. Larger ones stay in the log, so that a node can hold more bytes
// than it has memory. The value is a guess at the size of a row.
const inline = 1 << 10

// item is the newest version of a key.
type item struct {
	stamp   Stamp
	deleted bool
	size    int
	value   []byte // if size <= inline
	at      int64  // else: where the value begins in the log
}

// memtable maps keys to their newest version.
type memtable map[string]item

// put keeps the entry if it is newer than what is there.
func (m memtable) put(e Entry, payloadAt int64, payloadLen int) {
	if old, ok := m[e.Key]; ok && e.Stamp.Compare(old.stamp) <= 0 {
		return
	}
	it := item{stamp: e.Stamp, deleted: e.Deleted, size: len(e.Value)}
	if it.size <= inline {
		it.value = slices.Clone(e.Value)
	} else {
		it.at = payloadAt + int64(payloadLen-it.size)
	}
	m[e.Key] = it
}

// keys returns at most limit keys with the prefix that sort after the given one, in order. It looks at every key: a node that lists
// often keeps its memtable sorted, as a skip list.
func (m memtable) keys(prefix, after string, limit int) []string {
	var found []string
	for key := range m {
		if strings.HasPrefix(key, prefix) && key > after {
			found = append(found, key)
		}
	}
	slices.Sort(found)
	return found[:min(limit, len(found))]
}
