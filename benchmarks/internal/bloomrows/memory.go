package bloomrows

import (
	"fmt"

	"github.com/FastFilter/xorfilter"
	"github.com/bits-and-blooms/bloom/v3"
	"github.com/greatroar/blobloom"
	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	ours "github.com/sysblocks/sysblocks/bloom"
	boom "github.com/tylertreat/BoomFilters"
)

// memoryRows ask everyone for the same capacity and rate by their own sizing, and compare bits and the rate that comes out.
func memoryRows(quick bool) []harness.Row {
	n := uint64(1_000_000)
	if quick {
		n = 20_000
	}
	var rows []harness.Row
	for _, c := range []struct{ rate, target float64 }{{1e-2, 1 / 0.94}, {1e-3, 1 / 0.94}, {1e-4, 1 / 0.91}} {
		rate := c.rate
		rows = append(rows, harness.Row{
			Workload: fmt.Sprintf("bits per key, %v asked", rate), Unit: "bits/key",
			Ours: figure("bloom", func() (float64, error) {
				l, err := ours.Plan(n, rate)
				return float64(l.Bytes()*8) / float64(n), err
			}),
			Peers: []harness.Contender{figure("blobloom", func() (float64, error) {
				return float64(blob(n, rate).NumBits()) / float64(n), nil
			})},
			Target: harness.AtLeast(c.target),
		}, harness.Row{
			Workload: fmt.Sprintf("bits per key, %v asked, k misses or static", rate), Unit: "bits/key",
			Ours: figure("bloom", func() (float64, error) {
				l, err := ours.Plan(n, rate)
				return float64(l.Bytes()*8) / float64(n), err
			}),
			Peers: []harness.Contender{
				figure("bits-and-blooms", func() (float64, error) {
					m, _ := bloom.EstimateParameters(uint(n), rate)
					return float64(m) / float64(n), nil
				}),
			},
			Target: harness.Report(),
		}, harness.Row{
			Workload: fmt.Sprintf("measured rate / rate asked, %v", rate), Unit: "x",
			Ours: figure("bloom", func() (float64, error) {
				f, err := ours.New(n, rate, ours.Options{})
				if err != nil {
					return 0, err
				}
				for i := range n {
					f.Add(ours.Uint64(i))
				}
				return measured(n, func(k ours.Key) bool { return f.Test(k) }) / rate, nil
			}),
			Peers: []harness.Contender{figure("blobloom", func() (float64, error) {
				f := blob(n, rate)
				for i := range n {
					f.Add(ours.Uint64(i).Hash())
				}
				return measured(n, func(k ours.Key) bool { return f.Has(k.Hash()) }) / rate, nil
			})},
			// Four standard deviations of 2,000,000 probes at 1e-4, where there are 200 hits.
			Target: harness.Limit(1.02 + 4*0.0707*scale(rate)),
		})
	}
	rows[1].Peers = append(rows[1].Peers, figure("xorfilter BinaryFuse8 (0.4 %)", func() (float64, error) {
		keys := make([]uint64, n)
		for i := range keys {
			keys[i] = ours.Uint64(uint64(i)).Hash()
		}
		f, err := xorfilter.PopulateBinaryFuse8(keys)
		if err != nil {
			return 0, err
		}
		return float64(len(f.Fingerprints)*8) / float64(n), nil
	}))
	return rows
}

// scale is the relative sampling error of a rate against that of 1e-4.
func scale(rate float64) float64 {
	switch rate {
	case 1e-4:
		return 1
	case 1e-3:
		return 0.316
	}
	return 0.1
}

func blob(n uint64, rate float64) *blobloom.Filter {
	return blobloom.NewOptimized(blobloom.Config{Capacity: n, FPRate: rate})
}

// measured is the share of keys from n on that test true.
func measured(n uint64, test func(ours.Key) bool) float64 {
	const probes = 2_000_000
	var hits uint64
	for i := range uint64(probes) {
		hits += one(test(ours.Uint64(n + i)))
	}
	return float64(hits) / probes
}

// grownRows are of filters that start at 1e4 keys and grow.
func grownRows(quick bool) []harness.Row {
	n := uint64(1_270_000)
	if quick {
		n = 40_000
	}
	grown := func() (*ours.Scalable, error) {
		s, err := ours.NewScalable(10_000, 0.01, ours.Options{})
		if err != nil {
			return nil, err
		}
		for i := range n {
			s.Add(ours.Uint64(i))
		}
		return s, nil
	}
	peer := func() *boom.ScalableBloomFilter {
		f := boom.NewScalableBloomFilter(10_000, 0.01, 0.8)
		for i := range n {
			f.Add(fmt.Append(nil, i))
		}
		return f
	}
	return []harness.Row{
		{
			Workload: "rate of a filter grown from 1e4 to 1.27e6 keys, 0.01 asked", Unit: "rate",
			Ours: figure("bloom Scalable", func() (float64, error) {
				s, err := grown()
				if err != nil {
					return 0, err
				}
				return measured(n, s.Test), nil
			}),
			Peers: []harness.Contender{figure("BoomFilters", func() (float64, error) {
				f := peer()
				hits := 0
				const probes = 200_000
				for i := range uint64(probes) {
					if f.Test(fmt.Append(nil, n+i)) {
						hits++
					}
				}
				return float64(hits) / probes, nil
			})},
			Target: harness.Limit(0.01),
		},
		{
			Workload: "bits per key of it", Unit: "bits/key",
			Ours: figure("bloom Scalable", func() (float64, error) {
				s, err := grown()
				if err != nil {
					return 0, err
				}
				st := s.Stats()
				return float64(st.Bytes*8) / float64(st.Capacity), nil
			}),
			Peers: []harness.Contender{figure("BoomFilters", func() (float64, error) {
				return float64(peer().Capacity()) / float64(n), nil
			})},
			Target: harness.Limit(17.5),
		},
	}
}
