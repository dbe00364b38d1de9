package cluster

import (
	"context"

	"github.com/sysblocks/sysblocks/examples/kvstore/listing"
	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// put stamps the entry and returns when W replicas have it in their logs. The others get it in the background, or a hint of it.
func (n *Node) put(ctx context.Context, e storage.Entry) error {
	e.Stamp = n.clock.Next()
	return n.retry(func(v *member.Rings) error {
		return n.write(ctx, v, wire.Put, e)
	})
}

// get asks all replicas and returns the newest version among the first R answers: none, or one, which may be a tombstone.
// Replicas that turn out to be behind are mended in the background.
func (n *Node) get(ctx context.Context, key string) (newest []storage.Entry, err error) {
	err = n.retry(func(v *member.Rings) error {
		sets := v.Replicas(key)
		all := sets.All()
		answers := n.ask(v, all, wire.Get, []byte(key), nil)
		got, err := sets.Gather(ctx, answers, n.quorum.R)
		if err != nil {
			return err
		}
		newest = member.Newest(got)
		n.tasks.Go(func() {
			for range len(all) - len(got) {
				got = append(got, <-answers)
			}
			n.repair(v, got)
		})
		return nil
	})
	return newest, err
}

// repair writes the newest version to every replica that answered with an older one or with none.
func (n *Node) repair(v *member.Rings, got []member.Answer) {
	newest := member.Newest(got)
	if len(newest) == 0 {
		return
	}
	for _, r := range got {
		if r.Err != nil || len(r.Entries) > 0 && r.Entries[0].Stamp.Compare(newest[0].Stamp) >= 0 {
			continue
		}
		mended := n.ask(v, []string{r.ID}, wire.Put, newest[0].AppendTo(nil), nil)
		if m := <-mended; m.Err == nil {
			n.repaired.Add(1)
		}
	}
}

// keys lists keys by prefix. All nodes are asked and N-R may fail: of the N replicas of any key, R have answered then.
func (n *Node) keys(ctx context.Context, prefix, after string, limit int) (page []storage.Entry, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = n.retry(func(v *member.Rings) error {
		nodes := listing.Nodes{Spare: n.quorum.N - n.quorum.R, Copies: n.quorum.N}
		for _, m := range v.Members() {
			nodes.IDs = append(nodes.IDs, m.ID)
		}
		if v.Moving() || n.quorum.Mode == Available { // both sets, or guests
			nodes.Copies = len(nodes.IDs)
		}
		nodes.Ask = func(ctx context.Context, id, prefix, after string, limit int) ([]storage.Entry, error) {
			return n.one(ctx, v, id, wire.Message{Kind: wire.Keys, Epoch: v.Epoch, Body: wire.JoinKeys(prefix, after, limit)})
		}
		page, _, err = listing.Page(ctx, nodes, prefix, after, limit)
		return err
	})
	return page, err
}
