package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

const (
	// patience bounds what a coordinator waits for one replica.
	patience = 2 * time.Second
	// changes bounds how often one operation starts again because the membership changed under it.
	changes = 10
)

// put stamps the entry and returns when W replicas have it in their logs. The others get it in the background, or a hint of it.
func (n *Node) put(ctx context.Context, e storage.Entry) error {
	e.Stamp = storage.Stamp{Time: n.clock.next(), Node: n.id}
	return n.retry(func(v *member.Rings) error {
		sets := v.Replicas(e.Key)
		answers := n.ask(ctx, v, sets.All(), wire.Put, e.AppendTo(nil), func(id string, err error) {
			if err != nil && !errors.Is(err, wire.ErrStale) {
				n.hints.keep(id, e)
			}
		})
		_, err := n.gather(ctx, sets, answers, n.quorum.W)
		return err
	})
}

// get asks all replicas and returns the newest version among the first R answers: none, or one, which may be a tombstone.
// Replicas that turn out to be behind are mended in the background.
func (n *Node) get(ctx context.Context, key string) (newest []storage.Entry, err error) {
	err = n.retry(func(v *member.Rings) error {
		sets := v.Replicas(key)
		all := sets.All()
		answers := n.ask(ctx, v, all, wire.Get, []byte(key), nil)
		got, err := n.gather(ctx, sets, answers, n.quorum.R)
		if err != nil {
			return err
		}
		newest = latest(got)
		n.tasks.Go(func() {
			for range len(all) - len(got) {
				got = append(got, <-answers)
			}
			n.repair(ctx, v, got)
		})
		return nil
	})
	return newest, err
}

// repair writes the newest version to every replica that answered with an older one or with none.
func (n *Node) repair(ctx context.Context, v *member.Rings, got []reply) {
	newest := latest(got)
	if len(newest) == 0 {
		return
	}
	for _, r := range got {
		if r.err != nil || len(r.entries) > 0 && r.entries[0].Stamp.Compare(newest[0].Stamp) >= 0 {
			continue
		}
		mended := n.ask(ctx, v, []string{r.id}, wire.Put, newest[0].AppendTo(nil), nil)
		if m := <-mended; m.err == nil {
			n.repaired.Add(1)
		}
	}
}

// keys lists keys by prefix. It needs every key's replicas but N-R at most, so it asks all nodes and lets N-R fail.
func (n *Node) keys(ctx context.Context, prefix, after string) (page []storage.Entry, err error) {
	err = n.retry(func(v *member.Rings) error {
		var all []string
		for _, m := range v.Members() {
			all = append(all, m.ID)
		}
		answers := n.ask(ctx, v, all, wire.Keys, wire.JoinKeys(prefix, after), nil)
		need := len(all) - (n.quorum.N - n.quorum.R)
		got, err := n.gather(ctx, member.Quorums{all}, answers, need)
		if err == nil {
			page = merge(got)
		}
		return err
	})
	return page, err
}

// merge unites the listings of nodes. A full listing says nothing about what lies beyond its last key, so the page ends there.
func merge(got []reply) []storage.Entry {
	byKey := make(map[string]storage.Entry)
	end := ""
	for _, r := range got {
		for _, e := range r.entries {
			if old, ok := byKey[e.Key]; !ok || e.Stamp.Compare(old.Stamp) > 0 {
				byKey[e.Key] = e
			}
		}
		if len(r.entries) == wire.PageSize {
			if last := r.entries[wire.PageSize-1].Key; end == "" || last < end {
				end = last
			}
		}
	}
	var page []storage.Entry
	for _, e := range byKey {
		if end == "" || e.Key <= end {
			page = append(page, e)
		}
	}
	slices.SortFunc(page, func(a, b storage.Entry) int { return strings.Compare(a.Key, b.Key) })
	return page
}

// retry runs an operation under the present view, and again when it turns out that the membership has changed.
func (n *Node) retry(operation func(v *member.Rings) error) error {
	var err error
	for range changes {
		if err = operation(n.view.Load()); !errors.Is(err, wire.ErrStale) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", wire.ErrUnavailable, err)
}

// reply is what one replica answered.
type reply struct {
	id      string
	entries []storage.Entry
	err     error
}

// latest is the newest entry of the answers; none if no replica has one.
func latest(got []reply) (newest []storage.Entry) {
	for _, r := range got {
		if len(r.entries) > 0 && (newest == nil || r.entries[0].Stamp.Compare(newest[0].Stamp) > 0) {
			newest = r.entries[:1]
		}
	}
	return newest
}

// ask sends one request to several nodes at once, this one among them. The channel has room for all answers, so nobody has to
// wait for the last; after is called with each outcome, also when the operation has long returned. So ctx has to be one that
// ends with the node and not with the request.
func (n *Node) ask(ctx context.Context, v *member.Rings, ids []string, k wire.Kind, body []byte, after func(id string, err error)) <-chan reply {
	ctx, cancel := context.WithTimeout(ctx, patience)
	f := &fan{answers: make(chan reply, len(ids)), free: cancel}
	f.left.Store(int32(len(ids)))
	for _, id := range ids {
		n.tasks.Go(func() {
			entries, err := n.one(ctx, v, id, wire.Message{Kind: k, Epoch: v.Epoch, Body: body})
			if after != nil {
				after(id, err)
			}
			f.done(reply{id, entries, err})
		})
	}
	return f.answers
}

// fan is one request on its way to several nodes.
type fan struct {
	answers chan reply
	left    atomic.Int32 // counted down by each task; the last one frees the timer
	free    context.CancelFunc
}

func (f *fan) done(r reply) {
	f.answers <- r // has room for all
	if f.left.Add(-1) == 0 {
		f.free()
	}
}

// one sends a request to one node. A node that is behind is told the view and asked again; if this one is behind, it learns the
// other's view and the operation has to start again.
func (n *Node) one(ctx context.Context, v *member.Rings, id string, m wire.Message) ([]storage.Entry, error) {
	for range 2 {
		if id == n.id {
			return n.handle(ctx, m).Result()
		}
		r, err := n.peers.Call(ctx, id, m)
		if err != nil {
			return nil, err
		}
		if r.Kind != wire.Stale {
			return r.Result()
		}
		if r.Epoch > v.Epoch {
			var newer member.View
			if err := json.Unmarshal(r.Body, &newer); err != nil {
				return nil, err
			}
			return nil, errors.Join(wire.ErrStale, n.install(newer))
		}
		if err := n.tell(ctx, id, v.View); err != nil {
			return nil, err
		}
	}
	return nil, wire.ErrStale
}

// tell sends a view to another node.
func (n *Node) tell(ctx context.Context, id string, v member.View) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if id == n.id {
		return n.install(v)
	}
	r, err := n.peers.Call(ctx, id, wire.Message{Kind: wire.View, Body: body})
	if err == nil {
		_, err = r.Result()
	}
	return err
}

// gather reads answers until there are enough in every set, or there cannot be.
func (n *Node) gather(ctx context.Context, q member.Quorums, answers <-chan reply, need int) (got []reply, err error) {
	var answered, failed []string
	for {
		select {
		case r := <-answers:
			got = append(got, r)
			switch {
			case errors.Is(r.err, wire.ErrStale):
				return nil, wire.ErrStale
			case r.err != nil:
				failed = append(failed, r.id)
				err = r.err
			default:
				answered = append(answered, r.id)
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if q.Reached(answered, need) {
			return got, nil
		}
		if q.Hopeless(failed, need) {
			return nil, fmt.Errorf("%w: %d failed, last: %w", wire.ErrUnavailable, len(failed), err)
		}
	}
}
