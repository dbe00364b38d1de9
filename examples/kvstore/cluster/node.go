// Package cluster is one node of a replicated key-value store, and what the nodes do together.
//
//	client ─▶ any node: coord.go ─┬─▶ replica 1 (zone a): node.go ─▶ storage: log, memtable
//	                              ├─▶ replica 2 (zone b)
//	                              └─▶ replica 3 (zone c)   away: package hint keeps the write until it is back
//
// How the replicas of a key agree is the mode: coord.go alone, or coord.go's place taken by linear.go (package linear) or available.go
// (package versions).
//
// The replicas of a key are distinct machines by hashring (package member), the nodes talk over any net.Conn (package wire), and a
// join moves exactly the ranges that the ring lists (move.go).
package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/examples/kvstore/hint"
	"github.com/sysblocks/sysblocks/examples/kvstore/hlc"
	"github.com/sysblocks/sysblocks/examples/kvstore/linear"
	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/versions"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
	"github.com/sysblocks/sysblocks/idgen"
)

// Mode says what the replicas promise together.
type Mode string

// The modes.
const (
	Newest    Mode = "quorum"    // the newest stamp wins
	Linear    Mode = "linear"    // as if there were one copy (package linear)
	Available Mode = "available" // a write is taken wherever W nodes can be reached; what conflicts is kept side by side (package versions)
)

// Quorum says how many replicas a key has, and how many of them must answer a write and a read. With R+W > N the replicas that a
// read asks and those that took the newest write have one in common.
type Quorum struct {
	N, W, R int
	Mode    Mode // default Newest
}

// sources is the number of old replicas from which a joiner copies. R of them have every acknowledged write. N-R+1 of them leave too
// few for a read of the old epoch, since a replica that has answered the joiner knows the new one; N-W+1 likewise for a write.
func (q Quorum) sources() int { return max(q.R, q.N-q.R+1, q.N-q.W+1) }

// Config is what a node has to know to start.
type Config struct {
	ID, Dir string // the folder exists; a node that has been here before comes back with its entries and its view
	Quorum  Quorum
	Storage storage.Options
	First   member.View      // of a new node
	IDs     *idgen.Snowflake // names the changes of clients that name none; only mode linear needs it
	Dial    wire.Dial
}

// Node is one machine: it stores its share of the entries, and coordinates the operations of the clients that call it.
type Node struct {
	id     string
	dir    string
	quorum Quorum
	store  *storage.Store
	clock  *hlc.Clock
	peers  *wire.Peers
	hints  hint.Hints
	ids    *idgen.Snowflake
	accept *linear.Acceptor  // the part of a replica in mode linear
	sets   *versions.Replica // the part of a replica in mode available
	guests hint.Guests       // in mode available

	fence sync.RWMutex                 // read-held by a fenced request from its check to its effect; write-held by a change of view
	view  atomic.Pointer[member.Rings] // published by install, under fence; operations load it once and keep it

	ctx   context.Context // ends with the node; parent of work that outlives the request that began it
	stop  context.CancelFunc
	tasks sync.WaitGroup // all that runs; only running tasks start others

	repaired atomic.Int64 // counted by read repair, read by Stats
	pulled   atomic.Int64 // counted by Join, read by Stats
}

// Stats counts what a node did since it started.
type Stats struct {
	storage.Stats
	Hinted, Delivered, Dropped int64 // hints kept, handed over, and given up for want of room
	Repaired                   int64 // replicas mended after a read
	Pulled                     int64 // entries received in a join, from all sources
}

