package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
	"github.com/sysblocks/sysblocks/hashring"
)

// pageBytes is how much of the entries one answer to a pull holds: small against a frame, large against a round trip.
const pageBytes = 1 << 20

// Join brings this node into a running cluster, in three steps:
//
//	announce  epoch e+1: Old and New differ; every operation needs a quorum in both
//	stream    copy exactly the ranges that the ring's plan says this node gains, from a quorum of replicas each
//	drop      epoch e+2: only New counts; every node forgets what now lives elsewhere
//
// No step has to reach every node. A replica serves only its own epoch, so an operation of an older one fails on any replica that
// both have in common, and starts again: that is the fence. A quorum of sources instead of one, because a single replica may have
// missed a write that was acknowledged, while a quorum cannot all have (Quorum.sources).
//
// Two joins at once would announce two views of one epoch; agreeing on an order needs consensus, which is not part of this
// program. A join that failed half-way leaves the cluster working under both sets, and is continued by calling Join again.
func (n *Node) Join(ctx context.Context, seed member.View, me member.Node) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	joined := make(chan error, 1)
	n.tasks.Go(func() { joined <- n.join(ctx, seed, me) })
	select {
	case err := <-joined:
		return err
	case <-n.ctx.Done(): // killed
		cancel()
		return <-joined
	}
}

func (n *Node) join(ctx context.Context, seed member.View, me member.Node) error {
	both := seed
	if !seed.Moving() {
		both = member.View{Epoch: seed.Epoch + 1, Old: seed.New, New: append(slices.Clone(seed.New), me)}
	}
	if err := n.announce(ctx, both); err != nil {
		return err
	}
	v := n.view.Load()
	if v.Epoch != both.Epoch {
		return fmt.Errorf("%w: a join has overtaken this one", wire.ErrStale)
	}
	if err := n.stream(ctx, v); err != nil {
		return err
	}
	return n.announce(ctx, member.View{Epoch: both.Epoch + 1, Old: both.New, New: both.New})
}

// announce installs a view here, then wherever it can be. Nodes that are away learn it from the first request they see.
func (n *Node) announce(ctx context.Context, v member.View) error {
	if err := n.install(v); err != nil {
		return err
	}
	for _, m := range v.Members() {
		if err := n.tell(ctx, m.ID, v); err != nil && ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// stream pulls what this node gains. When a source fails, the plan is made again without it.
func (n *Node) stream(ctx context.Context, v *member.Rings) error {
	var away []string
	for {
		plan, err := n.plan(v, away)
		if err != nil {
			return err
		}
		failed := ""
		for source, ranges := range plan {
			if err = n.pull(ctx, v, source, ranges); err != nil {
				failed = source
				break
			}
		}
		if failed == "" {
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, wire.ErrStale) {
			return err
		}
		away = append(away, failed)
	}
}

// plan says from whom to pull which ranges: each range that the ring lists as gained by this node, from a quorum of its old
// replicas.
func (n *Node) plan(v *member.Rings, away []string) (map[string][]hashring.Range, error) {
	plan, need := make(map[string][]hashring.Range), n.quorum.sources()
	for move := range (hashring.Change[string]{Old: v.Before, New: v.After}).Moves(n.quorum.N) {
		if !slices.ContainsFunc(move.Gained(), func(g hashring.Node[string]) bool { return g.ID == n.id }) {
			continue
		}
		sources := 0
		for _, source := range move.Old {
			if sources < need && !slices.Contains(away, source.ID) {
				plan[source.ID] = append(plan[source.ID], move.Range)
				sources++
			}
		}
		if sources < need {
			return nil, fmt.Errorf("%w: a range has %d of %d sources", wire.ErrUnavailable, sources, need)
		}
	}
	return plan, nil
}

// pull copies the entries of the ranges from one source, page by page in the order of keys.
func (n *Node) pull(ctx context.Context, v *member.Rings, source string, ranges []hashring.Range) (err error) {
	after := ""
	for {
		answers := n.ask(v, []string{source}, wire.Pull, wire.JoinPull(after, ranges), nil)
		var page member.Answer
		select {
		case page = <-answers:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if page.Err != nil || len(page.Entries) == 0 {
			return page.Err
		}
		for _, e := range page.Entries {
			if n.quorum.Mode == Available {
				err = n.sets.Merge(e)
			} else {
				err = n.accept.Copy(e)
			}
			if err != nil {
				return err
			}
			n.clock.Observe(e.Stamp)
		}
		n.pulled.Add(int64(len(page.Entries)))
		after = page.Entries[len(page.Entries)-1].Key
	}
}

// page answers a pull: the entries after a key whose tokens lie in the ranges, in order, at most pageBytes of them.
func (n *Node) page(body []byte) (page []storage.Entry, err error) {
	after, ranges, err := wire.SplitPull(body)
	if err != nil {
		return nil, err
	}
	token := n.view.Load().Before.Token
	size := 0
	for e, err := range n.store.Scan("", after) {
		if err != nil {
			return nil, err
		}
		if !wire.Within(ranges, token(e.Key)) {
			continue
		}
		if size += len(e.Key) + len(e.Value); len(page) > 0 && size > pageBytes {
			break
		}
		page = append(page, e)
	}
	return page, nil
}
