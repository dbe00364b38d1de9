package attack

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/replica"
	"github.com/sysblocks/sysblocks/idgen"
)

// Ledger remembers what writers were told.
type Ledger struct {
	mu    sync.Mutex
	acked map[idgen.ID]bool
	took  time.Duration
}

// Write writes until ctx ends. What is refused or in doubt is not counted, and tried again under another number.
func (l *Ledger) Write(ctx context.Context, s *replica.Set, writer int) {
	for n := 1; Wait(ctx, 2*time.Millisecond); n++ {
		id, began := idgen.ID(writer*1_000_000+n), time.Now()
		if _, err := s.Write(ctx, feed.Change{Kind: feed.Published, ID: id, Author: strconv.Itoa(writer), Text: "."}); err == nil {
			l.note(id, time.Since(began))
		}
	}
}

func (l *Ledger) note(id idgen.ID, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.acked == nil {
		l.acked = make(map[idgen.ID]bool)
	}
	l.acked[id] = true
	l.took += took
}

// Len is the number of acknowledged posts.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// Audit asks the new primary for everything that was acknowledged.
func (l *Ledger) Audit(ctx context.Context, s *replica.Set, before int) (claim.Facts, error) {
	facts := claim.Facts{"acked-before": float64(before), "acked-after": float64(len(l.acked) - before), "lost": 0}
	facts["latency-ms"] = l.took.Seconds() * 1000 / max(float64(len(l.acked)), 1)
	for id := range l.acked {
		found, err := s.Primary().Posts(ctx, id)
		if err != nil {
			return nil, err
		}
		if _, kept := found[id]; !kept {
			facts["lost"]++
		}
	}
	return facts, nil
}
