package cluster

import (
	"context"
	"slices"
	"strings"

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

// keys lists keys by prefix. All nodes are asked and N-R may fail: of the N replicas of any key, R have answered then.
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

// latest is the newest entry of the answers; none if no replica has one.
func latest(got []reply) (newest []storage.Entry) {
	for _, r := range got {
		if len(r.entries) > 0 && (newest == nil || r.entries[0].Stamp.Compare(newest[0].Stamp) > 0) {
			newest = r.entries[:1]
		}
	}
	return newest
}
