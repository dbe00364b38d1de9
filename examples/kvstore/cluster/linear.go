package cluster

import (
	"context"

	"github.com/sysblocks/sysblocks/examples/kvstore/linear"
	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// changeLinear runs a change until it is done under one view. What an earlier view has left half done is recognised by its ID.
func (n *Node) changeLinear(ctx context.Context, c wire.Change) (version []storage.Entry, err error) {
	if c.ID == 0 {
		id, err := n.ids.Next(ctx)
		if err != nil {
			return nil, err
		}
		c.ID = uint64(id)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = n.retry(func(v *member.Rings) error {
		version, err = linear.Change(ctx, &replicas{n, v, c.Entry.Key, v.Replicas(c.Entry.Key)}, n.clock, c)
		return err
	})
	return version, err
}

func (n *Node) readLinear(ctx context.Context, key string) (newest []storage.Entry, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = n.retry(func(v *member.Rings) error {
		newest, err = linear.Read(ctx, &replicas{n, v, key, v.Replicas(key)}, n.clock, key)
		return err
	})
	return newest, err
}

// replicas are those of one key under one view. Requests to them outlive the operation, so they end with the node and not with it.
type replicas struct {
	n    *Node
	v    *member.Rings
	key  string
	sets member.Quorums
}

// Read implements linear.Replicas. R answers suffice to know the newest version; that W have it makes it safe.
func (r *replicas) Read(ctx context.Context) (newest []storage.Entry, settled bool, err error) {
	answers := r.n.ask(r.v, r.sets.All(), wire.Get, []byte(r.key), nil)
	got, err := r.sets.Gather(ctx, answers, r.n.quorum.R)
	newest = member.Newest(got)
	var have []string
	for _, g := range got {
		if len(newest) > 0 && len(g.Entries) > 0 && g.Entries[0].Stamp == newest[0].Stamp {
			have = append(have, g.ID)
		}
	}
	return newest, r.sets.Reached(have, r.n.quorum.W), err
}

// Promise implements linear.Replicas.
func (r *replicas) Promise(ctx context.Context, ballot storage.Stamp) ([]storage.Entry, error) {
	body := storage.Entry{Key: r.key, Stamp: ballot}.AppendTo(nil)
	answers := r.n.ask(r.v, r.sets.All(), wire.Promise, body, nil)
	got, err := r.sets.Gather(ctx, answers, r.n.quorum.R)
	return member.Newest(got), err
}

// Accept implements linear.Replicas.
func (r *replicas) Accept(ctx context.Context, e storage.Entry) error {
	return r.n.write(ctx, r.v, wire.Accept, e)
}
