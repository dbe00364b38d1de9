package lru

import (
	"context"
	"fmt"
	"math"
	"time"
)

// A Policy decides which entry makes room when the cache is full.
type Policy uint8

// The policies. Adaptive is what a service should run; the others are the algorithms of that name to the letter.
const (
	Adaptive Policy = iota // frequency and recency, tuned while it runs; hits take no lock
	LRU                    // exact: least recently used first; one lock, also for hits
	LFU                    // exact: least often used first, ties by recency; one lock, also for hits
	FIFO                   // exact: oldest insertion first; hits take no lock
	SIEVE                  // exact: oldest insertion not visited since the hand passed; hits take no lock
)

// String returns the name of the policy as it is written in Go.
func (p Policy) String() string {
	switch p {
	case Adaptive:
		return "Adaptive"
	case LRU:
		return "LRU"
	case LFU:
		return "LFU"
	case FIFO:
		return "FIFO"
	case SIEVE:
		return "SIEVE"
	default:
		return fmt.Sprintf("Policy(%d)", uint8(p))
	}
}

// A Cause says why a value left the cache.
type Cause uint8

// The causes of a departure.
const (
	Evicted     Cause = iota + 1 // no room, or refused as too heavy
	Expired                      // TTL, TTI or Expire
	Removed                      // Remove, RemoveFunc, Clear, Compute, a loader's ErrNotFound
	Replaced                     // a newer value took its place
	Invalidated                  // InvalidateTags
)

// String returns the name of the cause as it is written in Go.
func (c Cause) String() string {
	switch c {
	case Evicted:
		return "Evicted"
	case Expired:
		return "Expired"
	case Removed:
		return "Removed"
	case Replaced:
		return "Replaced"
	case Invalidated:
		return "Invalidated"
	default:
		return fmt.Sprintf("Cause(%d)", uint8(c))
	}
}

// Unbounded as a capacity turns eviction for size off.
const Unbounded = math.MaxInt

// Options configures New. The zero value is an Adaptive cache whose entries do not expire.
//
// All functions run outside the locks of the cache and may call it.
type Options[K comparable, V any] struct {
	// Policy chooses the victims; default Adaptive.
	Policy Policy

	// Weight returns what an entry costs, in the unit of the capacity; by default each entry weighs 1. Weight 0 is
	// never evicted for size. A negative weight, or one above the capacity, refuses the entry. Not with Unbounded.
	Weight func(key K, value V) int

	// TTL is the lifetime of a value after it was written; 0: no limit. Negative: ErrInvalid.
	TTL time.Duration

	// TTI is the lifetime after the last read or write; 0: no limit. TTL remains the hard limit. A read moves the
	// deadline only when that gains more than max(1 ms, TTI/64), so an entry may leave that much early, never late.
	TTI time.Duration

	// TTLFunc returns the lifetime of this very value and stands instead of TTL; both together are ErrInvalid. A
	// lifetime of zero or less stores nothing, math.MaxInt64 means for ever.
	TTLFunc func(key K, value V) time.Duration

	// Jitter, 0…1, shortens each TTL by a random share of up to Jitter, so that values written together do not
	// expire together.
	Jitter float64

	// Load is the source of Fetch and Refresh. It returns ErrNotFound for a key that does not exist.
	Load func(ctx context.Context, key K) (V, error)

	// LoadMany is the bulk source; it may stand alone. A key missing from the map does not exist.
	LoadMany func(ctx context.Context, keys []K) (map[K]V, error)

	// Loading says when values are loaded again and how failures are treated.
	Loading Loading

	// Tags returns the tags of a value and makes InvalidateTags work.
	Tags func(key K, value V) []string

	// OnRemove hears of each value that left, after the operation that removed it and outside all locks. Events of
	// one key come in order. It must not wait for another event.
	OnRemove func(entry Entry[K, V], cause Cause)

	// Overflow receives what is evicted for size, and is asked by Fetch, FetchMany and GetOrLoad before the loader. An
	// entry comes back with the lifetime that it had left, and counts as a miss, not as a load. A write or removal of a
	// key reaches the tier before it returns; RemoveFunc, InvalidateTags and Clear clear it. After its first error the
	// tier is not used any more. It must not call the cache.
	Overflow Tier[K, V]

	// CountHits makes Stats count hits too; it costs one striped write per hit.
	CountHits bool
}

