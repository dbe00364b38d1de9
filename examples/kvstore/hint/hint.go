// Package hint keeps writes for replicas that are away.
package hint

import (
	"sync"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

// room is how many bytes of hints a node keeps. What does not fit is left to read repair.
const room = 64 << 20

// Hints are writes that a replica missed, kept by the coordinator until that replica is back. They make it catch up sooner; no
// promise rests on them, since the write was acknowledged by W other replicas. So they live in memory only.
type Hints struct {
	mu                         sync.Mutex
	by                         map[string]map[string]storage.Entry // node → key → newest version
	bytes                      int
	hinted, delivered, dropped int64
}

// Keep takes a hint, unless it has a newer one of the key.
func (h *Hints) Keep(node string, e storage.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, have := h.by[node][e.Key]
	if have && e.Stamp.Compare(old.Stamp) <= 0 {
		return
	}
	if size := len(e.Key) + len(e.Value); h.bytes+size > room {
		h.dropped++
		return
	}
	if h.by == nil {
		h.by = make(map[string]map[string]storage.Entry)
	}
	if h.by[node] == nil {
		h.by[node] = make(map[string]storage.Entry)
	}
	h.bytes += len(e.Key) + len(e.Value)
	if have {
		h.bytes -= len(old.Key) + len(old.Value)
	}
	h.by[node][e.Key] = e
	h.hinted++
}

// Remove forgets a hint, unless a newer version has come in meanwhile.
func (h *Hints) Remove(node string, e storage.Entry, delivered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by[node][e.Key].Stamp == e.Stamp {
		h.bytes -= len(e.Key) + len(e.Value)
		delete(h.by[node], e.Key)
	}
	if delivered {
		h.delivered++
	}
}

// Waiting copies what is kept, by node.
func (h *Hints) Waiting() map[string][]storage.Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make(map[string][]storage.Entry)
	for node, entries := range h.by {
		for _, e := range entries {
			all[node] = append(all[node], e)
		}
	}
	return all
}

// Len is the number of hints that wait.
func (h *Hints) Len() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, entries := range h.by {
		n += len(entries)
	}
	return n
}

// Counts says how many hints were kept, handed over, and given up for want of room.
func (h *Hints) Counts() (hinted, delivered, dropped int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hinted, h.delivered, h.dropped
}
