package hint

import "sync"

// Guests are keys that this node keeps for others, until it can bring them home.
type Guests struct {
	mu   sync.Mutex
	keys map[string]bool
}

// Add takes keys.
func (g *Guests) Add(keys ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keys == nil {
		g.keys = make(map[string]bool)
	}
	for _, key := range keys {
		g.keys[key] = true
	}
}

// Remove forgets keys.
func (g *Guests) Remove(keys ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range keys {
		delete(g.keys, key)
	}
}

// List copies what is there.
func (g *Guests) List() (keys []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key := range g.keys {
		keys = append(keys, key)
	}
	return keys
}
