package versions

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// Nodes are those around the ring from a key on, as a coordinator reaches them.
type Nodes struct {
	Walk     []string // all, first the replicas
	Replicas int
	Ask      func(ctx context.Context, id string, k wire.Kind, body []byte) ([]storage.Entry, error)
	Tell     func(ids []string, body []byte) // merges in the background
}

// Write takes a change wherever w nodes can be reached: the replicas, then those who stand further round the ring, as guests (a
// sloppy quorum). The first of them makes the version, so that it stands beside or in the place of what is there; the others get
// the set.
func Write(ctx context.Context, n Nodes, w int, c wire.Change) error {
	var have, away []string
	var set []storage.Entry
	var last error
	for _, id := range n.Walk {
		if len(have) == n.Replicas || len(have) >= w && len(away) == 0 {
			break // enough copies; or enough to answer, and the other replicas get theirs in the background
		}
		var err error
		if set == nil {
			set, err = n.Ask(ctx, id, wire.Update, c.Encode())
		} else {
			_, err = n.Ask(ctx, id, wire.Merge, set[0].AppendTo(nil))
		}
		switch {
		case errors.Is(err, wire.ErrStale) || errors.Is(err, wire.ErrInvalid):
			return err
		case err != nil:
			away, last = append(away, id), err
		default:
			have = append(have, id)
		}
	}
	if len(have) < w {
		return fmt.Errorf("%w: %d nodes can be reached: %w", wire.ErrUnavailable, len(have), last)
	}
	n.Tell(slices.DeleteFunc(slices.Clone(n.Walk[:n.Replicas]), func(id string) bool {
		return slices.Contains(have, id) || slices.Contains(away, id)
	}), set[0].AppendTo(nil))
	return nil
}

// Read unites what r nodes have: replicas, or those who stand in for them. It returns how many replicas were behind; they get the
// union.
func Read(ctx context.Context, n Nodes, r int, key string) (entries []storage.Entry, behind int, err error) {
	union, answers := Set{Seen: Vector{}}, make(map[string]Set)
	for _, id := range n.Walk {
		if len(answers) == r {
			break
		}
		var set Set
		got, failed := n.Ask(ctx, id, wire.Get, []byte(key))
		if errors.Is(failed, wire.ErrStale) {
			return nil, 0, failed
		}
		if failed == nil && len(got) > 0 {
			set, failed = Decode(got[0].Value)
		}
		if failed != nil {
			err = failed
			continue
		}
		answers[id], union = set, union.Merge(set)
	}
	if len(answers) < r {
		return nil, 0, fmt.Errorf("%w: %d nodes can be reached: %w", wire.ErrUnavailable, len(answers), err)
	}
	var old []string
	for _, id := range n.Walk[:n.Replicas] {
		if set, asked := answers[id]; asked && !set.Equal(union) {
			old = append(old, id)
		}
	}
	n.Tell(old, storage.Entry{Key: key, Value: union.Encode()}.AppendTo(nil))
	return seen(key, union), len(old), nil
}

// seen is a set as clients see it: each version under the context that replaces them all.
func seen(key string, s Set) (entries []storage.Entry) {
	context := storage.Stamp{Node: s.Seen.String()}
	for _, v := range s.Versions {
		entries = append(entries, storage.Entry{Key: key, Stamp: context, Deleted: v.Deleted, Value: v.Data})
	}
	return entries
}
