package httppage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/httppage"
)

type car struct {
	ID    int64  `json:"id"`
	Maker string `json:"maker"`
	Model string `json:"model"`
	Seats int    `json:"seats"`
	Sold  *int   `json:"sold"`
}

func carsN(n int) []car {
	rows := make([]car, n)
	for i := range rows {
		rows[i] = car{int64(i + 1), []string{"Audi", "Saab", "Volvo"}[i%3], fmt.Sprint("m", i%7), 2 + i%4, nil}
		if i%2 == 0 {
			rows[i].Sold = new(2000 + i)
		}
	}
	return rows
}

func carPager(tb testing.TB, n int, sort string, opt pagination.Options[car]) *pagination.Pager[car] {
	tb.Helper()
	order, err := pagination.NewOrder(sort,
		pagination.ID("id", func(c *car) int64 { return c.ID }),
		pagination.By("maker", func(c *car) string { return c.Maker }),
		pagination.By("model", func(c *car) string { return c.Model }),
		pagination.By("seats", func(c *car) int { return c.Seats }),
		pagination.ByNull("sold", pagination.NullsLast, func(c *car) *int { return c.Sold }))
	if err != nil {
		tb.Fatal(err)
	}
	opt.Sort = []string{"maker", "model", "seats", "sold", "id"}
	opt.Filter = []string{"maker", "seats", "sold"}
	p, err := pagination.New(pagination.NewSlice(carsN(n)), order, opt)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

const everyStyle = httppage.Cursor | httppage.PageNumber | httppage.Offset | httppage.Since | httppage.JSONAPI | httppage.Relay

// answer is a response of a real server to a raw request line.
type answer struct {
	status int
	header http.Header
	body   string
	httppage.Envelope[car]
}

func (a answer) ids() string {
	var out []string
	for _, c := range a.Data {
		out = append(out, strconv.FormatInt(c.ID, 10))
	}
	return strings.Join(out, " ")
}

// serve starts a server and returns how to send a raw request target to it,
// without the escaping of a client library.
func serve(t *testing.T, h http.Handler) func(target string) answer {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return func(target string) answer {
		t.Helper()
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n\r\n", target)
		raw, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(string(raw), "\r\n\r\n")
		a := answer{header: http.Header{}, body: body}
		for i, line := range strings.Split(head, "\r\n") {
			if i == 0 {
				if _, err := fmt.Sscanf(line, "HTTP/1.0 %d", &a.status); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				continue
			}
			name, value, _ := strings.Cut(line, ": ")
			a.header.Add(name, value)
		}
		if a.status == http.StatusOK {
			if err := json.Unmarshal([]byte(body), &a.Envelope); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
		}
		return a
	}
}

// TestParametersAsTheyAreTyped sends the notations of the documentation as a shell
// would, over a real connection.
func TestParametersAsTheyAreTyped(t *testing.T) {
	get := serve(t, httppage.Handler(carPager(t, 12, "", pagination.Options[car]{}), httppage.Options{
		Fields: []string{"id", "model", "sold"}, Styles: everyStyle,
	}))
	for target, want := range map[string]string{
		"/cars?limit=3":                                "1 2 3",
		"/cars?sort=-maker,+id&limit=3":                "3 6 9",
		"/cars?sort=-maker,%2Bid&limit=3":              "3 6 9",
		"/cars?sort=maker%20desc,id&limit=3":           "3 6 9",
		"/cars?sort=-sold&limit=2":                     "11 9",
		"/cars?maker=Saab":                             "2 5 8 11",
		"/cars?maker[in]=Saab,Audi&limit=3":            "1 2 4",
		"/cars?maker=Saab,Audi":                        "",
		"/cars?maker!=Saab&limit=3":                    "1 3 4",
		"/cars?seats<=2":                               "1 5 9",
		"/cars?seats%3C%3D2":                           "1 5 9",
		"/cars?seats<3":                                "1 5 9",
		"/cars?seats%3C3":                              "1 5 9",
		"/cars?seats>=5":                               "4 8 12",
		"/cars?seats>4":                                "4 8 12",
		"/cars?seats[gte]=3&seats[lt]=4":               "2 6 10",
		"/cars?sold[null]=true&limit=2":                "2 4",
		"/cars?sold[null]=false&limit=2":               "1 3",
		"/cars?page=2&per_page=5":                      "6 7 8 9 10",
		"/cars?page=3&limit=5":                         "11 12",
		"/cars?page=9":                                 "",
		"/cars?offset=10":                              "11 12",
		"/cars?offset=0&limit=1":                       "1",
		"/cars?since=&limit=2":                         "1 2",
		"/cars?since=11":                               "11 12",
		"/cars?page[size]=2":                           "1 2",
		"/cars?page%5Bnumber%5D=2&page%5Bsize%5D=2":    "3 4",
		"/cars?page[offset]=3&page[limit]=2":           "4 5",
		"/cars?first=2":                                "1 2",
		"/cars?last=2":                                 "11 12",
		"/cars?other=1&utm_source=x&seats[&limit=1":    "1",
		"/cars?color=red&color<=3&color[in]=1&limit=1": "1", // not filterable: of somebody else
		"/cars?limit=100000":                           "1 2 3 4 5 6 7 8 9 10 11 12",
	} {
		if a := get(target); a.status != 200 || a.ids() != want {
			t.Errorf("%s: %d %q, want %q\n%s", target, a.status, a.ids(), want, a.body)
		}
	}
	a := get("/cars?fields=sold,id,id&limit=1&sort=-id")
	if !strings.HasPrefix(a.body, `{"data":[{"id":12,"sold":null}],`) {
		t.Errorf("fields: %s", a.body)
	}
}

func TestBadParametersAreProblems(t *testing.T) {
	p := carPager(t, 50, "", pagination.Options[car]{MaxOffset: 30})
	get := serve(t, httppage.Handler(p, httppage.Options{Fields: []string{"id"}, Styles: everyStyle &^ httppage.Relay}))
	next := get("/cars").Pagination.Next
	for target, want := range map[string]string{ // code and parameter
		"/cars?limit=-1":                          "limit limit",
		"/cars?limit=ten":                         "limit limit",
		"/cars?limit=":                            "limit limit",
		"/cars?limit=+5":                          "limit limit",
		"/cars?limit=99999999999999999999":        "limit limit",
		"/cars?limit=1&limit=2":                   "params limit",
		"/cars?limit=1&per_page=2":                "params per_page",
		"/cars?per_page=-1":                       "limit per_page",
		"/cars?page=0":                            "offset page",
		"/cars?page=-1":                           "offset page",
		"/cars?page=x":                            "offset page",
		"/cars?page=3":                            "offset page",
		"/cars?page=9223372036854775807":          "offset page",
		"/cars?offset=-1":                         "offset offset",
		"/cars?offset=31":                         "offset offset",
		"/cars?page=1&offset=2":                   "params offset",
		"/cars?cursor=" + next + "&page=2":        "params page",
		"/cars?since=1&cursor=" + next:            "params cursor",
		"/cars?cursor=":                           "token cursor",
		"/cars?cursor=nonsense":                   "token cursor",
		"/cars?cursor=" + next + "x":              "token cursor",
		"/cars?after=nonsense":                    "token after",
		"/cars?cursor=" + next + "&maker=Saab":    "token_scope cursor",
		"/trucks?cursor=" + next:                  "token_scope cursor",
		"/cars?cursor=" + next + "&sort=maker":    "token_scope cursor",
		"/cars?first=2":                           "params first",
		"/cars?page[top]=2":                       "params page[top]",
		"/cars?sort=":                             "sort sort",
		"/cars?sort=owner":                        "sort owner",
		"/cars?sort=maker,-maker":                 "sort maker",
		"/cars?sort=id,maker,model,seats,sold":    "sort sort",
		"/cars?fields=":                           "fields fields",
		"/cars?fields=id,maker":                   "fields fields",
		"/cars?seats=two":                         "filter seats",
		"/cars?seats[like]=2":                     "filter seats",
		"/cars?maker[null]=true":                  "filter maker",
		"/cars?seats=%zz":                         "params seats",
		"/cars?%zz=1":                             "params query",
		"/cars?since=yesterday":                   "params since",
		"/cars?since=&sort=-id":                   "params since",
		"/cars?" + strings.Repeat("seats=1&", 40): "filter seats",
	} {
		a := get(target)
		var problem struct {
			Type, Title, Detail, Code, Param string
			Status                           int
		}
		if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
			t.Fatalf("%s: %s", target, a.body)
		}
		if got := problem.Code + " " + problem.Param; a.status != 400 || problem.Status != 400 || got != want || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s, want %s: %s", target, a.status, got, want, a.body)
		}
		if strings.Contains(a.body, next) || problem.Type == "" || problem.Title != "Bad Request" || problem.Detail == "" {
			t.Errorf("%s: %s", target, a.body)
		}
	}
}