// Start brings a node up.
func Start(c Config, listener net.Listener) (*Node, error) {
	c.Quorum.Mode = cmp.Or(c.Quorum.Mode, Newest)
	if err := member.Pin(c.Dir, string(c.Quorum.Mode)); err != nil {
		return nil, err
	}
	store, err := storage.Open(c.Dir, c.Storage)
	if err != nil {
		return nil, err
	}
	n := &Node{
		id: c.ID, dir: c.Dir, quorum: c.Quorum, store: store, peers: wire.NewPeers(c.Dial), ids: c.IDs,
		clock: hlc.New(c.ID),
	}
	n.clock.Observe(store.Stats().Newest)
	n.sets = versions.NewReplica(c.ID, store, n.clock)
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.accept, err = linear.NewAcceptor(c.Dir, store)
	var v member.View
	if err == nil {
		v, err = member.Load(c.Dir, c.First)
	}
	if err == nil {
		err = n.install(v)
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	server := &wire.Server{Handle: n.handle, Quick: wire.Quick}
	n.tasks.Go(func() { server.Serve(n.ctx, listener) })
	n.tasks.Go(n.deliverHints)
	if n.quorum.Mode == Available {
		n.tasks.Go(n.deliverGuests)
	}
	return n, nil
}

// Stop ends the node as a kill does: nothing is handed over, memory is gone, the folder stays.
func (n *Node) Stop() error {
	n.stop()
	n.peers.Close()
	n.tasks.Wait()
	return n.store.Close()
}

// Stats describes the node.
func (n *Node) Stats() Stats {
	s := Stats{Stats: n.store.Stats(), Repaired: n.repaired.Load(), Pulled: n.pulled.Load()}
	s.Hinted, s.Delivered, s.Dropped = n.hints.Counts()
	return s
}

// View is the membership as this node knows it.
func (n *Node) View() member.View { return n.view.Load().View }

// Holds reports whether the node stores a version of the key.
func (n *Node) Holds(key string) bool {
	_, found, err := n.store.Get(key)
	return found && err == nil
}

// Stamp is that of the version which the node stores, zero if there is none.
func (n *Node) Stamp(key string) storage.Stamp {
	e, _, _ := n.store.Get(key) // a closed store has none
	return e.Stamp
}

// Pending is the number of hints and of keys that wait for the node where they belong.
func (n *Node) Pending() int { return n.hints.Len() + len(n.guests.List()) }

// handle answers one request, from the network or from this node itself.
func (n *Node) handle(ctx context.Context, m wire.Message) wire.Message {
	switch m.Kind {
	case wire.Put, wire.Get, wire.Keys, wire.Pull, wire.Promise, wire.Accept, wire.Update, wire.Merge:
		n.fence.RLock()
		defer n.fence.RUnlock()
		if v := n.view.Load(); m.Epoch != v.Epoch {
			body, err := json.Marshal(v.View)
			if err != nil {
				return wire.Answer(nil, err)
			}
			return wire.Message{Kind: wire.Stale, Epoch: v.Epoch, Body: body}
		}
		return wire.Answer(n.local(m))
	case wire.View:
		var v member.View
		err := json.Unmarshal(m.Body, &v)
		if err == nil {
			err = n.install(v)
		}
		return wire.Answer(nil, err)
	case wire.ClientPut:
		c, err := wire.DecodeChange(m.Body)
		if err != nil {
			return wire.Answer(nil, err)
		}
		return wire.Answer(n.change(ctx, c))
	case wire.ClientGet:
		return wire.Answer(n.read(ctx, string(m.Body)))
	case wire.ClientKeys:
		prefix, after, limit, err := wire.SplitKeys(m.Body)
		if err != nil {
			return wire.Answer(nil, err)
		}
		return wire.Answer(n.keys(ctx, prefix, after, limit))
	}
	return wire.Answer(nil, fmt.Errorf("cluster: unknown request %d", m.Kind))
}

// change does what a client asks for, in the way of the mode.
func (n *Node) change(ctx context.Context, c wire.Change) ([]storage.Entry, error) {
	switch {
	case n.quorum.Mode == Linear:
		return n.changeLinear(ctx, c)
	case n.quorum.Mode == Available:
		return nil, n.changeAvailable(ctx, c)
	case c.How != wire.Set:
		return nil, fmt.Errorf("%w: mode %s knows no change that depends on the present version", wire.ErrInvalid, Newest)
	}
	return nil, n.put(ctx, c.Entry)
}

// read returns the versions of a key, in the way of the mode.
func (n *Node) read(ctx context.Context, key string) ([]storage.Entry, error) {
	switch n.quorum.Mode {
	case Linear:
		return n.readLinear(ctx, key)
	case Available:
		return n.readAvailable(ctx, key)
	default:
		return n.get(ctx, key)
	}
}

// local is the part of a replica. The caller holds the fence.
func (n *Node) local(m wire.Message) ([]storage.Entry, error) {
	switch m.Kind {
	case wire.Put:
		entries, err := wire.DecodeEntries(m.Body)
		for _, e := range entries {
			n.clock.Observe(e.Stamp)
			err = errors.Join(err, n.store.Put(e))
		}
		return nil, err
	case wire.Promise, wire.Accept:
		e, _, err := storage.DecodeEntry(m.Body)
		if err != nil {
			return nil, err
		}
		n.clock.Observe(e.Stamp)
		if m.Kind == wire.Promise {
			return n.accept.Promise(e.Key, e.Stamp)
		}
		return nil, n.accept.Accept(e)
	case wire.Update, wire.Merge:
		return n.guest(m)
	case wire.Get:
		e, found, err := n.store.Get(string(m.Body))
		if err != nil || !found {
			return nil, err
		}
		return []storage.Entry{e}, nil
	case wire.Keys:
		prefix, after, limit, err := wire.SplitKeys(m.Body)
		if err != nil {
			return nil, err
		}
		return n.store.Keys(prefix, after, limit)
	default:
		return n.page(m.Body)
	}
}

// install takes a newer view, on disk first. Under a settled one the node drops what now lives elsewhere.
func (n *Node) install(v member.View) error {
	n.fence.Lock()
	defer n.fence.Unlock()
	if now := n.view.Load(); now != nil && now.Epoch >= v.Epoch {
		return nil
	}
	next, err := member.NewRings(v, n.quorum.N)
	if err != nil {
		return err
	}
	if err := member.Save(n.dir, v); err != nil {
		return err
	}
	n.view.Store(next)
	if v.Moving() {
		return nil
	}
	elsewhere, err := n.store.Select(func(key string) bool { return !next.Holds(n.id, key) })
	if err != nil {
		return err
	}
	if n.quorum.Mode == Available { // this may be the only copy: it is brought home before it goes
		n.guests.Add(elsewhere...)
		return nil
	}
	return n.store.Forget(elsewhere...)
}
