package linear

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

const (
	// ahead is how far beyond the promise at hand the horizon is set, in nanoseconds: one file is written in a second, not in each write.
	ahead = 1e9
	// inFlight bounds the promises in memory.
	inFlight = 10_000
)

// Acceptor is the part of a replica. It must not forget a promise, or a write that has been overtaken could still be stored. To put
// every promise on the disk would double the writes. Instead the disk has a horizon that all promises lie below: a replica that
// comes back refuses everything up to it, and so keeps also the promises that it no longer knows.
type Acceptor struct {
	store    *storage.Store
	path     string
	mu       sync.Mutex // guards all below, and held from a check to the store's write
	promised map[string]storage.Stamp
	floor    storage.Stamp // promised for every key
	horizon  uint64        // on the disk; no promise is later
}

// NewAcceptor makes the acceptor of a node over its store, with the promises that its folder stands for.
func NewAcceptor(dir string, store *storage.Store) (*Acceptor, error) {
	a := &Acceptor{store: store, path: filepath.Join(dir, "promises"), promised: make(map[string]storage.Stamp)}
	b, err := os.ReadFile(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err == nil && len(b) != 8 {
		err = storage.ErrCorrupt
	}
	if err != nil {
		return nil, fmt.Errorf("linear: read promises: %w", err)
	}
	a.horizon = binary.BigEndian.Uint64(b)
	a.floor = storage.Stamp{Time: a.horizon + 1}
	return a, nil
}

// Promise returns what is stored, and from now on refuses what is older than the ballot.
func (a *Acceptor) Promise(key string, ballot storage.Stamp) ([]storage.Entry, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, found, err := a.store.Get(key)
	if err != nil {
		return nil, err
	}
	if bar := a.bar(key); ballot.Compare(bar) <= 0 || ballot.Compare(now.Stamp) <= 0 {
		return nil, &wire.RefusedError{By: later(bar, now.Stamp)}
	}
	if ballot.Time > a.horizon {
		if err := a.extend(ballot.Time + ahead); err != nil {
			return nil, err
		}
	}
	a.promised[key] = ballot
	if len(a.promised) > inFlight { // most were left behind by writers that died: one promise for all keys replaces them
		for _, p := range a.promised {
			a.floor = later(a.floor, p)
		}
		clear(a.promised)
	}
	if !found {
		return nil, nil
	}
	return []storage.Entry{now}, nil
}

// Accept stores an entry, unless something later is stored or promised. What is stored already may be accepted again.
func (a *Acceptor) Accept(e storage.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, found, err := a.store.Get(e.Key)
	if err != nil {
		return err
	}
	if found && e.Stamp == now.Stamp {
		return nil
	}
	if bar := a.bar(e.Key); e.Stamp.Compare(bar) < 0 || e.Stamp.Compare(now.Stamp) < 0 {
		return &wire.RefusedError{By: later(bar, now.Stamp)}
	}
	if err := a.store.Put(e); err != nil {
		return err
	}
	delete(a.promised, e.Key) // what is stored now keeps it
	return nil
}

// Copy stores what another replica has accepted, in a join. The newer entry stays; no acknowledgement rests on it.
func (a *Acceptor) Copy(e storage.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.store.Put(e)
}

// bar is the promise that holds for a key. The caller holds mu.
func (a *Acceptor) bar(key string) storage.Stamp { return later(a.floor, a.promised[key]) }

// extend moves the horizon, on the disk first. The caller holds mu.
func (a *Acceptor) extend(horizon uint64) error {
	if err := os.WriteFile(a.path+".new", binary.BigEndian.AppendUint64(nil, horizon), 0o600); err != nil {
		return fmt.Errorf("linear: write promises: %w", err)
	}
	if err := os.Rename(a.path+".new", a.path); err != nil {
		return fmt.Errorf("linear: write promises: %w", err)
	}
	a.horizon = horizon
	return nil
}

func later(a, b storage.Stamp) storage.Stamp {
	if a.Compare(b) > 0 {
		return a
	}
	return b
}
