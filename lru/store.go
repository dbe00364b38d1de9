package lru

import (
	"context"
	"fmt"
	"math"
	"time"
)

// A Store is what a Backed stands in front of: a table, a bucket, a service. It may be called by several goroutines,
// but never for the same key by two writes at a time.
type Store[K comparable, V any] interface {
	Load(ctx context.Context, key K) (V, error) // ErrNotFound when absent
	Save(ctx context.Context, key K, value V) error
	Remove(ctx context.Context, key K) error // of an absent key: no error
}

// A BatchStore is a Store that takes many keys in one call. Backed loads and flushes in batches when its store has
// these methods.
type BatchStore[K comparable, V any] interface {
	Store[K, V]
	LoadMany(ctx context.Context, keys []K) (map[K]V, error)  // absent keys are left out
	SaveMany(ctx context.Context, writes []Write[K, V]) error // distinct keys; all or an error
}

// Write is one change of a store.
type Write[K comparable, V any] struct {
	Key    K
	Value  V
	Remove bool // the key is removed and Value means nothing
}

// WriteMode says when a write of a Backed reaches the store.
type WriteMode uint8

// The write modes.
const (
	WriteThrough WriteMode = iota // store first, then cache; Set returns when both have it
	WriteAround                   // store only; the cache forgets the key and reads it on demand
	WriteBack                     // cache first; the store follows in the background
)

// String returns the name of the mode as it is written in Go.
func (m WriteMode) String() string {
	switch m {
	case WriteThrough:
		return "WriteThrough"
	case WriteAround:
		return "WriteAround"
	case WriteBack:
		return "WriteBack"
	default:
		return fmt.Sprintf("WriteMode(%d)", uint8(m))
	}
}

// BackedOptions configures NewBacked. The zero value writes through an Adaptive cache.
type BackedOptions[K comparable, V any] struct {
	// Cache configures the cache. Load and LoadMany must be nil: the store is the source. Loading.Timeout limits
	// each call of the store, writes in the background included.
	Cache Options[K, V]

	// Mode says when a write reaches the store; default WriteThrough.
	Mode WriteMode

	// FlushEvery is how long a write may wait for its save to begin; 0: one second. WriteBack only.
	FlushEvery time.Duration

	// BatchSize is how many writes go into one SaveMany, and how many unsaved ones start a flush before its time;
	// 0: 256. WriteBack only.
	BatchSize int

	// MaxDirty is how many keys may be unsaved before Set and Remove wait, which bounds what a crash can lose;
	// 0: 16 × BatchSize. WriteBack only.
	MaxDirty int

	// OnError hears of each write that could not be saved, with the number of attempts so far, and decides whether
	// it is tried again; nil: always. It runs in the background, outside all locks. WriteBack only.
	OnError func(w Write[K, V], attempt int, err error) (retry bool)
}

const (
	defaultFlushEvery = time.Second
	defaultWriteBatch = 256
	dirtyBatches      = 16
)

// check returns an error that names the first field out of range, and fills in the defaults.
func (o *BackedOptions[K, V]) check() error {
	switch {
	case o.Cache.Load != nil || o.Cache.LoadMany != nil:
		return invalid("Cache.Load and Cache.LoadMany must be nil: the store is the source")
	case o.Mode > WriteBack:
		return invalid("Mode %d is unknown", o.Mode)
	case o.FlushEvery < 0:
		return invalid("FlushEvery %v is negative", o.FlushEvery)
	case o.BatchSize < 0:
		return invalid("BatchSize %d is negative", o.BatchSize)
	case o.MaxDirty < 0:
		return invalid("MaxDirty %d is negative", o.MaxDirty)
	case o.Mode != WriteBack && (o.FlushEvery > 0 || o.BatchSize > 0 || o.MaxDirty > 0 || o.OnError != nil):
		return invalid("FlushEvery, BatchSize, MaxDirty and OnError need Mode WriteBack, not %v", o.Mode)
	}
	if o.FlushEvery == 0 {
		o.FlushEvery = defaultFlushEvery
	}
	if o.BatchSize == 0 {
		o.BatchSize = defaultWriteBatch
	}
	if o.MaxDirty == 0 {
		o.MaxDirty = dirtyBatches * min(o.BatchSize, math.MaxInt/dirtyBatches)
	}
	return nil
}
