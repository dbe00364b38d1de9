package pagination_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/sysblocks/sysblocks/pagination"
)

type Message struct {
	ID   int64
	Text string
}

// Messages lie on shards by the remainder of their id. A reader pages through
// all of them in one order while a third shard is added and the rows move: the
// token that was handed out before still works.
func Example_shards() {
	var all []Message
	for i, word := range strings.Fields("the quick brown fox jumps over the lazy dog") {
		all = append(all, Message{int64(i + 1), word})
	}
	order, err := pagination.NewOrder("-id", pagination.ID("id", func(m *Message) int64 { return m.ID }))
	if err != nil {
		log.Fatal(err)
	}
	cluster := func(n int64) *pagination.Pager[Message] {
		rows := make([][]Message, n)
		for _, m := range all {
			rows[m.ID%n] = append(rows[m.ID%n], m)
		}
		var shards []pagination.Source[Message]
		for _, r := range rows {
			shards = append(shards, pagination.NewSlice(r))
		}
		merged, err := pagination.NewMerge(shards, pagination.MergeOptions{})
		if err != nil {
			log.Fatal(err)
		}
		pager, err := pagination.New(merged, order, pagination.Options[Message]{Limit: 4})
		if err != nil {
			log.Fatal(err)
		}
		return pager
	}
	token := ""
	for n := int64(2); ; n++ {
		page, err := cluster(n).Page(context.Background(), pagination.Request{Token: token})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(n, " shards:")
		for _, m := range page.Items {
			fmt.Print(" ", m.Text)
		}
		fmt.Println()
		if token = page.Next; token == "" {
			break
		}
	}
	// Output:
	// 2 shards: dog lazy the over
	// 3 shards: jumps fox brown quick
	// 4 shards: the
}
