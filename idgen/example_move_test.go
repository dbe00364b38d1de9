package idgen_test

import (
	"context"
	"fmt"

	"github.com/sysblocks/sysblocks/idgen"
)

// A row moves to another database and keeps its key. (a) The shard of birth is packed into the key, and a map from
// logical shards to databases is the only thing that changes. (b) The key is the pair (birth_shard, local_id) beside the
// database's own AUTO_INCREMENT; the column moves with the row.
func Example_move() {
	layout := idgen.Layout{ShardBits: 13, SeqBits: 50}
	local, err := idgen.NewSegment(new(idgen.MemoryCounter), idgen.SegmentOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	gen, err := idgen.NewSharded(local, layout, 42)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := gen.Next(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}

	// (a) logical shard → database
	home := map[uint32]string{42: "db-1"}
	rows := map[string]map[idgen.ID]string{"db-1": {id: "order of Ada"}, "db-2": {}}
	find := func(id idgen.ID) string { return rows[home[layout.Shard(id)]][id] }
	fmt.Println(find(id))
	rows["db-2"][id] = rows["db-1"][id]
	delete(rows["db-1"], id)
	home[42] = "db-2"
	fmt.Println(find(id), "moved")

	// (b) PRIMARY KEY (birth_shard, local_id)
	type key struct {
		birthShard uint32
		localID    int64
	}
	db1 := map[key]string{{1, 1}: "invoice 1 of shard 1"}
	db2 := map[key]string{{2, 1}: "invoice 1 of shard 2"}
	db2[key{1, 1}] = db1[key{1, 1}] // no collision with db2's own number 1
	delete(db1, key{1, 1})
	fmt.Println(db2[key{1, 1}], "and", db2[key{2, 1}])
	// Output:
	// order of Ada
	// order of Ada moved
	// invoice 1 of shard 1 and invoice 1 of shard 2
}
