// Package linear makes each key one register: every operation takes effect at one instant between its call and its return, as on one
// machine that does one thing after the other.
//
//	write   1. promise: a quorum tells what it has, and will refuse what is older than this write     Promise
//	        2. accept:  a quorum stores the new version                                               Accept
//	read    1. a quorum tells what it has; when enough of them have the newest, done                  Read
//	        2. else the newest is written back to a quorum before the client sees it                  Accept
//
// Two phases, since a write must be later than all before it, whoever's clock is behind. The write-back, since a version that only one
// replica has may be missed by the next read: the client would see new, then old. That much is the register of Attiya, Bar-Noy
// and Dolev (1995). Its second phase would do without the promise, but then nothing could depend on what the first one found: between
// the two, another write may come in. With the promise it cannot, and a conditional put or an increment is sound. This is consensus
// on one key at a time (Paxos, in the form of Rystsov's CASPaxos, 2018), and needs no leader.
package linear

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// pause is the first mean pause of a writer that was overtaken; it doubles up to longest.
const (
	pause   = time.Millisecond
	longest = 32 * time.Millisecond
	rounds  = 100 // then the key is too contended
)

// Replicas are those of one key, as a coordinator reaches them. An entry is returned as none or one.
type Replicas interface {
	// Read returns the newest entry of a quorum, and whether so many have it that no later read or promise can miss it.
	Read(ctx context.Context) (newest []storage.Entry, settled bool, err error)
	// Promise returns the newest entry of a quorum that has promised to refuse older ballots. A *wire.RefusedError says that a later one is there.
	Promise(ctx context.Context, ballot storage.Stamp) (newest []storage.Entry, err error)
	// Accept returns when a quorum has stored the entry. A *wire.RefusedError says that a later one is promised or stored.
	Accept(ctx context.Context, e storage.Entry) error
}

// Clock gives stamps that nobody else gives, later than all that it has observed.
type Clock interface {
	Next() storage.Stamp
	Observe(s storage.Stamp)
}

// Read returns the present version as clients see it: none or one, which may be a tombstone.
func Read(ctx context.Context, r Replicas, clock Clock, key string) ([]storage.Entry, error) {
	newest, settled, err := r.Read(ctx)
	if err != nil {
		return nil, err
	}
	if len(newest) > 0 && !settled {
		err = r.Accept(ctx, newest[0])
		if _, refused := errors.AsType[*wire.RefusedError](err); refused { // a writer has begun: let it end, or end it
			newest, err = register{r, clock}.change(ctx, wire.Change{How: wire.Nothing, Entry: storage.Entry{Key: key}})
		}
		if err != nil {
			return nil, err
		}
	}
	return seen(newest)
}

// Change does what a client asks for and returns the version that it has made, without its value. wire.ErrConflict says that the
// condition does not hold. A change that has been done before, by its ID, is not done again; its version is none if others have
// replaced it meanwhile.
func Change(ctx context.Context, r Replicas, clock Clock, c wire.Change) ([]storage.Entry, error) {
	entries, err := register{r, clock}.change(ctx, c)
	if err != nil {
		return nil, err
	}
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	cell, err := Decode(entries[0].Value)
	if err != nil || cell.By != c.ID {
		return nil, err
	}
	return []storage.Entry{{Key: c.Entry.Key, Stamp: cell.Made, Deleted: c.Entry.Deleted}}, nil
}

// seen replaces the stored form by what the client wrote.
func seen(entries []storage.Entry) ([]storage.Entry, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	e := entries[0]
	cell, err := Decode(e.Value)
	return []storage.Entry{{Key: e.Key, Stamp: cell.Made, Deleted: e.Deleted, Value: cell.Data}}, err
}

type register struct {
	Replicas
	clock Clock
}

// change runs both phases until nobody overtakes it. Whatever the client is told rests on a version that a quorum has, so also a
// change that changes nothing ends with the second phase.
func (r register) change(ctx context.Context, c wire.Change) ([]storage.Entry, error) {
	wait := pause
	for range rounds {
		ballot := r.clock.Next()
		now, err := r.Promise(ctx, ballot)
		if err == nil {
			next, verdict := apply(c, now, ballot)
			if errors.Is(verdict, storage.ErrCorrupt) {
				return nil, verdict
			}
			if len(next) > 0 {
				next[0].Stamp = ballot
				err = r.Accept(ctx, next[0])
			}
			if err == nil {
				return next, verdict
			}
		}
		refused, ok := errors.AsType[*wire.RefusedError](err)
		if !ok {
			return nil, err
		}
		r.clock.Observe(refused.By)
		select { // two writers that overtake each other all the time must fall out of step
		case <-time.After(rand.N(2 * wait)):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		wait = min(2*wait, longest)
	}
	return nil, fmt.Errorf("%w: overtaken %d times", wire.ErrUnavailable, rounds)
}

// apply says what follows a version: the same when nothing is to be done, with the reason.
func apply(c wire.Change, now []storage.Entry, ballot storage.Stamp) (next []storage.Entry, verdict error) {
	var cell Cell
	absent := len(now) == 0 || now[0].Deleted
	if len(now) > 0 {
		if cell, verdict = Decode(now[0].Value); verdict != nil {
			return nil, verdict
		}
	}
	switch cell.recall(c.ID) {
	case unknown:
	case done:
		return now, nil
	case forgotten:
		return now, fmt.Errorf("%w: too many writes since operation %d began to know whether it was done", wire.ErrUnavailable, c.ID)
	}
	data := c.Entry.Value
	switch c.How {
	case wire.Set:
	case wire.Nothing:
		return now, nil
	case wire.SetIf:
		if version := c.Entry.Stamp; absent != (version == storage.Stamp{}) || !absent && version != cell.Made {
			return now, wire.ErrConflict
		}
	case wire.Add:
		sum, err := add(cell.Data, c.Entry.Value, absent)
		if err != nil {
			return now, err
		}
		data = sum
	}
	cell = Cell{Made: ballot, By: c.ID, IDs: remember(cell.IDs, c.ID), Data: data}
	return []storage.Entry{{Key: c.Entry.Key, Deleted: c.Entry.Deleted, Value: cell.Encode()}}, nil
}

// add adds two decimal numbers.
func add(number, delta []byte, absent bool) ([]byte, error) {
	var sum int64
	var err error
	if !absent {
		sum, err = strconv.ParseInt(string(number), 10, 64)
	}
	d, also := strconv.ParseInt(string(delta), 10, 64)
	if err = errors.Join(err, also); err != nil {
		return nil, fmt.Errorf("%w: %w", wire.ErrInvalid, err)
	}
	return strconv.AppendInt(nil, sum+d, 10), nil
}
