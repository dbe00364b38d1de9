package redislimit

import (
	"math/rand/v2"
	"sync"
	"time"
)

const (
	threshold = 5 // failures in a row
	minOpen   = time.Second
	maxOpen   = 30 * time.Second
)

// breaker stops calls to a Redis that fails, and lets one probe through when its time is over.
type breaker struct {
	mu       sync.Mutex
	failures int
	open     time.Duration // how long the breaker stays open; doubles with each failed probe
	until    time.Time
	probe    time.Time // when the probe under way began; zero: none
}

// allow reports whether a call may be made now. A probe that gave no result in patience is forgotten.
func (b *breaker) allow(patience time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < threshold {
		return true
	}
	now := time.Now()
	if now.Before(b.until) || !b.probe.IsZero() && now.Sub(b.probe) < patience {
		return false
	}
	b.probe = now
	return true
}

func (b *breaker) succeeded() {
	b.mu.Lock()
	b.failures, b.open, b.probe = 0, 0, time.Time{}
	b.mu.Unlock()
}

func (b *breaker) failed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	if b.failures < threshold || b.failures > threshold && b.probe.IsZero() {
		return // calls that began before the breaker opened do not prolong it
	}
	b.open = min(max(minOpen, 2*b.open), maxOpen)
	// A tenth of jitter keeps a fleet's probes apart.
	b.until = time.Now().Add(b.open + rand.N(b.open/10+1))
	b.probe = time.Time{}
}

// undecided forgets a probe that was called off.
func (b *breaker) undecided() {
	b.mu.Lock()
	b.probe = time.Time{}
	b.mu.Unlock()
}

func (b *breaker) isOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures >= threshold
}
