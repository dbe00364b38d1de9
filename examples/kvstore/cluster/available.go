package cluster

import (
	"context"

	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/versions"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

func (n *Node) changeAvailable(ctx context.Context, c wire.Change) error {
	return n.retry(func(v *member.Rings) error {
		return versions.Write(ctx, n.around(v, c.Entry.Key), n.quorum.W, c)
	})
}

func (n *Node) readAvailable(ctx context.Context, key string) (entries []storage.Entry, err error) {
	err = n.retry(func(v *member.Rings) error {
		var behind int
		entries, behind, err = versions.Read(ctx, n.around(v, key), n.quorum.R, key)
		n.repaired.Add(int64(behind))
		return err
	})
	return entries, err
}

// around are the nodes from a key on, under one view.
func (n *Node) around(v *member.Rings, key string) versions.Nodes {
	return versions.Nodes{
		Walk:     v.Walk(key),
		Replicas: len(v.Replicas(key).All()),
		Ask: func(ctx context.Context, id string, k wire.Kind, body []byte) ([]storage.Entry, error) {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			return n.one(ctx, v, id, wire.Message{Kind: k, Epoch: v.Epoch, Body: body})
		},
		Tell: func(ids []string, body []byte) {
			if len(ids) > 0 {
				n.ask(v, ids, wire.Merge, body, nil)
			}
		},
	}
}

// guest is the part of a replica, or of a node that stands in for one. A guest is in the log like any other entry: a write was
// acknowledged on its account.
func (n *Node) guest(m wire.Message) ([]storage.Entry, error) {
	key, set, err := n.sets.Serve(m)
	if err == nil && !n.view.Load().Holds(n.id, key) {
		n.guests.Add(key)
	}
	return set, err
}
