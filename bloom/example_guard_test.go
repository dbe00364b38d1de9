package bloom_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/bloom"
)

// store is a table that is slow to ask.
type store struct {
	mu      sync.Mutex
	rows    map[string]string
	queries atomic.Int64
}

var errNoRow = errors.New("no such row")

func (s *store) get(id string) (string, error) {
	s.queries.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.rows[id]
	if !ok {
		return "", errNoRow
	}
	return row, nil
}

func (s *store) put(id, row string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[id] = row
}

// guard stands in front of a store and turns away requests for rows that do not exist. Without it, a stream of invented
// ids passes every cache, since absent rows are not cached, and reaches the database.
type guard struct {
	store *store
	known *bloom.Filter
}

// newGuard fills the filter from the rows that are there.
func newGuard(s *store, expected uint64) (*guard, error) {
	known, err := bloom.New(expected, 0.01, bloom.Options{})
	if err != nil {
		return nil, err
	}
	g := &guard{s, known}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.rows {
		known.Add(bloom.String(id))
	}
	return g, nil
}

func (g *guard) get(id string) (string, error) {
	if !g.known.Test(bloom.String(id)) {
		return "", errNoRow // certainly
	}
	return g.store.get(id)
}

// create adds to the filter first: a row that is found nowhere is better than one that the filter denies.
func (g *guard) create(id, row string) {
	g.known.Add(bloom.String(id))
	g.store.put(id, row)
}

// A guard in front of a store. Half of the requests ask for rows that do not exist.
func Example_guard() {
	s := &store{rows: map[string]string{}}
	for i := range 10_000 {
		s.rows[fmt.Sprint("user-", i)] = "row"
	}
	g, err := newGuard(s, 20_000)
	if err != nil {
		fmt.Println(err)
		return
	}
	g.create("user-late", "row")
	if _, err := g.get("user-late"); err != nil {
		fmt.Println("a new row is found at once:", err)
	}
	s.queries.Store(0)
	var wg sync.WaitGroup
	var found, absent atomic.Int64
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < 10_000; i += 8 {
				for _, id := range []string{fmt.Sprint("user-", i), fmt.Sprint("guess-", i)} {
					switch _, err := g.get(id); {
					case err == nil:
						found.Add(1)
					case errors.Is(err, errNoRow):
						absent.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	fmt.Println("found", found.Load(), "absent", absent.Load())
	fmt.Println("queries for absent rows below 1 %:", s.queries.Load()-found.Load() < 100)
	// Output:
	// found 10000 absent 10000
	// queries for absent rows below 1 %: true
}
