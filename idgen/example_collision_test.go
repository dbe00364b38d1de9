package idgen_test

import (
	"context"
	"fmt"

	"github.com/sysblocks/sysblocks/idgen"
)

// database stands for a shard with an AUTO_INCREMENT column.
type database struct{ next int64 }

func (d *database) insert() int64 { d.next++; return d.next }

// Two shards number for themselves and hand out the same keys; with a composite ID they cannot.
func Example_collision() {
	berlin, madrid := &database{}, &database{}
	fmt.Println("AUTO_INCREMENT:", berlin.insert(), madrid.insert())

	gen, err := idgen.NewSnowflake(0, idgen.SnowflakeOptions{
		Layout: idgen.Layout{TimeBits: 41, ShardBits: 10, SeqBits: 12},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	a, err := gen.NextFor(ctx, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := gen.NextFor(ctx, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("composite:", a != b, gen.Layout().Shard(a), gen.Layout().Shard(b))
	// Output:
	// AUTO_INCREMENT: 1 1
	// composite: true 0 1
}
