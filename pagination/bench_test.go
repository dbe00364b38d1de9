package pagination_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/pagination"
)

func modes(b *testing.B) map[string]*pagination.Codec {
	b.Helper()
	key := slices.Repeat([]byte{7}, 32)
	signed, err := pagination.NewCodec(pagination.CodecOptions{Keys: [][]byte{key}, SignOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	sealed, err := pagination.NewCodec(pagination.CodecOptions{Keys: [][]byte{key}})
	if err != nil {
		b.Fatal(err)
	}
	return map[string]*pagination.Codec{"plain": nil, "signed": signed, "sealed": sealed}
}

func position() pagination.Cursor {
	return pagination.Cursor{Start: pagination.Gap{After: true, Key: []pagination.Value{
		pagination.TimeValue(time.Date(2026, 11, 24, 5, 44, 6, 123456000, time.UTC)), pagination.IntValue(123456),
	}}}
}

func BenchmarkEncode(b *testing.B) {
	scope := pagination.Scope{Resource: "/posts", Order: "-created_at,-id"}
	for mode, c := range modes(b) {
		b.Run("mode="+mode, func(b *testing.B) {
			b.ReportAllocs()
			cur := position()
			for b.Loop() {
				if _, err := c.Encode(cur, scope); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	scope := pagination.Scope{Resource: "/posts", Order: "-created_at,-id"}
	kinds := []pagination.Kind{pagination.KindTime, pagination.KindInt}
	for mode, c := range modes(b) {
		token, err := c.Encode(position(), scope)
		if err != nil {
			b.Fatal(err)
		}
		for name, text := range map[string]string{"good": token, "damaged": "A" + token[1:]} {
			b.Run("mode="+mode+"/token="+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.Decode(text, kinds, scope); (err == nil) != (name == "good") {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func many(n int) []Message {
	rows := make([]Message, n)
	for i := range rows {
		rows[i].ID = int64(i)
	}
	return rows
}

func BenchmarkSlicePage(b *testing.B) {
	const n = 1_000_000
	order, err := pagination.NewOrder("", pagination.ID("id", func(m *Message) int64 { return m.ID }))
	if err != nil {
		b.Fatal(err)
	}
	pager, err := pagination.New(pagination.NewSlice(many(n)), order, pagination.Options[Message]{})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	for _, depth := range []int{0, 50, 99} {
		first, err := pager.Page(ctx, pagination.Request{Since: strconv.Itoa(n / 100 * depth)})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("depth=%d%%", depth), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pager.Page(ctx, pagination.Request{Token: first.Next}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMergePage(b *testing.B) {
	order, err := pagination.NewOrder("", pagination.ID("id", func(m *Message) int64 { return m.ID }))
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range []int{2, 8, 64} {
		parts := make([][]Message, k)
		for _, m := range many(100_000) {
			parts[m.ID%int64(k)] = append(parts[m.ID%int64(k)], m)
		}
		shards := make([]pagination.Source[Message], k)
		for j := range shards {
			shards[j] = pagination.NewSlice(parts[j])
		}
		merged, err := pagination.NewMerge(shards, pagination.MergeOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("shards=%d", k), func(b *testing.B) {
			b.ReportAllocs()
			r := pagination.Range[Message]{Order: order, Limit: 101}
			for b.Loop() {
				if _, err := merged.Fetch(context.Background(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
