package listing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// shelf is the keys of some nodes.
type shelf struct {
	nodes map[string]map[string]uint64 // node → key → time of its stamp
	away  []string
	err   error
}

func (s shelf) ask(_ context.Context, id, prefix, after string, limit int) (page []storage.Entry, err error) {
	if slices.Contains(s.away, id) {
		return nil, s.err
	}
	for _, key := range slices.Sorted(maps.Keys(s.nodes[id])) {
		if key > after && len(page) < limit && len(key) >= len(prefix) && key[:len(prefix)] == prefix {
			page = append(page, storage.Entry{Key: key, Stamp: storage.Stamp{Time: s.nodes[id][key]}})
		}
	}
	return page, nil
}

// TestPagesAreTheSortedUnionWithTheNewestStamps compares random shelves, page by page, with a map.
func TestPagesAreTheSortedUnionWithTheNewestStamps(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s, union := shelf{nodes: map[string]map[string]uint64{}, err: errors.New("away")}, map[string]uint64{}
		n := Nodes{Spare: 1, Copies: 3, Ask: s.ask}
		for i := range 5 {
			id := fmt.Sprint("n", i)
			n.IDs = append(n.IDs, id)
			s.nodes[id] = map[string]uint64{}
		}
		for range rng.IntN(200) {
			key := fmt.Sprintf("p/%c%d", rune(rng.IntN(256)), rng.IntN(50)) // any bytes
			for _, i := range rng.Perm(5)[:3] {
				time := 1 + rng.Uint64N(9)
				if old := union[key]; old > 0 && s.nodes[n.IDs[i]][key] == 0 {
					continue // three copies of it are there
				}
				s.nodes[n.IDs[i]][key] = max(time, s.nodes[n.IDs[i]][key])
				union[key] = max(time, union[key])
			}
			s.nodes[n.IDs[rng.IntN(5)]]["q"] = 1
		}
		if rng.IntN(2) == 0 { // every key is on three nodes, so any one may be away
			gone := n.IDs[rng.IntN(5)]
			s.away = []string{gone}
			n.Ask = s.ask
			for key := range union {
				union[key] = 0
				for id, keys := range s.nodes {
					if id != gone {
						union[key] = max(union[key], keys[key])
					}
				}
				if union[key] == 0 {
					delete(union, key)
				}
			}
		}
		want, limit, after := slices.Sorted(maps.Keys(union)), 1+rng.IntN(20), ""
		for {
			page, more, err := Page(t.Context(), n, "p/", after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) > len(want) || len(page) > limit {
				t.Fatalf("seed %d: %d keys too many", seed, len(page)-len(want))
			}
			for i, e := range page {
				if e.Key != want[i] || e.Stamp.Time != union[e.Key] {
					t.Fatalf("seed %d: got %q at %d, want %q at %d", seed, e.Key, e.Stamp.Time, want[i], union[want[i]])
				}
			}
			if want = want[len(page):]; more != (len(want) > 0) {
				t.Fatalf("seed %d: more is %v, %d are left", seed, more, len(want))
			}
			if !more {
				break
			}
			after = page[len(page)-1].Key
		}
	}
}

func TestTooManyAwayOrAnotherViewEndThePage(t *testing.T) {
	s := shelf{away: []string{"a", "b"}, err: errors.New("away")}
	n := Nodes{IDs: []string{"a", "b", "c"}, Spare: 1, Copies: 3, Ask: s.ask}
	if _, _, err := Page(t.Context(), n, "", "", 10); !errors.Is(err, wire.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	s.away, s.err = []string{"a"}, wire.ErrStale
	n.Ask = s.ask
	if _, _, err := Page(t.Context(), n, "", "", 10); !errors.Is(err, wire.ErrStale) {
		t.Errorf("got %v", err)
	}
}
