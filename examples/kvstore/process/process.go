// Package process runs one node of a cluster in a process of its own, over TCP. It is the same node as in package local; what is
// different is that the others can only be asked, not looked into.
package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
	"github.com/sysblocks/sysblocks/hashring"
	"github.com/sysblocks/sysblocks/idgen"
)

// dialPatience bounds what a silent machine costs; after it, the peer is left alone for a while.
const dialPatience = time.Second

// Peers are the addresses of all nodes, this one among them, by ID.
type Peers map[string]string

// ParsePeers reads a list like a=10.0.0.1:7000,b=10.0.0.2:7000.
func ParsePeers(s string) (Peers, error) {
	peers := make(Peers)
	for part := range strings.SplitSeq(s, ",") {
		id, address, ok := strings.Cut(part, "=")
		if _, _, err := net.SplitHostPort(address); !ok || id == "" || filepath.Base(id) != id || err != nil || peers[id] != "" {
			return nil, fmt.Errorf("-peers %q: want ID=HOST:PORT, each ID once", part)
		}
		peers[id] = address
	}
	return peers, nil
}

// members are the nodes in an order on which all processes agree. Each is a failure domain of its own.
func (p Peers) members() (all []member.Node) {
	for id := range p {
		all = append(all, member.Node{ID: id, Zone: id})
	}
	slices.SortFunc(all, func(a, b member.Node) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// dial connects to a peer.
func (p Peers) dial(ctx context.Context, to string) (net.Conn, error) {
	address, ok := p[to]
	if !ok {
		return nil, fmt.Errorf("%w: no address of node %q", wire.ErrInvalid, to)
	}
	return (&net.Dialer{Timeout: dialPatience}).DialContext(ctx, "tcp", address)
}

// Process is one node and a client of all.
type Process struct {
	id     string
	quorum cluster.Quorum
	peers  Peers
	ids    *idgen.Snowflake
	node   *cluster.Node
}

// Start brings the node up, in its folder under dir.
func Start(ctx context.Context, dir, id string, q cluster.Quorum, peers Peers) (*Process, error) {
	members := peers.members()
	worker := slices.IndexFunc(members, func(m member.Node) bool { return m.ID == id })
	if worker < 0 {
		return nil, fmt.Errorf("%w: node %q is not among the peers", wire.ErrInvalid, id)
	}
	ids, err := idgen.NewSnowflake(uint32(worker), idgen.SnowflakeOptions{})
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, id)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", peers[id])
	if err != nil {
		return nil, err
	}
	p := &Process{id: id, quorum: q, peers: peers, ids: ids}
	p.node, err = cluster.Start(cluster.Config{
		ID: id, Dir: dir, Quorum: q, First: member.View{Epoch: 1, Old: members, New: members}, IDs: ids, Dial: peers.dial,
	}, listener)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return p, nil
}

// Close stops the node.
func (p *Process) Close() error { return p.node.Stop() }

// Client returns a client of all nodes.
func (p *Process) Client() *wire.Client {
	var ids []string
	for _, m := range p.peers.members() {
		ids = append(ids, m.ID)
	}
	client := wire.NewClient(ids, p.peers.dial)
	client.IDs = p.ids
	return client
}

// Quorum is how many replicas store, and how many answer.
func (p *Process) Quorum() cluster.Quorum { return p.quorum }

// View is the membership as this node knows it.
func (p *Process) View() member.View { return p.node.View() }

// Ring is the placement of keys.
func (p *Process) Ring() (*hashring.Snapshot[string], error) { return member.Ring(p.View().New) }

// Up returns this node: a process cannot look into the others.
func (p *Process) Up() map[string]*cluster.Node { return map[string]*cluster.Node{p.id: p.node} }

var errElsewhere = fmt.Errorf("%w: with one process for each node, the operating system starts and kills them", wire.ErrInvalid)

// Join is not for this process to do.
func (p *Process) Join(context.Context, member.Node) error { return errElsewhere }

// Kill is not for this process to do.
func (p *Process) Kill(string) error { return errElsewhere }

// Restart is not for this process to do.
func (p *Process) Restart(string) error { return errElsewhere }
