package idgen

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// MemoryLeaser serves the generators of one process and tests. The zero value is ready. A number is free once this
// machine's clock has passed the end of its window.
type MemoryLeaser struct {
	mu   sync.Mutex
	rows map[uint32]memoryRow
}

type memoryRow struct {
	token int64
	until time.Time
}

// Acquire implements Leaser.
func (m *MemoryLeaser) Acquire(ctx context.Context, workers uint32, from, until time.Time) (Grant, error) {
	if err := ctx.Err(); err != nil {
		return Grant{}, err
	}
	if err := checkWindow(workers, from, until); err != nil {
		return Grant{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	worker, ok := m.free(workers, time.Now())
	if !ok {
		return Grant{}, fmt.Errorf("%w: all %d are held", ErrNoWorker, workers)
	}
	row := m.rows[worker]
	start := later(from, row.until).Round(0)
	row = memoryRow{token: row.token + 1, until: start.Add(until.Sub(from))}
	if m.rows == nil {
		m.rows = make(map[uint32]memoryRow)
	}
	m.rows[worker] = row
	return Grant{Worker: worker, Token: row.token, From: start, Until: row.until}, nil
}

// free returns the lowest number never used, otherwise the one whose window ended first.
func (m *MemoryLeaser) free(workers uint32, now time.Time) (worker uint32, ok bool) {
	for w := range uint32(min(uint64(workers), uint64(len(m.rows))+1)) {
		if _, used := m.rows[w]; !used {
			return w, true
		}
	}
	var oldest time.Time
	for w, row := range m.rows {
		if w >= workers || row.until.After(now) || ok && !row.until.Before(oldest) {
			continue
		}
		worker, oldest, ok = w, row.until, true
	}
	return worker, ok
}

// Extend implements Leaser.
func (m *MemoryLeaser) Extend(ctx context.Context, g Grant, until time.Time) (Grant, error) {
	if err := ctx.Err(); err != nil {
		return Grant{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	row, err := m.held(g)
	if err != nil {
		return Grant{}, err
	}
	if err := checkExtension(row.until, until); err != nil {
		return Grant{}, err
	}
	row.until = later(row.until, until.Round(0))
	m.rows[g.Worker] = row
	g.Until = row.until
	return g, nil
}

// Release implements Leaser.
func (m *MemoryLeaser) Release(ctx context.Context, g Grant, used time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	row, err := m.held(g)
	if err != nil {
		return err
	}
	if used.Before(row.until) {
		row.until = used.Round(0)
	}
	row.token++ // the grant is over: its token must not extend the window again
	m.rows[g.Worker] = row
	return nil
}

func (m *MemoryLeaser) held(g Grant) (memoryRow, error) {
	row, ok := m.rows[g.Worker]
	if !ok || row.token != g.Token {
		return row, fmt.Errorf("%w: worker %d was granted again since token %d", ErrLeaseLost, g.Worker, g.Token)
	}
	return row, nil
}
