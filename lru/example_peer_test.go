package lru_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/sysblocks/sysblocks/lru"
)

// handOver lets a starting process have the entries of this one: GET /cache.
func handOver(c *lru.Cache[string, string], e lru.Encoding[string, string]) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		if _, err := c.Save(r.Context(), w, e); err != nil {
			panic(http.ErrAbortHandler) // the peer sees a response that was cut off, and then ErrCorrupt
		}
	})
}

// bootstrap fills a cache from a peer while it already serves: what it has written itself stays.
func bootstrap(ctx context.Context, c *lru.Cache[string, string], url string, e lru.Encoding[string, string]) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("peer: %s", resp.Status)
	}
	return c.Restore(ctx, resp.Body, e)
}

// A process that starts with an empty cache sends every read to the source. Its peer has what it needs.
func Example_bootstrapFromAPeer() {
	ctx := context.Background()
	encoding := lru.Encoding[string, string]{}
	old, err := lru.New(1000, lru.Options[string, string]{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 500 {
		old.Set(fmt.Sprint("page", i), "as of yesterday")
	}
	peer := httptest.NewServer(handOver(old, encoding))
	defer peer.Close()

	fresh, err := lru.New(1000, lru.Options[string, string]{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fresh.Set("page7", "as of now")
	done := make(chan string)
	go func() {
		n, err := bootstrap(ctx, fresh, peer.URL, encoding)
		done <- fmt.Sprint(n, " entries, ", err)
	}()
	fmt.Println(<-done)
	page, _ := fresh.Get("page7")
	fmt.Println(page)
	page, _ = fresh.Get("page8")
	fmt.Println(page)
	// Output:
	// 499 entries, <nil>
	// as of now
	// as of yesterday
}
