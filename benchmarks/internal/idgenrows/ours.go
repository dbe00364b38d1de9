package idgenrows

import (
	"context"
	"slices"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/opaque"
	"github.com/sysblocks/sysblocks/idgen/uuid"
)

const sample = idgen.ID(219881274368000001)

func uncapped() idgen.Layout { return idgen.Layout{TimeBits: 41, SeqBits: 22} }

func ourNext(o idgen.SnowflakeOptions, run loop) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		g, err := idgen.NewSnowflake(0, o)
		if err != nil {
			return nil, nil, err
		}
		ctx := context.Background()
		once := func() error { _, err := g.Next(ctx); return err }
		return run(once), func() { _ = g.Close(ctx) }, nil
	}}
}

// ourOverhead is what Next costs above time.Since, both measured in turns; the median of the differences.
func ourOverhead(z sizes) harness.Contender {
	return harness.Contender{Name: "ours", Value: func() (float64, error) {
		g, err := idgen.NewSnowflake(0, idgen.SnowflakeOptions{Layout: uncapped()})
		if err != nil {
			return 0, err
		}
		const n = 20_000
		base, ctx := time.Now(), context.Background()
		var sum time.Duration
		var differences []float64
		for begin := time.Now(); time.Since(begin) < z.run; {
			t0 := time.Now()
			for range n {
				sum += time.Since(base)
			}
			t1 := time.Now()
			for range n {
				if _, err := g.Next(ctx); err != nil {
					return 0, err
				}
			}
			differences = append(differences, float64(time.Since(t1)-t1.Sub(t0))/n)
		}
		if sum == 0 {
			return 0, nil
		}
		slices.Sort(differences)
		return differences[len(differences)/2], nil
	}}
}

func ourFill(size int) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		g, err := idgen.NewSnowflake(0, idgen.SnowflakeOptions{Layout: uncapped()})
		if err != nil {
			return nil, nil, err
		}
		ids, ctx := make([]idgen.ID, size), context.Background()
		return func(n int) {
			for n > 0 {
				k, err := g.Fill(ctx, ids[:min(n, size)])
				if err != nil {
					panic(err)
				}
				n -= k
			}
		}, nil, nil
	}}
}

func ourV7(run loop) harness.Contender {
	return contender("ours", run, func() error { uuid.NewV7(); return nil })
}

func ourULID(run loop) harness.Contender {
	return contender("ours", run, func() error { uuid.NewULID(); return nil })
}

func ourFillV7(size int) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		ids := make([]uuid.UUID, size)
		return func(n int) {
			for ; n > 0; n -= size {
				uuid.FillV7(ids[:min(n, size)])
			}
		}, nil, nil
	}}
}

func ourEncode(e idgen.Encoding) harness.Contender {
	buf := make([]byte, 0, 32)
	return contender("ours", serial, func() error { buf = e.AppendEncode(buf[:0], sample); return nil })
}

func ourDecode(e idgen.Encoding) harness.Contender {
	s := e.Encode(sample)
	return contender("ours", serial, func() error { _, err := e.Decode(s); return err })
}

func ourParse() harness.Contender {
	s := sample.String()
	return contender("ours", serial, func() error { _, err := idgen.ParseID(s); return err })
}

func codec() (*opaque.Codec, error) {
	return opaque.New([]byte("0123456789abcdef"), opaque.Options{Name: "order"})
}

func ourOpaqueEncode() harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		c, err := codec()
		if err != nil {
			return nil, nil, err
		}
		return serial(func() error { _, err := c.Encode(sample); return err }), nil, nil
	}}
}

func ourOpaqueDecode() harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		c, err := codec()
		if err != nil {
			return nil, nil, err
		}
		s, err := c.Encode(sample)
		if err != nil {
			return nil, nil, err
		}
		return serial(func() error { _, err := c.Decode(s); return err }), nil, nil
	}}
}
