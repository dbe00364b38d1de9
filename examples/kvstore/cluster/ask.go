package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

const (
	// patience bounds what a coordinator waits for one replica.
	patience = 5 * time.Second
	// changes bounds how often one operation starts again because the membership changed under it.
	changes = 10
)

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

// write sends an entry to all its replicas and returns when W of them have it. Those that are away get a hint.
func (n *Node) write(ctx context.Context, v *member.Rings, k wire.Kind, e storage.Entry) error {
	sets := v.Replicas(e.Key)
	answers := n.ask(v, sets.All(), k, e.AppendTo(nil), func(id string, err error) {
		if _, refused := errors.AsType[*wire.RefusedError](err); err != nil && !refused && !errors.Is(err, wire.ErrStale) {
			n.hints.Keep(id, e)
		}
	})
	_, err := sets.Gather(ctx, answers, n.quorum.W)
	return err
}

// ask sends one request to several nodes at once, this one among them. The channel has room for all answers, so nobody has to
// wait for the last; after is called with each outcome, also when the operation has long returned: the requests end with the
// node, not with the operation.
//
//nolint:contextcheck // that is why it takes no context
func (n *Node) ask(v *member.Rings, ids []string, k wire.Kind, body []byte, after func(id string, err error)) <-chan member.Answer {
	ctx, cancel := context.WithTimeout(n.ctx, patience)
	f := &fan{answers: make(chan member.Answer, len(ids)), free: cancel}
	f.left.Store(int32(len(ids)))
	for _, id := range ids {
		n.tasks.Go(func() {
			entries, err := n.one(ctx, v, id, wire.Message{Kind: k, Epoch: v.Epoch, Body: body})
			if after != nil {
				after(id, err)
			}
			f.done(member.Answer{ID: id, Entries: entries, Err: err})
		})
	}
	return f.answers
}

// fan is one request on its way to several nodes.
type fan struct {
	answers chan member.Answer
	left    atomic.Int32 // counted down by each task; the last one frees the timer
	free    context.CancelFunc
}

func (f *fan) done(r member.Answer) {
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
