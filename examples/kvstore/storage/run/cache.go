package run

import (
	"context"

	"github.com/sysblocks/sysblocks/lru"
)

// place is where a block lies.
type place struct {
	run uint64
	at  int64
}

// Cache keeps verified blocks of any number of runs, within a number of bytes. The numbers of the runs must differ.
type Cache struct {
	blocks *lru.Cache[place, *block]
	ctx    context.Context // of every load: nobody breaks off the reading of a block
}

// NewCache makes a cache of this many bytes.
func NewCache(bytes int) (*Cache, error) {
	blocks, err := lru.New(bytes, lru.Options[place, *block]{
		Weight: func(_ place, b *block) int { return b.weight() },
	})
	return &Cache{blocks, context.Background()}, err
}

// cached returns a block from the cache or reads it. Of several readers of one block, one reads the file.
func (r *Run) cached(i int) (*block, error) {
	if r.opts.Cache == nil {
		return r.read(i)
	}
	at := place{r.number, r.at[i]}
	if b, ok := r.opts.Cache.blocks.Get(at); ok { // without a closure and a context, since nearly all look-ups end here
		return b, nil
	}
	return r.opts.Cache.blocks.GetOrLoad(r.opts.Cache.ctx, at, func(context.Context, place) (*block, error) { return r.read(i) })
}

// Drop forgets the blocks of a run that is gone.
func (c *Cache) Drop(number uint64) {
	c.blocks.RemoveFunc(func(p place, _ *block) bool { return p.run == number })
}
