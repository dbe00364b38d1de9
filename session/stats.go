package session

import (
	"math/rand/v2"
	"sync/atomic"
)

// Stats is a snapshot of a manager's counters since New. Each counts up; they are not read at one instant.
type Stats struct {
	Loads, Saves, Touches, Removes     uint64 // store calls
	TouchesSkipped, Conflicts, Replays uint64
	Created, Forged, DataResets        uint64
	StoreErrors, CommitErrors          uint64
}

type counter int

const (
	countLoads counter = iota
	countSaves
	countTouches
	countRemoves
	countTouchesSkipped
	countConflicts
	countReplays
	countCreated
	countForged
	countDataResets
	countStoreErrors
	countCommitErrors
)

// counters are striped: every request counts, and one shared word would be the only cache line that all
// cores write. A stripe fills two cache lines of its own.
type counters [16]struct {
	n [16]atomic.Uint64
}

// add picks a stripe by a random number of the calling thread, which costs less than a contended add.
func (c *counters) add(k counter) {
	c[rand.Uint32()%uint32(len(c))].n[k].Add(1)
}

func (c *counters) sum(k counter) (total uint64) {
	for i := range c {
		total += c[i].n[k].Load()
	}
	return total
}

// Stats returns a snapshot of the counters.
func (m *Manager[T]) Stats() Stats {
	c := &m.counters
	return Stats{
		Loads: c.sum(countLoads), Saves: c.sum(countSaves), Touches: c.sum(countTouches), Removes: c.sum(countRemoves),
		TouchesSkipped: c.sum(countTouchesSkipped), Conflicts: c.sum(countConflicts), Replays: c.sum(countReplays),
		Created: c.sum(countCreated), Forged: c.sum(countForged), DataResets: c.sum(countDataResets),
		StoreErrors: c.sum(countStoreErrors), CommitErrors: c.sum(countCommitErrors),
	}
}