// follow reads all pages by a relation of the Link header.
func follow(t *testing.T, get func(string) answer, target, rel string) []answer {
	t.Helper()
	var pages []answer
	for target != "" {
		a := get(target)
		if a.status != 200 || len(pages) > 100 {
			t.Fatalf("%s: %d %s", target, a.status, a.body)
		}
		pages = append(pages, a)
		target = linkOf(t, a, rel)
	}
	return pages
}

func linkOf(t *testing.T, a answer, rel string) string {
	t.Helper()
	links, err := httppage.ParseLink(a.header.Values("Link"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if l.Rel[0] == rel {
			return l.URL
		}
	}
	return ""
}

// TestLinksLeadThroughTheListInEveryConvention walks there and back.
func TestLinksLeadThroughTheListInEveryConvention(t *testing.T) {
	get := serve(t, httppage.Handler(carPager(t, 23, "", pagination.Options[car]{Count: pagination.CountExact, ExactEnds: true}), httppage.Options{Styles: everyStyle}))
	for start, part := range map[string]string{
		"/cars?limit=5&x=a,b;c<d>&seats>=2": "cursor=",
		"/cars?per_page=5":                  "page=",
		"/cars?offset=0&limit=5":            "offset=",
		"/cars?since=&limit=5":              "since=",
		"/cars?page[size]=5":                "page%5Bafter%5D=",
		"/cars?page[number]=1&page[size]=5": "page%5Bnumber%5D=",
		"/cars?page[offset]=0&page[size]=5": "page%5Boffset%5D=",
		"/cars?first=5":                     "after=",
	} {
		pages := follow(t, get, start, "next")
		var all []string
		for _, a := range pages {
			all = append(all, a.ids())
			if a.header.Get("X-Total-Count") != "23" || *a.Pagination.Count != 23 {
				t.Errorf("%s: count %s", start, a.body)
			}
			if next := linkOf(t, a, "next"); next != a.Links.Next || next != "" && !strings.Contains(next, part) {
				t.Errorf("%s: next is %q and %q, want %q in it", start, next, a.Links.Next, part)
			}
			if self := get(a.Links.Self); self.ids() != a.ids() {
				t.Errorf("%s: self is %s", start, self.ids())
			}
			if first := get(a.Links.First); first.ids() != "1 2 3 4 5" {
				t.Errorf("%s: first is %s", start, first.ids())
			}
			if a.Links.Last != "" && !strings.HasSuffix(get(a.Links.Last).ids(), "23") {
				t.Errorf("%s: last is %s", start, get(a.Links.Last).ids())
			}
		}
		if got := strings.Join(all, " "); got != "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23" || len(pages) != 5 {
			t.Errorf("%s: %q", start, all)
		}
		if strings.Contains(part, "since") {
			if pages[4].Pagination.Since == "" || pages[4].Links.Next != "" {
				t.Errorf("%s: %s", start, pages[4].body)
			}
			continue // there is no way back
		}
		back := follow(t, get, pages[4].Links.Self, "prev")
		if len(back) != 5 || back[4].ids() != "1 2 3 4 5" || back[1].ids() != "16 17 18 19 20" {
			t.Errorf("%s: the way back has %d pages, its end is %s", start, len(back), back[len(back)-1].ids())
		}
	}
}

// TestLinksAreSafe covers hosts, paths and what would end a link early.
func TestLinksAreSafe(t *testing.T) {
	h := httppage.Handler(carPager(t, 50, "", pagination.Options[car]{}), httppage.Options{})
	get := serve(t, h)
	a := get("//evil.example/cars?limit=2&q=%3E%3B,x;y<z>&cb=\"")
	if a.status != 200 || strings.Contains(a.body, `"//`) || strings.Contains(a.header.Get("Link"), "<//") {
		t.Errorf("%d %s", a.status, a.header.Get("Link"))
	}
	if links, err := httppage.ParseLink(a.header.Values("Link")); err != nil || len(links) != 3 {
		t.Errorf("%v, %v", links, err)
	}
	if strings.Contains(a.body, "evil.example\"") || strings.Contains(a.header.Get("Link"), "http") {
		t.Error("a header of the request names the host")
	}
	get = serve(t, httppage.Handler(carPager(t, 50, "", pagination.Options[car]{}), httppage.Options{Base: "https://api.example.com/"}))
	if next := get("/cars").Links.Next; !strings.HasPrefix(next, "https://api.example.com/cars?cursor=") {
		t.Error(next)
	}
}

func TestBeforeAloneIsTheRowsJustBefore(t *testing.T) {
	get := serve(t, httppage.Handler(carPager(t, 30, "", pagination.Options[car]{}), httppage.Options{Styles: everyStyle}))
	third := get("/cars?limit=10").Pagination.Next // after 10
	if a := get("/cars?before=" + third + "&limit=3"); a.ids() != "7 8 9" {
		t.Error(a.ids())
	}
	if a := get("/cars?page[before]=" + third + "&page[size]=3"); a.ids() != "7 8 9" {
		t.Error(a.ids())
	}
	if a := get("/cars?before=" + third + "&first=3"); a.ids() != "1 2 3" {
		t.Error(a.ids())
	}
	if a := get("/cars?after=" + get("/cars?limit=2").Pagination.Next + "&before=" + third); a.ids() != "3 4 5 6 7 8 9" {
		t.Error(a.ids())
	}
}

func TestPrepareBindsAndErrorsAreHidden(t *testing.T) {
	p := carPager(t, 50, "", pagination.Options[car]{})
	secret := errors.New("password=hunter2")
	var told error
	h := httppage.Handler(p, httppage.Options{
		Prepare: func(r *http.Request, q *pagination.Request) error {
			if q.Principal = r.URL.Query().Get("user"); q.Principal == "root" {
				return secret
			}
			q.Filters = append(q.Filters, pagination.NewFilter("maker", pagination.Eq, "Saab"))
			return nil
		},
		OnError: func(_ *http.Request, err error) { told = err },
	})
	get := serve(t, h)
	a := get("/cars?user=alice&limit=2")
	if a.ids() != "2 5" {
		t.Error(a.ids())
	}
	if b := get(strings.Replace(a.Links.Next, "alice", "mallory", 1)); b.status != 400 || !strings.Contains(b.body, "token_scope") {
		t.Error(b.body)
	}
	if told != nil {
		t.Errorf("an error of the request was reported: %v", told)
	}
	if b := get("/cars?user=root"); b.status != 500 || strings.Contains(b.body, "hunter2") || !errors.Is(told, secret) {
		t.Errorf("%d %s, told %v", b.status, b.body, told)
	}
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/cars", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/cars?user=x", nil))
	if w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Link") == "" || w.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD: %d %q %v", w.Code, w.Body, w.Header())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/cars", nil))
	if w.Body.Len() != 0 {
		t.Errorf("a cancelled request was answered: %s", w.Body)
	}
	if httppage.WriteError(httptest.NewRecorder(), nil) {
		t.Error("no error was written")
	}
}

