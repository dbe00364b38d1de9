package bloomrows

import (
	"bytes"

	bits "github.com/bits-and-blooms/bloom/v3"
	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/bloom"
)

// formatRows are of serialized filters in memory, of 64 MiB.
func formatRows(small data, g large) []harness.Row {
	read := []harness.Contender{classicRead(g)}
	trusted := openTrusted("bloom, 1 MiB", func() (*bloom.Filter, error) { return ourFilter(small, bloom.Options{}) })
	return []harness.Row{
		{
			Workload: "Open, 64 MiB, with checksum", Target: harness.AtLeast(3), MaxAllocs: harness.NoAllocLimit, Peers: read,
			Ours: decode(g, func(b []byte) (bloom.Layout, error) {
				v, err := bloom.Open(b)
				return v.Layout(), err
			}),
		},
		{
			Workload: "Read, 64 MiB, with checksum", Target: harness.AtLeast(1.5), MaxAllocs: harness.NoAllocLimit, Peers: read,
			Ours: decode(g, func(b []byte) (bloom.Layout, error) {
				f, err := bloom.Read(bytes.NewReader(b), bloom.Options{})
				if err != nil {
					return bloom.Layout{}, err
				}
				return f.Layout(), nil
			}),
		},
		{
			Workload: "OpenTrusted, 64 MiB, against 1 MiB", Target: harness.AtMost(1.5), Peers: []harness.Contender{trusted},
			Ours: openTrusted("bloom", func() (*bloom.Filter, error) {
				b, err := g.build()
				if err != nil {
					return nil, err
				}
				return b.ours, nil
			}),
		},
	}
}

// decode makes a contender of a decoder of our format.
func decode(g large, work func(b []byte) (bloom.Layout, error)) harness.Contender {
	return g.contender("bloom", func(b *built) harness.Op {
		raw, err := b.ours.MarshalBinary()
		if err != nil {
			return nil
		}
		return func(n int) {
			for range n {
				if l, err := work(raw); err == nil {
					keep(l.Blocks)
				}
			}
		}
	})
}

func openTrusted(name string, filter func() (*bloom.Filter, error)) harness.Contender {
	return timed(name, func() (harness.Op, error) {
		f, err := filter()
		if err != nil {
			return nil, err
		}
		raw, err := f.MarshalBinary()
		return func(n int) {
			for range n {
				if v, err := bloom.OpenTrusted(raw); err == nil {
					keep(v.Layout().Blocks)
				}
			}
		}, err
	})
}

func classicRead(g large) harness.Contender {
	return timed("bits-and-blooms ReadFrom", func() (harness.Op, error) {
		b, err := g.build()
		if err != nil {
			return nil, err
		}
		var raw bytes.Buffer
		_, err = g.classic(b).WriteTo(&raw)
		return func(n int) {
			for range n {
				var f bits.BloomFilter
				if _, err := f.ReadFrom(bytes.NewReader(raw.Bytes())); err == nil {
					keep(uint64(f.Cap()))
				}
			}
		}, err
	})
}
