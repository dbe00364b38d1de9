package httppage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http/httptest"
	"sync"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/httppage"
)

type Event struct {
	Seq  int64  `json:"seq"`
	Text string `json:"text"`
}

// A journal that grows, and a reader that keeps a copy in sync: it stores since
// from each answer and asks again with it, whenever it likes.
func Example_sync() {
	var mu sync.Mutex
	var journal []Event
	add := func(texts ...string) {
		mu.Lock()
		defer mu.Unlock()
		for _, text := range texts {
			journal = append(journal, Event{int64(len(journal) + 1), text})
		}
	}
	source := pagination.SourceFunc[Event](func(ctx context.Context, r pagination.Range[Event]) ([]Event, error) {
		mu.Lock()
		defer mu.Unlock()
		return pagination.NewSlice(journal).Fetch(ctx, r)
	})
	order, err := pagination.NewOrder("", pagination.ID("seq", func(e *Event) int64 { return e.Seq }))
	if err != nil {
		log.Fatal(err)
	}
	pager, err := pagination.New(source, order, pagination.Options[Event]{Limit: 2})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(httppage.Handler(pager, httppage.Options{Styles: httppage.Since}))
	defer server.Close()

	since := ""
	pull := func() {
		for {
			var answer httppage.Envelope[Event]
			if err := json.Unmarshal([]byte(curl(server.URL+"/events?since="+since)), &answer); err != nil {
				fmt.Println(err)
				return
			}
			for _, e := range answer.Data {
				fmt.Println(e.Seq, e.Text)
			}
			since = answer.Pagination.Since
			if answer.Links.Next == "" {
				return
			}
		}
	}
	add("created", "named", "paid")
	pull()
	fmt.Println("nothing new:")
	pull()
	add("shipped")
	pull()
	// Output:
	// 1 created
	// 2 named
	// 3 paid
	// nothing new:
	// 4 shipped
}