// Loading says when values are loaded again and how failures are remembered. Zero fields are off. Negative
// fields are ErrInvalid.
type Loading struct {
	RefreshAfter time.Duration // an older value is served and loaded again once, in the background; less than TTL
	StaleFor     time.Duration // after its expiry a value may still be served while, or instead of, loading
	NegativeTTL  time.Duration // how long ErrNotFound is remembered
	ErrorTTL     time.Duration // how long any other error of a key is remembered
	Timeout      time.Duration // limit of one call of Load or LoadMany
	Concurrency  int           // loads at the same time; 0: no limit
	BatchWindow  time.Duration // misses within this time join into one LoadMany, which must be given
	BatchSize    int           // most keys of one LoadMany; 0: 1000
	EarlyRefresh float64       // strength of probabilistic refresh before expiry; 1 is the textbook value
}

// defaultBatchSize is a batch that common servers take in one statement.
const defaultBatchSize = 1000

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// check returns an error that names the first field out of range.
func (o *Options[K, V]) check(capacity int) error {
	hasLoader := o.Load != nil || o.LoadMany != nil
	switch {
	case capacity < 1:
		return invalid("capacity %d, want at least 1", capacity)
	case o.Policy > SIEVE:
		return invalid("Policy %d is unknown", o.Policy)
	case o.Weight != nil && capacity == Unbounded:
		return invalid("Weight has no use with an Unbounded capacity")
	case o.TTL < 0:
		return invalid("TTL %v is negative", o.TTL)
	case o.TTI < 0:
		return invalid("TTI %v is negative", o.TTI)
	case o.TTL > 0 && o.TTLFunc != nil:
		return invalid("TTL and TTLFunc exclude each other")
	case math.IsNaN(o.Jitter) || o.Jitter < 0 || o.Jitter > 1:
		return invalid("Jitter %v, want 0 to 1", o.Jitter)
	}
	return o.Loading.check(o.TTL, hasLoader, o.LoadMany != nil)
}

func (l *Loading) check(ttl time.Duration, hasLoader, hasBulk bool) error {
	for _, f := range []struct {
		name  string
		value time.Duration
	}{
		{"RefreshAfter", l.RefreshAfter},
		{"StaleFor", l.StaleFor},
		{"NegativeTTL", l.NegativeTTL},
		{"ErrorTTL", l.ErrorTTL},
		{"Timeout", l.Timeout},
		{"BatchWindow", l.BatchWindow},
	} {
		if f.value < 0 {
			return invalid("Loading.%s %v is negative", f.name, f.value)
		}
	}
	switch {
	case l.Concurrency < 0:
		return invalid("Loading.Concurrency %d is negative", l.Concurrency)
	case l.BatchSize < 0:
		return invalid("Loading.BatchSize %d is negative", l.BatchSize)
	case math.IsNaN(l.EarlyRefresh) || l.EarlyRefresh < 0:
		return invalid("Loading.EarlyRefresh %v, want 0 or more", l.EarlyRefresh)
	case l.BatchWindow > 0 && !hasBulk:
		return invalid("Loading.BatchWindow needs LoadMany")
	case ttl > 0 && l.RefreshAfter >= ttl:
		return invalid("Loading.RefreshAfter %v, want less than TTL %v", l.RefreshAfter, ttl)
	case !hasLoader && (l.RefreshAfter > 0 || l.StaleFor > 0 || l.EarlyRefresh > 0):
		return invalid("Loading.RefreshAfter, StaleFor and EarlyRefresh need Load or LoadMany")
	}
	return nil
}
