package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	sweepBatch  = 1000 // rows that one statement may lock
	sweepPeriod = 5 * time.Minute
)

// Sweep removes expired sessions from the store, in bounded batches, and returns how many. A store that expires by
// itself needs none: 0.
func (m *Manager[T]) Sweep(ctx context.Context) (int, error) {
	sweeper, ok := m.store.(Sweeper)
	if !ok {
		return 0, ctx.Err()
	}
	total := 0
	for {
		n, err := sweeper.Sweep(ctx, sweepBatch)
		total += n
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return total, nil
		case err != nil:
			return total, m.storeError("sweep", ID{}, err)
		case n < sweepBatch:
			return total, nil
		}
	}
}

// Run calls Sweep about every five minutes, with jitter, until ctx ends; it returns ctx's error. Errors of Sweep
// are counted in Stats. Expired sessions are refused whether swept or not.
func (m *Manager[T]) Run(ctx context.Context) error {
	for {
		// The processes of a fleet that started together must not sweep together.
		pause(ctx, sweepPeriod*4/5+rand.N(sweepPeriod*2/5))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		_, _ = m.Sweep(ctx)
	}
}
