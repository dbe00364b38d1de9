package pagination

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func pagerOf(tb testing.TB, rows []item, sort string, opt Options[item]) *Pager[item] {
	tb.Helper()
	p, err := New(NewSlice(rows), itemOrder(tb, sort, NullsLast), opt)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// numbered returns rows 1…n.
func numbered(n int) []item {
	rows := make([]item, n)
	for i := range rows {
		rows[i] = item{ID: int64(i + 1), A: new(int64(i / 3)), C: "x"}
	}
	return rows
}

func TestBadRequestsAreRefused(t *testing.T) {
	p := pagerOf(t, numbered(30), "", Options[item]{Sort: []string{"a"}, Filter: []string{"a"}, MaxOffset: 100})
	desc := pagerOf(t, numbered(30), "-a", Options[item]{MaxOffset: -1})
	first := mustPage(t, p, Request{})
	many := make([]Filter, maxFilters+1)
	for i := range many {
		many[i] = NewFilter("a", Eq, int64(i))
	}
	for name, c := range map[string]struct {
		p    *Pager[item]
		r    Request
		want error
	}{
		"negative limit":       {p, Request{Limit: -1}, ErrLimit},
		"token and page":       {p, Request{Token: first.Next, Page: 1}, ErrParams},
		"page and since":       {p, Request{Page: 2, Since: "3"}, ErrParams},
		"page and offset":      {p, Request{Page: 2, Offset: 3}, ErrParams},
		"token and after":      {p, Request{Token: first.Next, After: first.Next}, ErrParams},
		"last and token":       {p, Request{Token: first.Next, Last: true}, ErrParams},
		"last and offset":      {p, Request{Offset: 2, Last: true}, ErrParams},
		"negative page":        {p, Request{Page: -1}, ErrOffset},
		"negative offset":      {p, Request{Offset: -1}, ErrOffset},
		"deep page":            {p, Request{Page: 7, Limit: 20}, ErrOffset},
		"page overflows":       {p, Request{Page: math.MaxInt, Limit: 20}, ErrOffset},
		"offsets refused":      {desc, Request{Page: 1}, ErrOffset},
		"since descending":     {desc, Request{Since: "1"}, ErrParams},
		"since no integer":     {p, Request{Since: "yesterday"}, ErrParams},
		"since bad token":      {p, Request{Since: "EAAAAAAA"}, ErrToken},
		"since backward":       {p, Request{Since: first.Last}, ErrToken},
		"sort not allowed":     {p, Request{Sort: "c"}, ErrSort},
		"sort unknown":         {p, Request{Sort: "x"}, ErrSort},
		"sort refused":         {desc, Request{Sort: "a"}, ErrSort},
		"sort empty":           {p, Request{Sort: ","}, ErrSort},
		"filter unknown":       {p, Request{Filters: []Filter{NewFilter("x", Eq, 1)}}, ErrFilter},
		"filter of a kind":     {p, Request{Filters: []Filter{NewFilter("a", Eq, "1")}}, ErrFilter},
		"filter two ops":       {p, Request{Filters: []Filter{NewFilter("a", Eq|Ne, 1)}}, ErrFilter},
		"filter no value":      {p, Request{Filters: []Filter{NewFilter[int]("a", Eq)}}, ErrFilter},
		"too many filters":     {p, Request{Filters: many}, ErrFilter},
		"token":                {p, Request{Token: "nonsense"}, ErrToken},
		"token of a peer":      {p, Request{Token: "WyIyMDI2LTExLTI0IiwxMjNd"}, ErrToken},
		"after is the end":     {p, Request{After: first.Last}, ErrToken},
		"before is the end":    {p, Request{Before: first.Last}, ErrToken},
		"foreign sort":         {p, Request{Token: first.Next, Sort: "a"}, ErrTokenScope},
		"foreign resource":     {p, Request{Token: first.Next, Resource: "/x"}, ErrTokenScope},
		"foreign principal":    {p, Request{Token: first.Next, Principal: "bob"}, ErrTokenScope},
		"foreign filter":       {p, Request{Token: first.Next, Filters: []Filter{NewFilter("a", Eq, 1)}}, ErrTokenScope},
		"foreign after":        {p, Request{After: first.Next, Principal: "bob"}, ErrTokenScope},
		"foreign since":        {p, Request{Since: first.Resume, Principal: "bob"}, ErrTokenScope},
		"null where it is not": {p, Request{Token: nullToken(t)}, ErrToken},
	} {
		if page, err := c.p.Page(t.Context(), c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, page, err, c.want)
		}
	}
	if s := p.Stats(); s.ForeignTokens != 7 || s.BadTokens != 6 {
		t.Errorf("%+v", s)
	}
	if page := mustPage(t, p, Request{Limit: 1 << 30}); page.Limit != 100 || len(page.Items) != 30 {
		t.Errorf("clamped to %d", page.Limit)
	}
}

