package attacks

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/fakenet"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// listing is claim j.
func (s *System) listing() claim.Claim {
	return claim.Claim{
		ID: "j", Text: "a listing survives a join and other writers",
		Run: s.listed(byKey), Holds: func(f claim.Facts) bool {
			return f.Over("keys", 0) && f.Over("pages", 3) && f.Is("epochs", 2) && f.Is("duplicates", 0) && f.Is("missing", 0)
		},
		ControlText: "pages by offset",
		Control:     s.listed(byOffset), Breaks: func(f claim.Facts) bool { return f.Over("duplicates", 0) && f.Over("missing", 0) },
		Show: []string{"keys", "pages", "epochs", "duplicates", "missing"},
	}
}

// pager returns the page that follows: after the last key of the one before, or after so many rows.
type pager func(ctx context.Context, client *wire.Client, last string, rows, limit int) ([]string, error)

func byKey(ctx context.Context, client *wire.Client, last string, _, limit int) (page []string, err error) {
	for { // a page of deleted keys is not the end
		page, last, err = client.Keys(ctx, "", last, limit)
		if err != nil || len(page) > 0 || last == "" {
			return page, err
		}
	}
}

// byOffset reads from the first key on and skips.
func byOffset(ctx context.Context, client *wire.Client, _ string, rows, limit int) ([]string, error) {
	var all []string
	for last := ""; len(all) < rows+limit; {
		page, next, err := client.Keys(ctx, "", last, wire.PageSize)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if next == "" {
			break
		}
		last = next
	}
	return all[min(rows, len(all)):min(rows+limit, len(all))], nil
}

// listed is the attack. Half of the pages are read while a node joins, and half when it has joined. After every page some keys at
// the front of the list are written, or deleted again: they are not counted, but they shift the others.
func (s *System) listed(next pager) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		q := cluster.Quorum{N: 3, W: 2, R: 2}
		return local.Scratch(q, local.Names(5), env.Seed, func(nodes *local.Cluster) (claim.Facts, error) {
			const pages = 10
			client := nodes.Client()
			defer client.Close()
			keys := env.Size(3_000)
			err := workload.Each(ctx, workers, keys, func(ctx context.Context, _, i int) error {
				env.Note("j: %d of %d keys stored", i, keys)
				return client.Put(ctx, fmt.Sprintf("key-%05d", i), []byte("x"))
			})
			if err != nil {
				return nil, err
			}
			before := nodes.View().Epoch
			joined, err := beginJoin(ctx, nodes)
			if err != nil {
				return nil, err
			}
			seen, read, rows, last := make(map[string]int), 0, 0, ""
			for ; ; read++ {
				env.Note("j: page %d", read)
				page, err := next(ctx, client, last, rows, keys/pages)
				if err != nil {
					return nil, err
				}
				if len(page) == 0 {
					break
				}
				for _, key := range page {
					seen[key]++
				}
				rows, last = rows+len(page), page[len(page)-1]
				if read == pages/2 { // from now on the node belongs to it
					nodes.Network().SetScript(nil)
					if err := <-joined; err != nil {
						return nil, err
					}
				}
				if err := shift(ctx, client, read); err != nil {
					return nil, err
				}
			}
			f := claim.Facts{"keys": float64(keys), "pages": float64(read), "epochs": float64(nodes.View().Epoch - before), "duplicates": 0, "missing": 0}
			for i := range keys {
				n := seen[fmt.Sprintf("key-%05d", i)]
				f["duplicates"] += float64(max(n-1, 0))
				f["missing"] += float64(max(1-n, 0))
			}
			return f, nil
		})
	}
}

// beginJoin lets a node join and returns when all know of it. What it asks for is held back until the script is replaced.
func beginJoin(ctx context.Context, nodes *local.Cluster) (<-chan error, error) {
	arrived := make(chan struct{}, 100)
	nodes.Network().SetScript(func(_, _ string, frame []byte) fakenet.Action {
		if wire.KindOf(frame) != wire.Pull {
			return fakenet.Deliver
		}
		select {
		case arrived <- struct{}{}:
		default:
		}
		return fakenet.Hold
	})
	joined := make(chan error, 1)
	go func() { joined <- nodes.Join(ctx, local.Names(6)[5]) }()
	select {
	case <-arrived:
		return joined, nil
	case err := <-joined:
		return nil, errors.Join(errors.New("the join ended before it asked for anything"), err)
	}
}

// shift writes seven keys before all others, and deletes them the next time.
func shift(ctx context.Context, client *wire.Client, page int) error {
	for i := range 7 {
		key := strings.Repeat("a", i+1)
		if page%2 == 0 {
			if err := client.Put(ctx, key, nil); err != nil {
				return err
			}
		} else if err := client.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
