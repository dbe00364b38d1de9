package httppage_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/httppage"
)

type Post struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	Stars int    `json:"stars"`
}

func posts() *pagination.Pager[Post] {
	order, err := pagination.NewOrder("-id",
		pagination.ID("id", func(p *Post) int64 { return p.ID }),
		pagination.By("stars", func(p *Post) int { return p.Stars }))
	if err != nil {
		log.Fatal(err)
	}
	rows := []Post{{1, "Rings", 3}, {2, "Buckets", 5}, {3, "Filters", 4}, {4, "Cursors", 5}}
	pager, err := pagination.New(pagination.NewSlice(rows), order, pagination.Options[Post]{
		Limit: 2, Sort: []string{"stars", "id"}, Filter: []string{"stars"},
	})
	if err != nil {
		log.Fatal(err)
	}
	return pager
}

// curl gets a URL and returns the body.
func curl(url string) string {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	if err != nil {
		log.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if closed := res.Body.Close(); err != nil || closed != nil {
		log.Fatal(err, closed)
	}
	return string(body)
}

func ExampleHandler() {
	mux := http.NewServeMux()
	mux.Handle("GET /posts", httppage.Handler(posts(), httppage.Options{Fields: []string{"id", "title"}}))
	server := httptest.NewServer(mux)
	defer server.Close()
	// curl 'localhost/posts?sort=-stars,+id&stars>=4&fields=id&page=1'
	fmt.Print(curl(server.URL + "/posts?sort=-stars,+id&stars>=4&fields=id&page=1"))
	// curl 'localhost/posts?limit=-1'
	fmt.Println(curl(server.URL + "/posts?limit=-1"))
	// Output:
	// {"data":[{"id":2},{"id":4}],"pagination":{"page":1,"per_page":2},"links":{"self":"/posts?sort=-stars%2C+id&stars%3E=4&fields=id&page=1","first":"/posts?sort=-stars%2C+id&stars%3E=4&fields=id&page=1","next":"/posts?sort=-stars%2C+id&stars%3E=4&fields=id&page=2"}}
	// {"type":"about:blank","title":"Bad Request","status":400,"detail":"bad limit: negative (parameter \"limit\")","code":"limit","param":"limit"}
}

func ExampleWalk() {
	server := httptest.NewServer(httppage.Handler(posts(), httppage.Options{}))
	defer server.Close()
	for post, err := range httppage.Walk[Post](context.Background(), server.URL+"/posts", httppage.ClientOptions{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(post.ID, post.Title)
	}
	// Output:
	// 4 Cursors
	// 3 Filters
	// 2 Buckets
	// 1 Rings
}

func ExampleParse() {
	pager := posts()
	handler := func(w http.ResponseWriter, r *http.Request) {
		o := httppage.Options{Styles: httppage.Offset}
		q, err := httppage.Parse(r, pager, o)
		if httppage.WriteError(w, err) {
			return
		}
		page, err := pager.Page(r.Context(), q)
		if httppage.WriteError(w, err) {
			return
		}
		httppage.SetHeaders(w.Header(), r, page, o)
		fmt.Fprintln(w, len(page.Items), "posts, the first is", page.Items[0].Title) // your own format
	}
	server := httptest.NewServer(http.HandlerFunc(handler))
	defer server.Close()
	fmt.Print(curl(server.URL + "/posts?offset=1&limit=2"))
	// Output:
	// 2 posts, the first is Filters
}

func ExampleParseLink() {
	links, err := httppage.ParseLink([]string{`</posts?page=3>; rel="next", </posts?page=9>; rel="last"`})
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range links {
		fmt.Println(l.Rel[0], l.URL)
	}
	// Output:
	// next /posts?page=3
	// last /posts?page=9
}
