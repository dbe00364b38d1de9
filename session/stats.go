package session

import (
	"sync"
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
// cores write.
type counters struct {
	stripes [16]stripe
	next    atomic.Uint32 // stripe that the next processor gets
	mine    sync.Pool     // of *stripe: what a processor puts back, it gets again, as long as it lives
}

// stripe fills two cache lines of its own.
type stripe struct {
	n [16]atomic.Uint64 // added to by its processor, for the most part; read by Stats
}

func (c *counters) add(k counter) {
	s, _ := c.mine.Get().(*stripe)
	if s == nil { // new, or forgotten by a garbage collection
		s = &c.stripes[c.next.Add(1)%uint32(len(c.stripes))]
	}
	s.n[k].Add(1)
	c.mine.Put(s)
}

func (c *counters) sum(k counter) (total uint64) {
	for i := range c.stripes {
		total += c.stripes[i].n[k].Load()
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
