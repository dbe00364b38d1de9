package local

import (
	"context"
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// Writer is a client that writes numbered versions of keys, and books outside the cluster what was acknowledged. Of one key only
// one goroutine may write, so that its versions are acknowledged in order; else it is safe for concurrent use.
type Writer struct {
	client        *wire.Client
	ledger        workload.Ledger
	acked, failed atomic.Int64
}

// valueSize is that of a small row: a version and padding.
const valueSize = 100

// NewWriter makes a client of the present members.
func NewWriter(c *Cluster) *Writer { return &Writer{client: c.Client()} }

// Close ends the client's connections.
func (w *Writer) Close() { w.client.Close() }

// Put writes a version.
func (w *Writer) Put(ctx context.Context, key string, version uint64) {
	value := make([]byte, valueSize)
	binary.BigEndian.PutUint64(value, version)
	if err := w.client.Put(ctx, key, value); err != nil {
		w.failed.Add(1)
		return
	}
	w.acked.Add(1)
	w.ledger.Acked(key, version)
}

// Owes reads a key and reports whether the answer is older than what was acknowledged, or there is none.
func (w *Writer) Owes(ctx context.Context, key string) bool {
	e, found, err := w.client.Get(ctx, key)
	if err != nil || !found || len(e.Value) != valueSize {
		return true
	}
	return w.ledger.Owes(key, binary.BigEndian.Uint64(e.Value))
}

// Acked counts the writes that were acknowledged.
func (w *Writer) Acked() int64 { return w.acked.Load() }

// Failed counts the writes that were not acknowledged.
func (w *Writer) Failed() int64 { return w.failed.Load() }

// Lost reads every key of the ledger and counts those that are owed.
func (w *Writer) Lost(ctx context.Context, workers int, progress func(i, n int)) (int64, error) {
	var keys []string
	for key := range w.ledger.All() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var lost atomic.Int64
	err := workload.Each(ctx, workers, len(keys), func(ctx context.Context, _, i int) error {
		progress(i, len(keys))
		if w.Owes(ctx, keys[i]) {
			lost.Add(1)
		}
		return nil
	})
	return lost.Load(), err
}
