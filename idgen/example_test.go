package idgen_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
)

func ExampleNewSnowflake() {
	ctx := context.Background()
	gen, err := idgen.NewSnowflake(1, idgen.SnowflakeOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := gen.Next(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := gen.Next(ctx)
	fmt.Println(a < b, gen.Layout().Worker(a), err)
	// Output: true 1 <nil>
}

func ExampleSnowflake_NextFor() {
	gen, err := idgen.NewSnowflake(1, idgen.SnowflakeOptions{
		Layout: idgen.Layout{TimeBits: 41, ShardBits: 8, WorkerBits: 6, SeqBits: 8},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := gen.NextFor(context.Background(), 77)
	fmt.Println(gen.Layout().Shard(id), err)
	// Output: 77 <nil>
}

func ExampleSnowflake_Fill() {
	gen, err := idgen.NewSnowflake(1, idgen.SnowflakeOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := make([]idgen.ID, 10_000) // more than a tick holds: the call sleeps for the rest
	n, err := gen.Fill(context.Background(), ids)
	fmt.Println(n, ids[0] < ids[9999], err)
	// Output: 10000 true <nil>
}

func ExampleNewLeased() {
	ctx := context.Background()
	var leaser idgen.MemoryLeaser // in a service: sqlid.NewLeaser or redisid.NewLeaser
	gen, err := idgen.NewLeased(ctx, &leaser, idgen.SnowflakeOptions{TTL: 10 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := gen.Next(ctx)
	fmt.Println(id > 0, gen.Worker(), err)
	fmt.Println(gen.Close(ctx))
	_, err = gen.Next(ctx)
	fmt.Println(errors.Is(err, idgen.ErrClosed))
	// Output:
	// true 0 <nil>
	// <nil>
	// true
}

func ExampleNewFileLeaser() {
	folder, err := os.MkdirTemp("", "idgen")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	ctx := context.Background()
	leaser, err := idgen.NewFileLeaser(filepath.Join(folder, "worker-7"), 7)
	if err != nil {
		fmt.Println(err)
		return
	}
	gen, err := idgen.NewLeased(ctx, leaser, idgen.SnowflakeOptions{TTL: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(gen.Worker(), gen.Close(ctx))
	// Output: 7 <nil>
}

func ExampleLayout_Split() {
	p, err := idgen.Discord().Split(175928847299117063)
	fmt.Println(p.Time, p.Shard, p.Worker, p.Seq, err)
	// Output: 2016-04-30 11:18:25.796 +0000 UTC 1 0 7 <nil>
}

func ExampleLayout_Compose() {
	id, err := idgen.Sonyflake().Compose(idgen.Parts{
		Time: time.Date(2025, 1, 1, 0, 0, 1, 0, time.UTC), Worker: 9, Seq: 3,
	})
	fmt.Println(id, err)
	// Output: 1677918217 <nil>
}

func ExampleLayout_Range() {
	day := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	lo, hi := idgen.Layout{}.Range(day, day.AddDate(0, 0, 1))
	fmt.Printf("WHERE id >= %d AND id < %d\n", lo, hi)
	// Output: WHERE id >= 21380884070400000 AND id < 21743271936000000
}

func ExampleLayout_Check() {
	l := idgen.Layout{}
	now := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	fmt.Println(errors.Is(l.Check(219881274368000001, now, time.Minute), idgen.ErrRange)) // of 2026
	fmt.Println(l.Check(21380884070400000-1, now, time.Minute))
	// Output:
	// true
	// <nil>
}

func ExampleEncoding() {
	id := idgen.ID(219881274368000001)
	for _, e := range []idgen.Encoding{idgen.Base58, idgen.Base32, idgen.Base62} {
		s := e.Encode(id)
		back, err := e.Decode(s)
		fmt.Println(s, back, err)
	}
	// Output:
	// 1WbydE2rHNg 219881274368000001 <nil>
	// 0639CVAHQE001 219881274368000001 <nil>
	// 0GF3d8inR0T 219881274368000001 <nil>
}

func ExampleParseID() {
	for _, s := range []string{"219881274368000001", "0219", "-1", "9223372036854775808"} {
		id, err := idgen.ParseID(s)
		fmt.Println(id, err)
	}
	// Output:
	// 219881274368000001 <nil>
	// 0 idgen: malformed text: "0219" is not a decimal number of 1 to 19 digits
	// 0 idgen: malformed text: "-1" is not a decimal number of 1 to 19 digits
	// 0 idgen: value out of range: "9223372036854775808" is above 9223372036854775807
}

func ExampleID_MarshalJSON() {
	data, err := json.Marshal(map[string]idgen.ID{"id": 9007199254740993}) // 2^53 + 1
	fmt.Println(string(data), err)
	// Output: {"id":"9007199254740993"} <nil>
}

func ExampleID_ReverseBits() {
	for id := idgen.ID(1); id <= 3; id++ {
		fmt.Println(id.ReverseBits())
	}
	// Output:
	// 4611686018427387904
	// 2305843009213693952
	// 6917529027641081856
}

func ExampleNewSegment() {
	ctx := context.Background()
	var counter idgen.MemoryCounter // in a service: sqlid.NewCounter or redisid.NewCounter
	gen, err := idgen.NewSegment(&counter, idgen.SegmentOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer gen.Close(ctx)
	for range 3 {
		fmt.Println(gen.Next(ctx))
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}

func ExampleStride_Disjoint() {
	odd, even := idgen.Stride{Offset: 1, Increment: 2}, idgen.Stride{Offset: 2, Increment: 2}
	fmt.Println(odd.Disjoint(even))
	fmt.Println(odd.Disjoint(idgen.Stride{Offset: 3, Increment: 4})) // 3, 7, 11 are odd
	// Output:
	// true
	// false
}

func ExampleNewStrided() {
	ctx := context.Background()
	masters, err := idgen.Strides(2, 4) // two today, room for four
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range masters {
		local, err := idgen.NewSegment(new(idgen.MemoryCounter), idgen.SegmentOptions{})
		if err != nil {
			fmt.Println(err)
			return
		}
		gen, err := idgen.NewStrided(local, s)
		if err != nil {
			fmt.Println(err)
			return
		}
		ids := make([]idgen.ID, 4)
		_, err = gen.Fill(ctx, ids)
		fmt.Println(ids, err)
	}
	// Output:
	// [1 5 9 13] <nil>
	// [2 6 10 14] <nil>
}

func ExampleNewSharded() {
	ctx := context.Background()
	layout := idgen.Layout{ShardBits: 13, SeqBits: 50}
	local, err := idgen.NewSegment(new(idgen.MemoryCounter), idgen.SegmentOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	gen, err := idgen.NewSharded(local, layout, 3429)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := gen.Next(ctx)
	fmt.Println(id, layout.Shard(id), err)
	// Output: 3860710780563357697 3429 <nil>
}
