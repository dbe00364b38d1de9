package cluster

import (
	"errors"
	"time"

	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// hintEvery is how often a node tries to hand its hints over.
const hintEvery = 50 * time.Millisecond

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
		for id, entries := range n.hints.Waiting() {
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
		n.hints.Remove(id, e, false)
		return true
	}
	k := wire.Put
	if n.quorum.Mode == Linear {
		k = wire.Accept
	}
	r := <-n.ask(v, []string{id}, k, e.AppendTo(nil), nil)
	_, overtaken := errors.AsType[*wire.RefusedError](r.Err)
	if r.Err == nil || overtaken {
		n.hints.Remove(id, e, r.Err == nil)
		return true
	}
	return false
}

// deliverGuests brings keys home until the node ends. What all replicas have is dropped here, unless it has changed meanwhile.
func (n *Node) deliverGuests() {
	every := time.NewTicker(hintEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-n.ctx.Done():
			return
		}
		v := n.view.Load()
		for _, key := range n.guests.List() {
			if v.Holds(n.id, key) {
				n.guests.Remove(key) // it belongs here now
			} else {
				n.bring(v, key)
			}
		}
	}
}

// bring hands one key to its replicas, and drops it when all have it. Whatever goes wrong, it is tried again.
func (n *Node) bring(v *member.Rings, key string) {
	e, found, err := n.store.Get(key)
	if err != nil {
		return
	}
	if !found {
		n.guests.Remove(key)
		return
	}
	replicas := v.Replicas(key).All()
	answers := n.ask(v, replicas, wire.Merge, e.AppendTo(nil), nil)
	if _, err = (member.Quorums{replicas}).Gather(n.ctx, answers, len(replicas)); err != nil {
		return
	}
	n.fence.RLock()
	defer n.fence.RUnlock()
	if n.view.Load() == v {
		_ = n.sets.Forget(e, func() { n.guests.Remove(key) })
	}
}
