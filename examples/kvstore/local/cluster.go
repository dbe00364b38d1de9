// Package local runs a whole cluster in one process, over a network that can fail.
package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/fakenet"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
	"github.com/sysblocks/sysblocks/hashring"
	"github.com/sysblocks/sysblocks/idgen"
)

// settleEvery is how often Settle looks.
const settleEvery = 10 * time.Millisecond

// Cluster is a number of nodes in one process, each with its own folder, on a fake network. It is safe for concurrent use; nodes
// may be killed and restarted while another one joins.
type Cluster struct {
	dir     string
	quorum  cluster.Quorum
	network *fakenet.Network
	ids     *idgen.Snowflake         // one for all, since they share the process
	joining sync.Mutex               // held through a join: one at a time
	mu      sync.Mutex               // guards all below
	view    member.View              // the newest that is known; those of the nodes that are up may be newer
	nodes   map[string]*cluster.Node // those that are up
}

// Names returns n members n1, n2, … in the zones a, b, c in turn.
func Names(n int) []member.Node {
	members := make([]member.Node, n)
	for i := range members {
		members[i] = member.Node{ID: fmt.Sprint("n", i+1), Zone: string(rune('a' + i%3))}
	}
	return members
}

// Run starts the members, each in its own folder under dir. A folder that has been used before is continued, with the nodes that
// have joined since.
func Run(dir string, q cluster.Quorum, members []member.Node, seed int64) (*Cluster, error) {
	if q.N < 1 || q.N > len(members) || q.W < 1 || q.W > q.N || q.R < 1 || q.R > q.N {
		return nil, fmt.Errorf("%w: want 1 <= W, R <= N <= nodes, have N=%d W=%d R=%d nodes=%d", wire.ErrInvalid, q.N, q.W, q.R, len(members))
	}
	ids, err := idgen.NewSnowflake(1, idgen.SnowflakeOptions{})
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		dir: dir, quorum: q, network: fakenet.New(seed), ids: ids, nodes: make(map[string]*cluster.Node),
		view: member.View{Epoch: 1, Old: members, New: members},
	}
	for _, m := range members { // the newest view that a node has saved
		v, err := member.Load(filepath.Join(dir, m.ID), c.view)
		if err != nil {
			return nil, err
		}
		if v.Epoch > c.view.Epoch {
			c.view = v
		}
	}
	for _, m := range c.view.Members() {
		if err := c.Restart(m.ID); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// Scratch runs a cluster in a temporary folder, hands it to use, and removes it.
func Scratch[T any](q cluster.Quorum, members []member.Node, seed int64, use func(nodes *Cluster) (T, error)) (result T, err error) {
	dir, err := os.MkdirTemp("", "sysblocks-kvstore-")
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	nodes, err := Run(dir, q, members, seed)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, nodes.Close()) }()
	return use(nodes)
}

// Restart brings a node up from its folder. A node that is up stays as it is.
func (c *Cluster) Restart(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.ContainsFunc(c.newest().Members(), func(m member.Node) bool { return m.ID == id }) {
		return fmt.Errorf("%w: no node %q", wire.ErrInvalid, id)
	}
	_, err := c.start(id)
	return err
}

// start returns the node, which is up then. The caller holds mu.
func (c *Cluster) start(id string) (*cluster.Node, error) {
	if node := c.nodes[id]; node != nil {
		return node, nil
	}
	dir := filepath.Join(c.dir, id)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	listener, err := c.network.Listen(id)
	if err != nil {
		return nil, err
	}
	node, err := cluster.Start(cluster.Config{
		ID: id, Dir: dir, Quorum: c.quorum, First: c.newest(), IDs: c.ids, Dial: c.dial(id),
	}, listener)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	c.nodes[id] = node
	return node, nil
}

func (c *Cluster) dial(from string) wire.Dial {
	return func(ctx context.Context, to string) (net.Conn, error) { return c.network.Dial(ctx, from, to) }
}

// Kill ends a node as a power cut does: its connections break at once, its memory is gone.
func (c *Cluster) Kill(id string) error {
	c.mu.Lock()
	node := c.nodes[id]
	c.view = c.newest()
	delete(c.nodes, id)
	c.mu.Unlock()
	if node == nil {
		return fmt.Errorf("%w: no node %q is up", wire.ErrInvalid, id)
	}
	c.network.Kill(id)
	return node.Stop()
}

// Join adds a node and returns when the data has moved. After a failure it is called again, with the same node.
func (c *Cluster) Join(ctx context.Context, m member.Node) error {
	c.joining.Lock()
	defer c.joining.Unlock()
	c.mu.Lock()
	now := c.newest()
	unfinished := now.Moving() && slices.Contains(now.New, m) && !slices.Contains(now.Old, m)
	known := slices.ContainsFunc(now.Members(), func(old member.Node) bool { return old.ID == m.ID })
	if !unfinished && (known || now.Moving() || !validName(m.ID)) {
		c.mu.Unlock()
		return fmt.Errorf("%w: node %q is a member, or has no good name, or another join is unfinished", wire.ErrInvalid, m.ID)
	}
	node, err := c.start(m.ID)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return node.Join(ctx, now, m)
}

// validName keeps a node's folder inside the cluster's.
func validName(id string) bool {
	return filepath.IsLocal(id) && filepath.Base(id) == id && id != "." && len(id) <= 64
}

// Client returns a client of all members.
func (c *Cluster) Client() *wire.Client {
	var ids []string
	for _, m := range c.View().Members() {
		ids = append(ids, m.ID)
	}
	client := wire.NewClient(ids, c.dial("client"))
	client.IDs = c.ids
	return client
}

// Network is what the nodes talk over; hosts are named after nodes, and clients are the host "client".
func (c *Cluster) Network() *fakenet.Network { return c.network }

// ClientOf returns a client, on a host of its own, of these nodes.
func (c *Cluster) ClientOf(host string, nodes ...string) *wire.Client {
	client := wire.NewClient(nodes, c.dial(host))
	client.IDs = c.ids
	return client
}

// Quorum is how many replicas store, and how many answer.
func (c *Cluster) Quorum() cluster.Quorum { return c.quorum }

// View is the newest membership.
func (c *Cluster) View() member.View {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest()
}

// newest looks at the nodes that are up. The caller holds mu.
func (c *Cluster) newest() member.View {
	v := c.view
	for _, n := range c.nodes {
		if w := n.View(); w.Epoch > v.Epoch {
			v = w
		}
	}
	return v
}

// Ring is the placement of keys, once every join has ended.
func (c *Cluster) Ring() (*hashring.Snapshot[string], error) { return member.Ring(c.View().New) }

// Up returns the nodes that run, by ID.
func (c *Cluster) Up() map[string]*cluster.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.nodes)
}

// Settle waits until no node keeps a hint for another one.
func (c *Cluster) Settle(ctx context.Context) error {
	every := time.NewTicker(settleEvery)
	defer every.Stop()
	for {
		pending := 0
		for _, n := range c.Up() {
			pending += n.Pending()
		}
		if pending == 0 {
			return nil
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return fmt.Errorf("local: %d hints are waiting: %w", pending, context.Cause(ctx))
		}
	}
}

// Close stops all nodes; their folders stay.
func (c *Cluster) Close() error {
	var err error
	for id := range c.Up() {
		err = errors.Join(err, c.Kill(id))
	}
	c.network.Close()
	return err
}
