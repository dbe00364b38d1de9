package versions

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// Clock gives stamps in ascending order.
type Clock interface{ Next() storage.Stamp }

// Replica is the part of a node: sets in its store, changed one at a time.
type Replica struct {
	node  string
	store *storage.Store
	clock Clock
	mu    sync.Mutex // guards actor, and held from the read of a set to its write
	actor string     // under which this node counts its writes: new in each life, and after each Forget
}

// NewReplica makes the part of a node.
func NewReplica(node string, store *storage.Store, clock Clock) *Replica {
	r := &Replica{node: node, store: store, clock: clock}
	r.actor = r.name()
	return r
}

// Serve answers a request to update or merge and says which key it is about.
func (r *Replica) Serve(m wire.Message) (key string, set []storage.Entry, err error) {
	if m.Kind == wire.Update {
		c, err := wire.DecodeChange(m.Body)
		if err != nil {
			return "", nil, err
		}
		e, err := r.Update(c)
		return e.Key, []storage.Entry{e}, err
	}
	e, _, err := storage.DecodeEntry(m.Body)
	if err == nil {
		err = r.Merge(e)
	}
	return e.Key, nil, err
}

// Update is a client's put. The new version replaces those that the client has seen, by the context in the entry's stamp; a plain
// put has seen what this node has. The set that comes of it is for the other replicas.
func (r *Replica) Update(c wire.Change) (storage.Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set, err := r.load(c.Entry.Key)
	if err != nil {
		return storage.Entry{}, err
	}
	context := set.Seen
	switch c.How {
	case wire.Set:
	case wire.SetIf:
		if context, err = Parse(c.Entry.Stamp.Node); err != nil {
			return storage.Entry{}, err
		}
	default:
		return storage.Entry{}, fmt.Errorf("%w: there may be several versions, so a number cannot be added to", wire.ErrInvalid)
	}
	if c.ID == 0 || !slices.ContainsFunc(set.Versions, func(v Version) bool { return v.ID == c.ID }) {
		set = set.Put(r.actor, context, Version{ID: c.ID, Deleted: c.Entry.Deleted, Data: c.Entry.Value})
	}
	return r.save(c.Entry.Key, set)
}

// Merge takes what another node knows.
func (r *Replica) Merge(e storage.Entry) error {
	incoming, err := Decode(e.Value)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	set, err := r.load(e.Key)
	if err != nil {
		return err
	}
	if merged := set.Merge(incoming); !merged.Equal(set) {
		_, err = r.save(e.Key, merged)
	}
	return err
}

// ErrChanged says that a set has changed since it was read.
var ErrChanged = errors.New("versions: the set has changed")

// Forget drops a key that other nodes hold now and calls gone, unless more has come in since e was read. Of its own writes of the key
// the node no longer knows how far it had counted, not even when somebody with an older copy tells it some of them again. So from
// here on it counts under a new name.
func (r *Replica) Forget(e storage.Entry, gone func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, _, err := r.store.Get(e.Key)
	if err != nil || now.Stamp != e.Stamp {
		return errors.Join(err, ErrChanged)
	}
	r.actor = r.name()
	gone()
	return r.store.Forget(e.Key)
}

func (r *Replica) name() string { return r.node + "@" + strconv.FormatUint(r.clock.Next().Time, 36) }

func (r *Replica) load(key string) (Set, error) {
	e, found, err := r.store.Get(key)
	if err != nil || !found {
		return Set{Seen: Vector{}}, err
	}
	return Decode(e.Value)
}

// save writes a set under a new stamp, since the store keeps the newest. The caller holds mu.
func (r *Replica) save(key string, s Set) (storage.Entry, error) {
	e := storage.Entry{Key: key, Stamp: r.clock.Next(), Deleted: s.Deleted(), Value: s.Encode()}
	return e, r.store.Put(e)
}