// nullToken is a plain token with NULL for the identity.
func nullToken(t *testing.T) string {
	t.Helper()
	token, err := (*Codec)(nil).Encode(Cursor{Start: Gap{Key: []Value{{}}}}, Scope{Order: "+id"})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestBadOptionsAreRefused(t *testing.T) {
	o := itemOrder(t, "", NullsLast)
	s := NewSlice(numbered(1))
	only := SourceFunc[item](s.Fetch)
	keep := func(context.Context, []item) ([]bool, error) { return nil, nil }
	for name, c := range map[string]struct {
		s    Source[item]
		opt  Options[item]
		want error
	}{
		"limit":           {s, Options[item]{Limit: -1}, ErrInvalid},
		"limit beyond":    {s, Options[item]{Limit: 5, MaxLimit: 4}, ErrInvalid},
		"max limit":       {s, Options[item]{MaxLimit: maxMaxLimit + 1}, ErrInvalid},
		"offset":          {s, Options[item]{MaxOffset: -2}, ErrInvalid},
		"count limit":     {s, Options[item]{CountLimit: -1}, ErrInvalid},
		"count mode":      {s, Options[item]{Count: 9}, ErrInvalid},
		"examined":        {s, Options[item]{MaxExamined: -1}, ErrInvalid},
		"settle negative": {s, Options[item]{Settle: -1}, ErrInvalid},
		"settle no time":  {s, Options[item]{Settle: 1}, ErrInvalid},
		"sort":            {s, Options[item]{Sort: []string{"x"}}, ErrInvalid},
		"filter":          {s, Options[item]{Filter: []string{"x"}}, ErrInvalid},
		"count and keep":  {s, Options[item]{Count: CountExact, Keep: keep}, ErrInvalid},
		"no counter":      {only, Options[item]{Count: CountExact}, ErrUnsupported},
		"no source":       {nil, Options[item]{}, ErrInvalid},
	} {
		if _, err := New(c.s, o, c.opt); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := New(s, o, Options[item]{MaxLimit: 10}); err != nil || p.opt.Limit != 10 {
		t.Errorf("a maximum below the default: %v", err)
	}
}

// TestBoundsMakeWindows uses tokens of rows as After and Before.
func TestBoundsMakeWindows(t *testing.T) {
	p := pagerOf(t, numbered(30), "", Options[item]{ExactEnds: true})
	page := mustPage(t, p, Request{})
	cursor := func(i int) string {
		c, err := page.Cursor(i)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	check := func(name string, r Request, next, prev bool, want ...int64) *Page[item] {
		t.Helper()
		got := mustPage(t, p, r)
		if !slices.Equal(ids(got.Items), want) || (got.Next != "") != next || (got.Prev != "") != prev {
			t.Errorf("%s: %v, next %v, prev %v", name, ids(got.Items), got.Next != "", got.Prev != "")
		}
		return got
	}
	check("after", Request{After: cursor(4), Limit: 3}, true, true, 6, 7, 8)
	check("before", Request{Before: cursor(4), Limit: 3}, true, false, 1, 2, 3)
	check("last before", Request{Before: cursor(4), Limit: 3, Last: true}, true, true, 2, 3, 4)
	check("last before all", Request{Before: cursor(4), Limit: 5, Last: true}, true, false, 1, 2, 3, 4)
	check("last", Request{Limit: 3, Last: true}, false, true, 28, 29, 30)
	check("last after", Request{After: cursor(4), Limit: 3, Last: true}, false, true, 28, 29, 30)
	window := check("window", Request{After: cursor(4), Before: cursor(9), Limit: 3}, true, false, 6, 7, 8)
	check("window, next", Request{Token: window.Next, Limit: 3}, false, true, 9)
	check("window, last", Request{Token: window.Last, Limit: 3}, true, true, 7, 8, 9)
	back := check("window from its end", Request{After: cursor(4), Before: cursor(9), Limit: 3, Last: true}, false, true, 7, 8, 9)
	check("window from its end, prev", Request{Token: back.Prev, Limit: 3}, true, false, 6)
	check("self as after", Request{After: window.Self, Limit: 2}, true, true, 7, 8)
	check("crossed window", Request{After: cursor(9), Before: cursor(4)}, false, false)
	if _, err := page.Cursor(20); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestSinceStaysInSync(t *testing.T) {
	s := &store{rows: map[int64]item{}}
	p, err := New(s, itemOrder(t, "a", NullsLast), Options[item]{Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	empty := mustPage(t, p, Request{})
	if empty.Resume == "" || empty.Items == nil {
		t.Fatal("an empty table gives no position to resume from")
	}
	for _, it := range numbered(9) {
		s.rows[it.ID] = it
	}
	one := mustPage(t, p, Request{Since: empty.Resume})
	two := mustPage(t, p, Request{Since: one.Resume})
	if !slices.Equal(ids(append(one.Items, two.Items...)), []int64{1, 2, 3, 4, 5, 6, 7, 8, 9}) || two.Next != "" {
		t.Fatalf("%v, %v", one.Items, two.Items)
	}
	if three := mustPage(t, p, Request{Since: two.Resume}); len(three.Items) != 0 || three.Resume != two.Resume {
		t.Error("nothing new, yet another position")
	}
	s.rows[10] = item{ID: 10, A: new(int64(2))}
	if four := mustPage(t, p, Request{Since: two.Resume}); !slices.Equal(ids(four.Items), []int64{10}) {
		t.Errorf("%v", four.Items)
	}
	// The text of the first key starts before its whole group.
	if five := mustPage(t, p, Request{Since: "2"}); !slices.Equal(ids(five.Items), []int64{7, 8, 9, 10}) {
		t.Errorf("%v", five.Items)
	}
}

// TestSinceKnowsTokensOfAllScopes: the first characters of a token depend on the
// hint, and so on the scope.
func TestSinceKnowsTokensOfAllScopes(t *testing.T) {
	for mode, c := range codecs(t) {
		p := pagerOf(t, numbered(5), "", Options[item]{Codec: c, Limit: 2})
		for i := range 200 {
			r := Request{Resource: strconv.Itoa(i)}
			r.Since = mustPage(t, p, r).Resume
			if page := mustPage(t, p, r); !slices.Equal(ids(page.Items), []int64{3, 4}) {
				t.Fatalf("%s, scope %d: %v", mode, i, page.Items)
			}
		}
	}
}

func TestSettleHidesYoungRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type event struct {
			ID int64
			At time.Time
		}
		order, err := NewOrder("at", ID("id", func(e *event) int64 { return e.ID }), By("at", func(e *event) time.Time { return e.At }))
		if err != nil {
			t.Fatal(err)
		}
		var rows []event
		source := SourceFunc[event](func(ctx context.Context, r Range[event]) ([]event, error) { return NewSlice(rows).Fetch(ctx, r) })
		p, err := New(source, order, Options[event]{Settle: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		rows = append(rows, event{1, start})
		page, err := p.Page(t.Context(), Request{})
		if err != nil || len(page.Items) != 0 {
			t.Fatalf("a young row is shown: %v, %v", page, err)
		}
		time.Sleep(30 * time.Second)                               //nolint:forbidigo // the clock of the bubble
		rows = append(rows, event{2, start.Add(-time.Nanosecond)}) // committed late, with an earlier time
		time.Sleep(30 * time.Second)                               //nolint:forbidigo // the clock of the bubble
		page, err = p.Page(t.Context(), Request{Since: page.Resume})
		if err != nil || len(page.Items) != 2 || page.Items[0].ID != 2 {
			t.Fatalf("the late commit is lost: %v, %v", page, err)
		}
	})
}

// TestKeepFillsPages walks lists of which most rows are hidden, in both
// directions, with every budget.
func TestKeepFillsPages(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 6))
		rows := numbered(rnd.IntN(40))
		visible := map[int64]bool{}
		var want []int64
		for i := range rows {
			if rnd.IntN(3) == 0 {
				visible[rows[i].ID] = true
				want = append(want, rows[i].ID)
			}
		}
		budget := 1 + rnd.IntN(12)
		reads := 0
		p := pagerOf(t, rows, "", Options[item]{MaxExamined: budget, Keep: func(_ context.Context, some []item) ([]bool, error) {
			reads += len(some)
			keep := make([]bool, len(some))
			for i := range some {
				keep[i] = visible[some[i].ID]
			}
			return keep, nil
		}})
		for _, backward := range []bool{false, true} {
			var got []int64
			r := Request{Limit: 1 + rnd.IntN(5), Last: backward}
			for pages := 0; ; pages++ {
				reads = 0
				page := mustPage(t, p, r)
				if reads > budget {
					t.Fatalf("seed %d: %d rows examined, budget %d", seed, reads, budget)
				}
				if len(page.Items) > r.Limit || pages > 100 {
					t.Fatalf("seed %d: page %d: %v", seed, pages, page.Items)
				}
				if backward {
					got = append(ids(page.Items), got...)
					r = Request{Limit: r.Limit, Token: page.Prev}
				} else {
					got = append(got, ids(page.Items)...)
					r = Request{Limit: r.Limit, Token: page.Next}
				}
				if r.Token == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, backward %v: %v, want %v", seed, backward, got, want)
			}
		}
		var all []int64
		for it, err := range p.All(t.Context(), Request{}) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, it.ID)
		}
		if !slices.Equal(all, want) {
			t.Fatalf("seed %d: All returned %v", seed, all)
		}
	}
	p := pagerOf(t, numbered(5), "", Options[item]{Keep: func(context.Context, []item) ([]bool, error) { return nil, nil }})
	if _, err := p.Page(t.Context(), Request{}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestCounts(t *testing.T) {
	red := NewFilter("a", Le, 3) // 12 of 30 rows
	for name, c := range map[string]struct {
		opt  Options[item]
		want Count
	}{
		"exact":     {Options[item]{Count: CountExact}, Count{N: 12, Exact: true}},
		"capped":    {Options[item]{Count: CountCapped, CountLimit: 11}, Count{N: 11, AtLeast: true}},
		"uncapped":  {Options[item]{Count: CountCapped, CountLimit: 12}, Count{N: 12, Exact: true}},
		"estimated": {Options[item]{Count: CountEstimated}, Count{N: 12, Exact: true}},
	} {
		for shards, source := range map[string]Source[item]{
			"slice": NewSlice(numbered(30)),
			"merge": func() Source[item] {
				m, err := NewMerge([]Source[item]{NewSlice(numbered(30)[:9]), NewSlice(numbered(30)[9:])}, MergeOptions{})
				if err != nil {
					t.Fatal(err)
				}
				return m
			}(),
		} {
			p, err := New(source, itemOrder(t, "", NullsLast), c.opt)
			if err != nil {
				t.Fatal(err)
			}
			page := mustPage(t, p, Request{Limit: 5, Filters: []Filter{red}})
			if page.Count == nil || *page.Count != c.want {
				t.Errorf("%s of a %s: %+v, want %+v", name, shards, page.Count, c.want)
			}
		}
	}
}

func TestConnectionHasACursorPerEdge(t *testing.T) {
	p := pagerOf(t, numbered(5), "", Options[item]{})
	c, err := NewConnection(mustPage(t, p, Request{Limit: 3}))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Edges) != 3 || !c.PageInfo.HasNextPage || c.PageInfo.HasPreviousPage || *c.PageInfo.EndCursor != c.Edges[2].Cursor {
		t.Fatalf("%+v", c)
	}
	if rest := mustPage(t, p, Request{After: *c.PageInfo.EndCursor}); !slices.Equal(ids(rest.Items), []int64{4, 5}) {
		t.Errorf("%v", rest.Items)
	}
	empty, err := NewConnection(mustPage(t, p, Request{Offset: 9}))
	if err != nil || empty.Edges == nil || empty.PageInfo.StartCursor != nil {
		t.Errorf("%+v, %v", empty, err)
	}
}

// TestSourceThatReturnsTooMuchIsAnError guards the arithmetic of ends.
func TestSourceThatReturnsTooMuchIsAnError(t *testing.T) {
	p, err := New(SourceFunc[item](func(context.Context, Range[item]) ([]item, error) { return numbered(50), nil }),
		itemOrder(t, "", NullsLast), Options[item]{Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Page(t.Context(), Request{}); !errors.Is(err, ErrOrder) {
		t.Error(err)
	}
}