// TestSinglesStyles serves one convention each: its first page needs no parameter.
func TestSingleStyles(t *testing.T) {
	for style, part := range map[httppage.Style]string{
		httppage.Cursor: "cursor=", httppage.PageNumber: "page=2", httppage.Offset: "offset=20",
		httppage.Since: "since=", httppage.JSONAPI: "page%5Bafter%5D=", httppage.Relay: "after=",
	} {
		get := serve(t, httppage.Handler(carPager(t, 50, "", pagination.Options[car]{}), httppage.Options{Styles: style}))
		pages := follow(t, get, "/cars", "next")
		if len(pages) != 3 || !strings.Contains(pages[0].Links.Next, part) {
			t.Errorf("%s: %d pages, next %s", part, len(pages), pages[0].Links.Next)
		}
		for _, other := range []string{"cursor=x", "page=1", "offset=1", "since=1", "page[size]=1", "first=1"} {
			want := 400
			if strings.HasPrefix(other, "page=") && style == httppage.PageNumber || strings.HasPrefix(other, "offset") && style == httppage.Offset ||
				strings.HasPrefix(other, "since") && style == httppage.Since || strings.HasPrefix(other, "page[") && style == httppage.JSONAPI ||
				strings.HasPrefix(other, "first") && style == httppage.Relay {
				want = 200
			}
			if a := get("/cars?" + other); a.status != want {
				t.Errorf("style %d, %s: %d", style, other, a.status)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, q := range []string{"limit=1&sort=-a,+b", "seats<=2&seats<2", "page[size]=1", "%zz", "a=b=c&&&=", "since=&cursor=x", "maker[in]=a,,b%2c"} {
		f.Add(q)
	}
	p := carPager(f, 5, "", pagination.Options[car]{Count: pagination.CountExact})
	h := httppage.Handler(p, httppage.Options{Styles: everyStyle, Fields: []string{"id"}, OnError: func(_ *http.Request, err error) { panic(err) }})
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/cars", nil)
		r.URL = &url.URL{Path: "/cars", RawQuery: query}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if _, err := httppage.ParseLink(w.Header().Values("Link")); err != nil {
			t.Fatalf("%q: %v", w.Header().Get("Link"), err)
		}
	})
}
