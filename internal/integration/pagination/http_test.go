package pagination_test

import (
	"bufio"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/httppage"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

type car struct {
	ID    int64  `json:"id"`
	Maker string `json:"manufacturer"`
	Model string `json:"model"`
	Seats int    `json:"seats"`
	Sold  *int64 `json:"sold"`
}

type tenantKey struct{}

// fleet returns the cars of two tenants, as they are stored.
func (e engine) fleet(tb testing.TB) map[int][]car {
	tb.Helper()
	text := "TEXT"
	if e.dialect == sqlpage.MySQL {
		text = "VARCHAR(20)"
	}
	makers := []string{"Fiat", "Audi", "Tesla"}
	e.exec(tb, "CREATE TABLE makers (id INT PRIMARY KEY, manufacturer "+text+" NOT NULL)")
	for i, m := range makers {
		e.exec(tb, "INSERT INTO makers VALUES (?, ?)", i, m)
	}
	e.exec(tb, "CREATE TABLE cars (id BIGINT PRIMARY KEY, tenant_id INT NOT NULL, maker_id INT NOT NULL, model "+text+" NOT NULL, seats INT NOT NULL, sold BIGINT, public INT NOT NULL)")
	cars := map[int][]car{}
	for i := range 60 {
		c := car{ID: int64(i + 1), Maker: makers[i%3], Model: fmt.Sprint("m", i%7), Seats: 2 + i%4}
		if i%3 > 0 {
			c.Sold = new(int64(i % 5))
		}
		tenant := 1 + i%2
		e.exec(tb, "INSERT INTO cars VALUES (?, ?, ?, ?, ?, ?, ?)", c.ID, tenant, i%3, c.Model, c.Seats, c.Sold, 0)
		cars[tenant] = append(cars[tenant], c)
	}
	return cars
}

// serveCars is the endpoint of the package's documentation: a join, a tenant, sort
// and filters of the client's choice, sealed tokens.
func (e engine) serveCars(t *testing.T) (url string) {
	t.Helper()
	order, err := pagination.NewOrder("manufacturer,model",
		pagination.ID("c.id", func(c *car) int64 { return c.ID }),
		pagination.By("m.manufacturer", func(c *car) string { return c.Maker }),
		pagination.By("c.model", func(c *car) string { return c.Model }),
		pagination.By("c.seats", func(c *car) int { return c.Seats }),
		pagination.ByNull("c.sold", pagination.NullsLast, func(c *car) *int64 { return c.Sold }))
	if err != nil {
		t.Fatal(err)
	}
	source, err := sqlpage.NewSource(e.db, e.dialect, order, sqlpage.Query[car]{
		Select: []string{"c.id", "m.manufacturer", "c.model", "c.seats", "c.sold"},
		From:   "cars c JOIN makers m ON m.id = c.maker_id",
		Where:  "c.tenant_id = ? OR c.public = 1",
		Args:   func(ctx context.Context) ([]any, error) { return []any{ctx.Value(tenantKey{})}, nil },
		Scan: func(rows *sql.Rows, c *car) error {
			return rows.Scan(&c.ID, &c.Maker, &c.Model, &c.Seats, &c.Sold)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := pagination.NewCodec(pagination.CodecOptions{Keys: [][]byte{slices.Repeat([]byte{7}, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	pager, err := pagination.New(source, order, pagination.Options[car]{
		Limit: 5, MaxLimit: 50, Codec: tokens, Count: pagination.CountExact,
		Sort: []string{"manufacturer", "model", "sold"}, Filter: []string{"manufacturer", "seats", "sold"},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler := httppage.Handler(pager, httppage.Options{
		Fields: []string{"id", "model"}, OnError: func(_ *http.Request, err error) { t.Error(err) },
		Prepare: func(r *http.Request, q *pagination.Request) error {
			q.Principal = r.Header.Get("Tenant")
			return nil
		},
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cars", func(w http.ResponseWriter, r *http.Request) {
		tenant, err := strconv.Atoi(r.Header.Get("Tenant"))
		if err != nil {
			http.Error(w, "who?", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tenantKey{}, tenant)))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// curl sends a URL as curl does, byte for byte, with curl itself if it is there.
func curl(t *testing.T, base, target, tenant string) (status int, header http.Header, body string) {
	t.Helper()
	host := strings.TrimPrefix(base, "http://")
	var raw []byte
	if path, err := exec.LookPath("curl"); err == nil {
		cmd := exec.CommandContext(t.Context(), path, "-sgi", "-H", "Tenant: "+tenant, base+target)
		if raw, err = cmd.Output(); err != nil {
			t.Fatal(err)
		}
	} else {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nTenant: %s\r\nConnection: close\r\n\r\n", target, host, tenant)
		if raw, err = io.ReadAll(conn); err != nil {
			t.Fatal(err)
		}
	}
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(raw))), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

// TestListEndpointOverTheDatabase sends the lines of the README, as they are typed.
func TestListEndpointOverTheDatabase(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		cars := e.fleet(t)
		base := e.serveCars(t)
		maker := func(a, b car) int { return cmp.Compare(a.Maker, b.Maker) }
		model := func(a, b car) int { return cmp.Compare(a.Model, b.Model) }
		id := func(a, b car) int { return cmp.Compare(a.ID, b.ID) }
		sold := func(a, b car) int { // descending, NULL last
			if a.Sold == nil || b.Sold == nil {
				return cmp.Compare(boolInt(a.Sold == nil), boolInt(b.Sold == nil))
			}
			return cmp.Compare(*b.Sold, *a.Sold)
		}
		all := func(car) bool { return true }
		for _, c := range []struct {
			target string
			match  func(car) bool
			order  []func(a, b car) int
			from   int
			limit  int
		}{
			{"/cars", all, []func(a, b car) int{maker, model, id}, 0, 5},
			{"/cars?sort=-manufacturer,+model&limit=7", all, []func(a, b car) int{func(a, b car) int { return -maker(a, b) }, model, id}, 0, 7},
			{"/cars?sort=-sold&seats<=4&limit=50", func(c car) bool { return c.Seats <= 4 }, []func(a, b car) int{sold, func(a, b car) int { return -id(a, b) }}, 0, 50},
			{"/cars?seats<4&sort=manufacturer", func(c car) bool { return c.Seats < 4 }, []func(a, b car) int{maker, id}, 0, 5},
			{"/cars?manufacturer=Fiat&limit=50", func(c car) bool { return c.Maker == "Fiat" }, []func(a, b car) int{model, id}, 0, 50},
			{"/cars?sold[null]=true&limit=50", func(c car) bool { return c.Sold == nil }, []func(a, b car) int{maker, model, id}, 0, 50},
			{"/cars?manufacturer[in]=Fiat,Audi&sold!=2&limit=50", func(c car) bool { return c.Maker != "Tesla" && c.Sold != nil && *c.Sold != 2 }, []func(a, b car) int{maker, model, id}, 0, 50},
			{"/cars?page=2&per_page=4", all, []func(a, b car) int{maker, model, id}, 4, 4},
			{"/cars?offset=5&limit=3", all, []func(a, b car) int{maker, model, id}, 5, 3},
		} {
			var want []int64
			rows := slices.Clone(cars[1])
			slices.SortFunc(rows, func(a, b car) int {
				for _, by := range c.order {
					if n := by(a, b); n != 0 {
						return n
					}
				}
				return 0
			})
			rows = slices.DeleteFunc(rows, func(x car) bool { return !c.match(x) })
			for _, x := range rows[c.from:min(len(rows), c.from+c.limit)] {
				want = append(want, x.ID)
			}
			status, header, body := curl(t, base, c.target, "1")
			var answer httppage.Envelope[car]
			if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
				t.Errorf("%s: %d %v %s", c.target, status, err, body)
				continue
			}
			var got []int64
			for _, x := range answer.Data {
				got = append(got, x.ID)
			}
			if !slices.Equal(got, want) || header.Get("X-Total-Count") != strconv.Itoa(len(rows)) || !strings.Contains(header.Get("Link"), `rel="first"`) {
				t.Errorf("%s: %v, want %v; of %s, want %d; %s", c.target, got, want, header.Get("X-Total-Count"), len(rows), header.Get("Link"))
			}
		}
		checkRefusals(t, base)
		checkFollowing(t, base, cars)
	})
}

// checkRefusals sends what must be a 400 that says why.
func checkRefusals(t *testing.T, base string) {
	t.Helper()
	_, _, body := curl(t, base, "/cars?limit=3", "1")
	var first httppage.Envelope[car]
	if err := json.Unmarshal([]byte(body), &first); err != nil || first.Pagination.Next == "" {
		t.Fatal(err, body)
	}
	token := first.Pagination.Next
	for _, c := range [][3]string{
		{"/cars?cursor=" + token + "A", "1", "token"},
		{"/cars?cursor=EAEA", "1", "token"},
		{"/cars?cursor=" + token, "2", "token_scope"}, // another principal
		{"/cars?seats=2&cursor=" + token, "1", "token_scope"},
		{"/cars?sort=model&cursor=" + token, "1", "token_scope"},
		{"/cars?limit=-1", "1", "limit"},
		{"/cars?page=0", "1", "offset"},
		{"/cars?sort=seats", "1", "sort"},
		{"/cars?seats=two", "1", "filter"},
		{"/cars?fields=sold", "1", "fields"},
		{"/cars?page=2&offset=3", "1", "params"},
	} {
		status, header, body := curl(t, base, c[0], c[1])
		if status != http.StatusBadRequest || header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, `"code":"`+c[2]+`"`) || strings.Contains(body, token) {
			t.Errorf("%s: %d %s, want 400 with code %s", c[0], status, body, c[2])
		}
	}
	if _, _, body := curl(t, base, "/cars?fields=id,model&limit=1", "1"); !strings.HasPrefix(body, `{"data":[{"id":2,"model":"m1"}],`) && !strings.HasPrefix(body, `{"data":[{"id":`) || strings.Contains(body, "seats") {
		t.Errorf("fields: %s", body)
	}
}

// checkFollowing walks by links in several orders: each row of the tenant once, and
// no row of the other one.
func checkFollowing(t *testing.T, base string, cars map[int][]car) {
	t.Helper()
	for _, query := range []string{"", "?sort=-sold", "?sort=sold&limit=1", "?sort=-manufacturer,+model", "?page=1", "?offset=0&limit=9"} {
		for tenant := 1; tenant <= 2; tenant++ {
			seen := map[int64]int{}
			o := httppage.ClientOptions{Header: http.Header{"Tenant": {strconv.Itoa(tenant)}}}
			for c, err := range httppage.Walk[car](t.Context(), base+"/cars"+query, o) {
				if err != nil {
					t.Fatalf("%s: %v", query, err)
				}
				seen[c.ID]++
			}
			for _, c := range cars[tenant] {
				if seen[c.ID] != 1 {
					t.Errorf("%s, tenant %d: row %d came %d times", query, tenant, c.ID, seen[c.ID])
				}
			}
			if len(seen) != len(cars[tenant]) {
				t.Errorf("%s, tenant %d: %d rows, want %d", query, tenant, len(seen), len(cars[tenant]))
			}
		}
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
