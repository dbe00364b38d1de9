package idgentest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
)

// patience bounds every wait of the kits.
const patience = 30 * time.Second

// TestGenerator checks uniqueness across goroutines, order and Fill. It is the check to copy: it collects all IDs, sorts
// them and compares neighbours. A lossy structure, such as a bounded set, would raise false alarms or miss duplicates.
//
// Order is the order of one generator; Tickets, which promises none, does not pass it.
func TestGenerator(t *testing.T, g idgen.Generator) {
	t.Helper()
	t.Run("Ascends", func(t *testing.T) { ascends(t, g) })
	t.Run("FillIsValidAndAscends", func(t *testing.T) { fills(t, g) })
	t.Run("UniqueAcrossGoroutines", func(t *testing.T) { unique(t, g) })
}

func ascends(t *testing.T, g idgen.Generator) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := idgen.ID(0)
	for range 500 {
		id, err := g.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if id <= last {
			t.Fatalf("Next returned %d after %d", id, last)
		}
		last = id
	}
}

func fills(t *testing.T, g idgen.Generator) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last, err := g.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 2, 3, 100, 257} {
		ids := make([]idgen.ID, size)
		n, err := g.Fill(ctx, ids)
		if err != nil || n != size {
			t.Fatalf("Fill of %d returned %d, %v", size, n, err)
		}
		for _, id := range ids {
			if id <= last {
				t.Fatalf("Fill wrote %d after %d", id, last)
			}
			last = id
		}
	}
}

func unique(t *testing.T, g idgen.Generator) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const goroutines = 8
	all := make([][]idgen.ID, goroutines)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			batch := make([]idgen.ID, 23)
			for round := range 200 {
				if round%10 == i%10 {
					n, err := g.Fill(ctx, batch)
					all[i] = append(all[i], batch[:n]...)
					if err != nil {
						t.Errorf("Fill: %v", err)
						return
					}
					continue
				}
				id, err := g.Next(ctx)
				if err != nil {
					t.Errorf("Next: %v", err)
					return
				}
				all[i] = append(all[i], id)
			}
		})
	}
	wg.Wait()
	ids := slices.Concat(all...)
	slices.Sort(ids)
	for i, id := range ids {
		if id <= 0 {
			t.Fatalf("%d was returned", id)
		}
		if i > 0 && id == ids[i-1] {
			t.Fatalf("%d was returned twice", id)
		}
	}
}
