// Package listing makes one sorted list of what lies on many nodes.
//
// A page is asked for by the last key of the one before, never by a number of keys to skip: keys that come, go or move to another
// node meanwhile shift nothing. Every node begins behind the same key, pagination's merge takes the smallest head of all, and the
// copies of a key, which come one after the other, become one row with the newest stamp.
package listing

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
	"github.com/sysblocks/sysblocks/pagination"
)

// Nodes are those whose lists are merged.
type Nodes struct {
	IDs    []string
	Spare  int                                                                                     // so many may fail, and every key has been listed by somebody
	Copies int                                                                                     // of a key, at most
	Ask    func(ctx context.Context, id, prefix, after string, limit int) ([]storage.Entry, error) // at most wire.PageSize entries
}

// Page returns at most limit keys, tombstones among them, that follow the given one, and whether there are more.
func Page(ctx context.Context, n Nodes, prefix, after string, limit int) (page []storage.Entry, more bool, err error) {
	order, err := pagination.NewOrder("key", pagination.ID("key", func(e *storage.Entry) []byte { return []byte(e.Key) }))
	if err != nil {
		return nil, false, err
	}
	var failed atomic.Int64 // nodes; counted by their sources, read when one more has failed
	var shards []pagination.Source[storage.Entry]
	for _, id := range n.IDs {
		shards = append(shards, &shard{nodes: n, id: id, prefix: prefix, failed: &failed})
	}
	merged, err := pagination.NewMerge(shards, pagination.MergeOptions{})
	if err != nil {
		return nil, false, err
	}
	rows := pagination.Range[storage.Entry]{Order: order, Limit: (limit + 1) * n.Copies}
	if rows.Start, err = order.After(&storage.Entry{Key: after}); err != nil {
		return nil, false, err
	}
	all, err := merged.Fetch(ctx, rows)
	for _, e := range all {
		switch last := len(page) - 1; {
		case last < 0 || page[last].Key != e.Key:
			page = append(page, e)
		case e.Stamp.Compare(page[last].Stamp) > 0:
			page[last] = e
		}
	}
	if len(page) > limit { // so many rows hold limit+1 keys, if there are any: what is cut off may be incomplete, and comes again
		return page[:limit], true, err
	}
	return page, false, err
}

// shard is the list of one node.
type shard struct {
	nodes  Nodes
	id     string
	prefix string
	failed *atomic.Int64
	away   atomic.Bool // set by the Fetch that failed, read by the next
}

// Fetch implements pagination.Source. A node that fails has an empty list, as long as the others make up for it.
func (s *shard) Fetch(ctx context.Context, r pagination.Range[storage.Entry]) (rows []storage.Entry, err error) {
	start, _ := r.Start.Key[0].Any().([]byte) // the order has one key, of bytes
	after := string(start)
	for len(rows) < r.Limit && !s.away.Load() {
		limit := min(r.Limit-len(rows), wire.PageSize)
		got, err := s.nodes.Ask(ctx, s.id, s.prefix, after, limit)
		if errors.Is(err, wire.ErrStale) || ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			s.away.Store(true)
			if s.failed.Add(1) > int64(s.nodes.Spare) {
				return nil, errors.Join(wire.ErrUnavailable, err)
			}
			break
		}
		rows = append(rows, got...)
		if len(got) < limit {
			break
		}
		after = got[len(got)-1].Key
	}
	return rows, nil
}
