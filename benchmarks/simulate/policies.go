package simulate

import (
	"github.com/Yiling-J/theine-go"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/hashicorp/golang-lru/arc/v2"
	golanglru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"

	"github.com/sysblocks/sysblocks/lru"
)

// Policies lists ours, the peers and the references.
func Policies() []Policy {
	return []Policy{
		ours("Adaptive", lru.Adaptive),
		ours("LRU", lru.LRU),
		ours("LFU", lru.LFU),
		ours("FIFO", lru.FIFO),
		ours("SIEVE", lru.SIEVE),
		{"otter", newOtter},
		{"theine", newTheine},
		{"ristretto", newRistretto},
		{"golang-lru", newGolangLRU},
		{"2Q", newTwoQueue},
		{"ARC", newARC},
		{"S3-FIFO", newS3FIFO},
		{Optimum, nil},
	}
}

type oursCache struct{ c *lru.Cache[uint64, uint64] }

func ours(name string, p lru.Policy) Policy {
	return Policy{name, func(capacity int, weight func(uint64) int) Cache {
		opts := lru.Options[uint64, uint64]{Policy: p}
		if weight != nil {
			opts.Weight = func(k, _ uint64) int { return weight(k) }
		}
		c, err := lru.New(capacity, opts)
		if err != nil {
			return nil
		}
		return oursCache{c}
	}}
}

func (o oursCache) Close() {}
func (o oursCache) Access(k uint64) bool {
	if _, ok := o.c.Get(k); ok {
		return true
	}
	o.c.Set(k, k)
	return false
}

type otterCache struct{ c *otter.Cache[uint64, uint64] }

func newOtter(capacity int, weight func(uint64) int) Cache {
	opts := &otter.Options[uint64, uint64]{Executor: func(fn func()) { fn() }}
	if weight != nil {
		opts.MaximumWeight = uint64(capacity)
		opts.Weigher = func(k, _ uint64) uint32 { return uint32(weight(k)) }
	} else {
		opts.MaximumSize = capacity
	}
	c, err := otter.New(opts)
	if err != nil {
		return nil
	}
	return otterCache{c}
}

func (o otterCache) Close() { o.c.StopAllGoroutines() }
func (o otterCache) Access(k uint64) bool {
	if _, ok := o.c.GetIfPresent(k); ok {
		return true
	}
	o.c.Set(k, k)
	return false
}

type theineCache struct {
	c      *theine.Cache[uint64, uint64]
	weight func(uint64) int
}

func newTheine(capacity int, weight func(uint64) int) Cache {
	c, err := theine.NewBuilder[uint64, uint64](int64(capacity)).Build()
	if err != nil {
		return nil
	}
	return theineCache{c, weight}
}

func (t theineCache) Close() { t.c.Close() }
func (t theineCache) Access(k uint64) bool {
	if _, ok := t.c.Get(k); ok {
		return true
	}
	cost := 1
	if t.weight != nil {
		cost = t.weight(k)
	}
	t.c.Set(k, k, int64(cost))
	t.c.Wait()
	return false
}

type ristrettoCache struct {
	c      *ristretto.Cache[uint64, uint64]
	weight func(uint64) int
}

func newRistretto(capacity int, weight func(uint64) int) Cache {
	c, err := ristretto.NewCache(&ristretto.Config[uint64, uint64]{
		NumCounters: int64(10 * capacity), MaxCost: int64(capacity), BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		return nil
	}
	return ristrettoCache{c, weight}
}

func (r ristrettoCache) Close() { r.c.Close() }
func (r ristrettoCache) Access(k uint64) bool {
	if _, ok := r.c.Get(k); ok {
		return true
	}
	cost := 1
	if r.weight != nil {
		cost = r.weight(k)
	}
	r.c.Set(k, k, int64(cost))
	r.c.Wait()
	return false
}

// addGet is the common surface of the golang-lru types.
type addGet interface {
	Get(k uint64) (uint64, bool)
}

type added struct {
	addGet
	add func(k, v uint64)
}

func (a added) Close() {}
func (a added) Access(k uint64) bool {
	if _, ok := a.Get(k); ok {
		return true
	}
	a.add(k, k)
	return false
}

func newGolangLRU(capacity int, weight func(uint64) int) Cache {
	c, err := golanglru.New[uint64, uint64](capacity)
	if err != nil || weight != nil {
		return nil
	}
	return added{c, func(k, v uint64) { c.Add(k, v) }}
}

func newTwoQueue(capacity int, weight func(uint64) int) Cache {
	c, err := golanglru.New2Q[uint64, uint64](capacity)
	if err != nil || weight != nil {
		return nil
	}
	return added{c, c.Add}
}

func newARC(capacity int, weight func(uint64) int) Cache {
	c, err := arc.NewARC[uint64, uint64](capacity)
	if err != nil || weight != nil {
		return nil
	}
	return added{c, c.Add}
}
