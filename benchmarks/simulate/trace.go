// Package simulate replays key streams against caches and compares their hit ratios with each other and with the
// optimum.
package simulate

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Trace is a stream of keys and the capacities at which it is interesting.
type Trace struct {
	Name       string
	Keys       []uint64
	Weights    func(key uint64) int // nil: each key weighs 1
	Capacities []int
}

// Recorded lists the traces that Load looks for.
func Recorded() []Trace {
	return []Trace{
		{Name: "oltp", Capacities: []int{1000, 2000, 4000}},
		{Name: "p3", Capacities: []int{25_000, 50_000, 100_000}},
		{Name: "loop", Capacities: []int{250, 500, 750}},
		{Name: "multi3", Capacities: []int{300, 600, 1200}},
		{Name: "sprite", Capacities: []int{250, 500, 1000}},
		{Name: "corda", Capacities: []int{500, 1000, 4000}},
		{Name: "orm-busy", Capacities: []int{250, 1000, 4000}},
		{Name: "web07", Capacities: []int{500, 1000, 2000}},
		{Name: "web12", Capacities: []int{500, 1000, 2000}},
		{Name: "scarab", Capacities: []int{6000, 25_000, 50_000}},
	}
}

// Load reads <name>.u64.gz, the gzip of little-endian 64-bit keys, from a folder.
func Load(dir, name string) ([]uint64, error) {
	f, err := os.Open(filepath.Join(dir, name+".u64.gz"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("simulate: trace %s: %w", name, err)
	}
	r := bufio.NewReaderSize(z, 1<<20)
	var keys []uint64
	for {
		var b [8]byte
		if _, err := io.ReadFull(r, b[:]); errors.Is(err, io.EOF) {
			return keys, nil
		} else if err != nil {
			return nil, fmt.Errorf("simulate: trace %s: %w", name, err)
		}
		keys = append(keys, binary.LittleEndian.Uint64(b[:]))
	}
}

// Synthetic generates the fixed mixes. n is the length of each; 1,000,000 in the published table.
func Synthetic(n int) []Trace {
	var out []Trace
	for _, space := range []int{100_000, 1_000_000} {
		for _, s := range []float64{0.7, 0.9, 1.01, 1.2} {
			out = append(out, Trace{
				Name: fmt.Sprintf("zipf-%v-%d", s, space), Keys: zipf(n, s, space, 1),
				Capacities: []int{1000, space / 100, space / 20}[btoi(space/100 == 1000):],
			})
		}
	}
	for _, f := range []float64{1.1, 2, 10} {
		const capacity = 5000
		out = append(out, Trace{Name: fmt.Sprintf("loop-%vx", f), Keys: loop(n, int(f*capacity)), Capacities: []int{capacity}})
	}
	for _, capacity := range []int{1000, 10_000} {
		out = append(
			out,
			Trace{Name: "scan-zipf", Keys: scans(n), Capacities: []int{capacity}},
			Trace{Name: "shift", Keys: shift(n, capacity), Capacities: []int{capacity}},
			Trace{Name: "bursts", Keys: bursts(n, capacity/2), Capacities: []int{capacity}},
			Trace{Name: "bursts-loop", Keys: alternate(n, capacity), Capacities: []int{capacity}},
			Trace{Name: "drift-loop", Keys: drift(n, capacity), Capacities: []int{capacity}},
		)
	}
	return append(out, Trace{
		Name: "lognormal-weights", Keys: zipf(n, 0.9, 100_000, 7), Weights: logNormal, Capacities: []int{100_000, 1_000_000},
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func logNormal(key uint64) int {
	rng := rand.New(rand.NewPCG(key, 3))
	return 1 + int(min(5000, math.Exp(3+1.2*rng.NormFloat64())))
}

// scatter hides the order of keys.
func scatter(k uint64) uint64 {
	k ^= k >> 31
	k *= 0x7fb5d329728ea185
	k ^= k >> 27
	return k * 0x81dadef4bc2dd44d
}

// zipf draws keys with a probability falling as rank^-s, also for s below 1.
func zipf(n int, s float64, space int, seed uint64) []uint64 {
	sum := make([]float64, space)
	total := 0.0
	for i := range sum {
		total += math.Pow(float64(i+1), -s)
		sum[i] = total
	}
	rng := rand.New(rand.NewPCG(seed, 11))
	keys := make([]uint64, n)
	for i := range keys {
		x := rng.Float64() * total
		lo, hi := 0, space-1
		for lo < hi {
			if mid := (lo + hi) / 2; sum[mid] < x {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		keys[i] = scatter(uint64(lo) + seed<<40)
	}
	return keys
}

func loop(n, size int) []uint64 {
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = scatter(uint64(i%size) + 1<<50)
	}
	return keys
}

// scans mixes one one-shot key into three Zipf keys.
func scans(n int) []uint64 {
	keys := zipf(n, 1.01, 100_000, 2)
	for i := 0; i < n; i += 4 {
		keys[i] = scatter(uint64(i) + 1<<51)
	}
	return keys
}

// shift replaces the hot set, two capacities wide, every 50 capacities.
func shift(n, capacity int) []uint64 {
	keys := zipf(n, 1.01, 2*capacity, 3)
	for i := range keys {
		keys[i] += uint64(i/(50*capacity)) << 52
		keys[i] = scatter(keys[i])
	}
	return keys
}

// bursts brings each key two or three times, gap new keys apart, then never again.
func bursts(n, gap int) []uint64 {
	rng := rand.New(rand.NewPCG(4, 4))
	keys := make([]uint64, 0, n+2)
	for next := uint64(0); len(keys) < n; next++ {
		keys = append(keys, scatter(next+1<<53))
		if next >= uint64(gap) {
			keys = append(keys, scatter(next-uint64(gap)+1<<53))
			if rng.IntN(2) == 0 {
				keys = append(keys, scatter(next-uint64(gap/2)+1<<53))
			}
		}
	}
	return keys[:n]
}

// alternate switches between bursts and a loop every 100 capacities.
func alternate(n, capacity int) []uint64 {
	a, b := bursts(n, capacity/2), loop(n, capacity*3/2)
	for i := range a {
		if i/(100*capacity)%2 == 1 {
			a[i] = b[i]
		}
	}
	return a
}

// drift adds a slowly moving Zipf set to a loop twice as long as the cache.
func drift(n, capacity int) []uint64 {
	a, b := zipf(n, 1.01, 2*capacity, 5), loop(n, 2*capacity)
	rank := zipf(n, 1.01, 2*capacity, 5)
	for i := range a {
		if i%5 == 4 {
			a[i] = b[i/5]
		} else {
			a[i] = scatter(rank[i] + uint64(i/(20*capacity))<<54)
			if scatter(rank[i])%4 != uint64(i/(20*capacity))%4 {
				a[i] = rank[i] // three quarters of the set stay from one period to the next
			}
		}
	}
	return a
}
