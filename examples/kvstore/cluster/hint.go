package cluster

import (
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

const (
	// hintRoom is how many bytes of hints a node keeps. What does not fit is left to read repair.
	hintRoom = 64 << 20
	// hintEvery is how often a node tries to hand its hints over.
	hintEvery = 50 * time.Millisecond
)

// hints are writes that a replica missed, kept by the coordinator until that replica is back. They make it catch up sooner; no
// promise rests on them, since the write was acknowledged by W other replicas. So they live in memory only.
type hints struct {
	mu                         sync.Mutex
	by                         map[string]map[string]storage.Entry // node → key → newest version
	bytes                      int
	hinted, delivered, dropped int64
}

func (h *hints) keep(node string, e storage.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, have := h.by[node][e.Key]
	if have && e.Stamp.Compare(old.Stamp) <= 0 {
		return
	}
	if size := len(e.Key) + len(e.Value); h.bytes+size > hintRoom {
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

// remove forgets a hint, unless a newer version has come in meanwhile.
func (h *hints) remove(node string, e storage.Entry, delivered bool) {
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

// waiting copies what is kept, by node.
func (h *hints) waiting() map[string][]storage.Entry {
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

func (h *hints) len() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, entries := range h.by {
		n += len(entries)
	}
	return n
}

func (h *hints) counts() (hinted, delivered, dropped int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hinted, h.delivered, h.dropped
}

// deliverHints hands hints over until the node ends.
func (n *Node) deliverHints() {
	every := time.NewTicker(hintEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-n.ctx.Done():
			return
		}
		for id, entries := range n.hints.waiting() {
			for _, e := range entries {
				if !n.deliver(id, e) {
					break // still away: try again later
				}
			}
		}
	}
}

// deliver hands one hint over and reports whether the node is there. A hint for a node that is no longer a replica is void.
func (n *Node) deliver(id string, e storage.Entry) bool {
	v := n.view.Load()
	if !v.Holds(id, e.Key) {
		n.hints.remove(id, e, false)
		return true
	}
	r := <-n.ask(n.ctx, v, []string{id}, wire.Put, e.AppendTo(nil), nil)
	if r.err == nil {
		n.hints.remove(id, e, true)
	}
	return r.err == nil
}
