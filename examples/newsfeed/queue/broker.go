package queue

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Memory is a Broker in the memory of the process. What it holds ends with the process; posts that wait to be delivered are then
// found in their table.
type Memory struct {
	mu    sync.Mutex
	parts []*part
	dead  []Delivery
}

// part is one partition: a list, of which the first ones have been handed out.
type part struct {
	owner    string
	until    time.Time
	messages []Delivery
	pending  int
	sent     int
	wake     chan struct{} // closed, and replaced, when a message arrives
}

// NewMemory makes an empty broker with at least one partition.
func NewMemory(partitions int) *Memory {
	m := new(Memory)
	for range partitions {
		m.parts = append(m.parts, &part{wake: make(chan struct{})})
	}
	return m
}

// Partitions implements Broker.
func (m *Memory) Partitions() int { return len(m.parts) }

// Send implements Broker.
func (m *Memory) Send(_ context.Context, key string, body []byte) error {
	p := m.parts[partition(key, len(m.parts))]
	m.mu.Lock()
	defer m.mu.Unlock()
	p.sent++
	p.messages = append(p.messages, Delivery{ID: strconv.Itoa(p.sent), Key: key, Body: body})
	close(p.wake)
	p.wake = make(chan struct{})
	return nil
}

// Own implements Broker.
func (m *Memory) Own(_ context.Context, partition int, consumer string, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, now := m.parts[partition], time.Now()
	if p.owner != consumer && now.Before(p.until) {
		return false, nil
	}
	p.owner, p.until = consumer, now.Add(ttl)
	return true, nil
}

// Disown implements Broker.
func (m *Memory) Disown(_ context.Context, partition int, consumer string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.parts[partition]; p.owner == consumer {
		p.until = time.Time{}
	}
	return nil
}

// Receive implements Broker.
func (m *Memory) Receive(ctx context.Context, partition int, consumer string, most int) ([]Delivery, error) {
	patience := time.NewTimer(receiveWait)
	defer patience.Stop()
	for {
		got, wake, err := m.take(m.parts[partition], consumer, most)
		if len(got) > 0 || err != nil {
			return got, err
		}
		select {
		case <-wake:
		case <-patience.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (m *Memory) take(p *part, consumer string, most int) ([]Delivery, <-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.owner != consumer || time.Now().After(p.until) {
		return nil, nil, ErrNotOwner
	}
	if p.pending > 0 {
		most = 1
	} else {
		p.pending = min(most, len(p.messages))
	}
	got := p.messages[:min(most, p.pending)]
	for i := range got {
		got[i].Deliveries++
	}
	return slices.Clone(got), p.wake, nil
}

// Ack implements Broker.
func (m *Memory) Ack(_ context.Context, partition int, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end(m.parts[partition], id)
	return nil
}

func (m *Memory) end(p *part, id string) {
	i := slices.IndexFunc(p.messages[:p.pending], func(d Delivery) bool { return d.ID == id })
	if i >= 0 {
		p.messages = slices.Delete(p.messages, i, i+1)
		p.pending--
	}
}

// Bury implements Broker.
func (m *Memory) Bury(_ context.Context, partition int, d Delivery, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end(m.parts[partition], d.ID)
	m.dead = append(m.dead, d)
	return nil
}

// Depth implements Broker.
func (m *Memory) Depth(context.Context) (Depth, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := Depth{Dead: len(m.dead)}
	for _, p := range m.parts {
		d.Waiting += len(p.messages)
		d.Pending += p.pending
	}
	return d, nil
}
