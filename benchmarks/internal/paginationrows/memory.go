package paginationrows

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/pagination"
)

func recordOrder() (*pagination.Order[record], error) {
	return pagination.NewOrder("score",
		pagination.ID("id", func(r *record) int64 { return r.ID }),
		pagination.By("score", func(r *record) int64 { return r.Score }))
}

func recordList(n int) []record {
	rows := make([]record, n)
	for i := range rows {
		rows[i] = record{ID: int64(i), Score: int64(i / 500)}
	}
	return rows
}

// ourSlice seeks in a slice.
func ourSlice(z sizes) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		order, err := recordOrder()
		if err != nil {
			return nil, nil, err
		}
		source := pagination.NewSlice(recordList(z.rows))
		at := z.rows / 100 * 99
		gap, err := order.After(&record{ID: int64(at), Score: int64(at / 500)})
		r := pagination.Range[record]{Order: order, Start: gap, Limit: 21}
		ctx := context.Background()
		if err == nil {
			_, err = source.Fetch(ctx, r) // builds the index, which takes longer than a batch
		}
		return func(n int) {
			for range n {
				if rows, err := source.Fetch(ctx, r); err != nil || rows[0].ID != int64(at+1) {
					panic(fmt.Sprint("slice: ", err))
				}
			}
		}, nil, err
	}}
}

// scanSlice looks at each row from the start.
func scanSlice(z sizes) harness.Contender {
	return harness.Contender{Name: "linear scan", Setup: func() (harness.Op, func(), error) {
		rows := recordList(z.rows)
		at := z.rows / 100 * 99
		last := rows[at]
		return func(n int) {
			for range n {
				page := make([]record, 0, 21)
				for i := range rows {
					if r := &rows[i]; r.Score > last.Score || r.Score == last.Score && r.ID > last.ID {
						if page = append(page, *r); len(page) == cap(page) {
							break
						}
					}
				}
				if page[0].ID != int64(at+1) {
					panic("scan")
				}
			}
		}, nil, nil
	}}
}

// cluster spreads the rows over shards by a hash of the id, and counts what
// they return.
func cluster(z sizes, shards int, read, spent *atomic.Int64) (pagination.Source[record], error) {
	parts := make([][]record, shards)
	for _, r := range recordList(z.rows) {
		hash := uint64(r.ID+1) * 0x9e3779b97f4a7c15
		j := (hash >> 32) % uint64(shards)
		parts[j] = append(parts[j], r)
	}
	sources := make([]pagination.Source[record], shards)
	clock := clockCost()
	for j := range sources {
		inner := pagination.NewSlice(parts[j])
		sources[j] = pagination.SourceFunc[record](func(ctx context.Context, r pagination.Range[record]) ([]record, error) {
			start := time.Now()
			rows, err := inner.Fetch(ctx, r)
			spent.Add(int64(time.Since(start) + clock))
			read.Add(int64(len(rows)))
			return rows, err
		})
	}
	return pagination.NewMerge(sources, pagination.MergeOptions{Concurrency: 1})
}

// clockCost is what it costs to look at the clock: each call of a shard is timed, and
// a 64th of a page takes no longer than that.
func clockCost() time.Duration {
	const n = 10_000
	start := time.Now()
	for range n {
		_ = time.Now()
	}
	return time.Since(start) / n
}

// walkCluster reads pages of 100, one shard after the other, and returns how many
// rows they had, and the time beside that of the shards.
func walkCluster(z sizes, shards int, read *atomic.Int64) (returned int, spent time.Duration, err error) {
	var inShards atomic.Int64
	merged, err := cluster(z, shards, read, &inShards)
	if err != nil {
		return 0, 0, err
	}
	order, err := recordOrder()
	if err != nil {
		return 0, 0, err
	}
	r := pagination.Range[record]{Order: order, Limit: 101}
	if _, err := merged.Fetch(context.Background(), r); err != nil { // builds the indexes
		return 0, 0, err
	}
	read.Store(0)
	inShards.Store(0)
	start := time.Now()
	for range min(200, z.rows/200) {
		rows, err := merged.Fetch(context.Background(), r)
		if err != nil {
			return 0, 0, err
		}
		returned += 100
		if r.Start, err = order.After(&rows[99]); err != nil {
			return 0, 0, err
		}
	}
	return returned, time.Since(start) - time.Duration(inShards.Load()), nil
}

func mergeReads(z sizes, shards int) harness.Contender {
	return harness.Contender{Name: "ours", Value: func() (float64, error) {
		var read atomic.Int64
		returned, _, err := walkCluster(z, shards, &read)
		return float64(read.Load()) / float64(returned) * 100, err
	}}
}

// mergeTime is what merging a row costs, without what the shards do for it.
func mergeTime(z sizes, shards int) harness.Contender {
	return harness.Contender{Name: "ours", Value: func() (float64, error) {
		var read atomic.Int64
		best := 0.0
		for range 5 { // the least of five: others run on this machine
			returned, spent, err := walkCluster(z, shards, &read)
			if err != nil {
				return 0, err
			}
			if per := float64(spent) / float64(returned); best == 0 || per < best {
				best = per
			}
		}
		return best, nil
	}}
}

// everyShardReads is the scheme that asks each shard for a whole page.
func everyShardReads(_ sizes, shards int) harness.Contender {
	return harness.Contender{Name: "a page from each shard", Value: func() (float64, error) { return float64(101 * shards), nil }}
}
