package consistency

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// Partition is claim f.
func Partition() claim.Claim {
	return claim.Claim{
		ID: "f", Text: "cut off, linear refuses and available accepts",
		Run: cutOff, Holds: func(f claim.Facts) bool {
			return f.Over("refused", 0) && f.Is("accepted-by-minority", 0) && f.Over("accepted", 0) && f.Is("failed", 0) &&
				f.Over("conflicting", 0) && f.Is("siblings", f["conflicting"]) && f.Is("unresolved", 0) && f.Is("lost", 0)
		},
		ControlText: "the last writer wins (W=R=1)",
		Control: func(ctx context.Context, env claim.Env) (claim.Facts, error) {
			return bothSides(ctx, env, cluster.Quorum{N: 3, W: 1, R: 1, Mode: cluster.Newest})
		},
		Breaks: func(f claim.Facts) bool { return f.Over("conflicting", 0) && f.Over("lost", 0) },
		Show:   []string{"refused", "accepted-by-minority", "accepted", "failed", "conflicting", "siblings", "unresolved", "lost"},
	}
}

// cutOff is the attack, in both modes. Zone a, with one replica of each key, loses sight of the others.
func cutOff(ctx context.Context, env claim.Env) (claim.Facts, error) {
	refusals := claim.Facts{"refused": 0, "accepted-by-minority": 0}
	q := cluster.Quorum{N: 3, W: 2, R: 2, Mode: cluster.Linear}
	_, err := local.Scratch(q, local.Names(5), env.Seed, func(nodes *local.Cluster) (claim.Facts, error) {
		split(nodes)
		client := nodes.ClientOf("client-a", "n1", "n4")
		defer client.Close()
		for i := range env.Size(300) {
			env.Note("f: %d writes in a minority", i)
			if client.Put(ctx, fmt.Sprint("key-", i), []byte("x")) == nil {
				refusals["accepted-by-minority"]++
			} else {
				refusals["refused"]++
			}
		}
		return nil, ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	q.Mode = cluster.Available
	facts, err := bothSides(ctx, env, q)
	maps.Copy(facts, refusals)
	return facts, err
}

func split(nodes *local.Cluster) {
	nodes.Network().Partition(nil, []string{"n1", "n4", "client-a"})
}

// carts is the attack on a mode that accepts: each value is a list, to which clients on both sides add what nobody else adds. The
// middle third of the keys is written on both sides.
type carts struct {
	nodes   *local.Cluster
	mode    cluster.Mode
	keys    int
	mu      sync.Mutex          // guards all below
	acked   map[string][]string // what must be in the list of a key
	counted claim.Facts
}

func bothSides(ctx context.Context, env claim.Env, q cluster.Quorum) (claim.Facts, error) {
	return local.Scratch(q, local.Names(5), env.Seed, func(nodes *local.Cluster) (claim.Facts, error) {
		c := &carts{
			nodes: nodes, mode: q.Mode, keys: env.Size(600), acked: make(map[string][]string),
			counted: claim.Facts{"accepted": 0, "failed": 0, "conflicting": 0, "siblings": 0, "unresolved": 0, "lost": 0},
		}
		whole := nodes.Client()
		defer whole.Close()
		minority, majority := nodes.ClientOf("client-a", "n1", "n4"), nodes.ClientOf("client-b", "n2", "n3", "n5")
		defer minority.Close()
		defer majority.Close()
		c.addAll(ctx, whole, "base", 0, c.keys)
		split(nodes)
		c.addAll(ctx, minority, "a", 0, c.keys*2/3)
		c.addAll(ctx, majority, "b", c.keys/3, c.keys)
		c.counted["conflicting"] = float64(c.keys*2/3 - c.keys/3)
		nodes.Network().Heal()
		patience, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if err := nodes.Settle(patience); err != nil {
			return nil, err
		}
		err := c.resolve(ctx, whole)
		return c.counted, err
	})
}

// addAll adds an item to the lists of a range of keys: read, add, write on condition of what was read.
func (c *carts) addAll(ctx context.Context, client *wire.Client, item string, from, to int) {
	_ = workload.Each(ctx, workers, to-from, func(ctx context.Context, _, i int) error { // it fails with ctx only, and that is seen later
		key := fmt.Sprint("key-", from+i)
		versions, err := client.Versions(ctx, key)
		if err == nil {
			list, seen := union(versions)
			err = c.put(ctx, client, key, append(list, item), seen)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			c.counted["failed"]++
			return nil
		}
		c.counted["accepted"]++
		c.acked[key] = append(c.acked[key], item)
		return nil
	})
}

// put replaces what the client has seen; where the last writer wins, whatever is there.
func (c *carts) put(ctx context.Context, client *wire.Client, key string, list []string, seen storage.Stamp) error {
	value := []byte(strings.Join(list, " "))
	if c.mode == cluster.Newest {
		return client.Put(ctx, key, value)
	}
	_, err := client.PutIf(ctx, key, value, seen)
	return err
}

// union is what a client makes of siblings: here, one list with all their items.
func union(versions []storage.Entry) (list []string, seen storage.Stamp) {
	for _, v := range versions {
		seen = v.Stamp
		for item := range strings.FieldsSeq(string(v.Value)) {
			if !slices.Contains(list, item) {
				list = append(list, item)
			}
		}
	}
	return list, seen
}

// resolve counts the siblings, replaces them by their union, and looks for every acknowledged item in what is left.
func (c *carts) resolve(ctx context.Context, client *wire.Client) error {
	return workload.Each(ctx, workers, c.keys, func(ctx context.Context, _, i int) error {
		key := fmt.Sprint("key-", i)
		before, err := client.Versions(ctx, key)
		if err != nil {
			return err
		}
		list, seen := union(before)
		if len(before) > 1 {
			if err := c.put(ctx, client, key, list, seen); err != nil {
				return err
			}
		}
		after, err := client.Versions(ctx, key)
		list, _ = union(after)
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(before) > 1 {
			c.counted["siblings"]++
		}
		if len(after) != 1 {
			c.counted["unresolved"]++
		}
		for _, item := range c.acked[key] {
			if !slices.Contains(list, item) {
				c.counted["lost"]++
			}
		}
		return err
	})
}
