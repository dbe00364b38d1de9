package pagination

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestMergeOfEqualIdentities gives every shard the same identities, as
// AUTO_INCREMENT does: each row is returned once, ordered by key and shard.
func TestMergeOfEqualIdentities(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		shards := make([][]item, 1+rnd.IntN(5))
		var want []item
		for j := range shards {
			for id := range int64(8) {
				if rnd.IntN(3) > 0 {
					it := item{ID: id + 1, C: strconv.Itoa(j)}
					shards[j] = append(shards[j], it)
					want = append(want, it)
				}
			}
		}
		desc := rnd.IntN(2) == 0
		slices.SortStableFunc(want, func(a, b item) int {
			if desc {
				a, b = b, a
			}
			return int(a.ID - b.ID)
		})
		sources := make([]Source[item], len(shards))
		for j := range shards {
			sources[j] = NewSlice(shards[j])
		}
		merged, err := NewMerge(sources, MergeOptions{Prefetch: rnd.IntN(3)})
		if err != nil {
			t.Fatal(err)
		}
		sort := ""
		if desc {
			sort = "-id"
		}
		p, err := New(merged, itemOrder(t, sort, NullsLast), Options[item]{ExactEnds: true})
		if err != nil {
			t.Fatal(err)
		}
		// Distinct identities for the comparison only.
		number := func(rows []item) []item {
			out := slices.Clone(rows)
			for i := range out {
				out[i].ID = out[i].ID*10 + int64(out[i].C[0]-'0')
			}
			return out
		}
		limit := 1 + rnd.IntN(4)
		var got []item
		for r := (Request{Limit: limit}); ; {
			page := mustPage(t, p, r)
			got = append(got, page.Items...)
			if page.Next == "" {
				break
			}
			if r.Token = page.Next; len(got) > len(want) {
				break
			}
			self := mustPage(t, p, Request{Limit: limit, Token: page.Self})
			if !slices.Equal(ids(number(self.Items)), ids(number(page.Items))) {
				t.Fatalf("seed %d: self %v of %v", seed, self.Items, page.Items)
			}
		}
		if !slices.Equal(ids(number(got)), ids(number(want))) {
			t.Fatalf("seed %d, forward: %v, want %v", seed, got, want)
		}
		got = nil
		for r := (Request{Limit: limit, Last: true}); ; {
			page := mustPage(t, p, r)
			got = append(slices.Clone(page.Items), got...)
			if page.Prev == "" || len(got) > len(want) {
				break
			}
			r = Request{Limit: limit, Token: page.Prev}
		}
		if !slices.Equal(ids(number(got)), ids(number(want))) {
			t.Fatalf("seed %d, backward: %v, want %v", seed, got, want)
		}
	}
}

// TestMergeSurvivesResharding moves rows to a new shard between two pages.
func TestMergeSurvivesResharding(t *testing.T) {
	rows := numbered(60)
	split := func(n int) *Pager[item] {
		parts := make([][]item, n)
		for _, it := range rows {
			parts[int(it.ID)%n] = append(parts[int(it.ID)%n], it)
		}
		var sources []Source[item]
		for _, part := range parts {
			sources = append(sources, NewSlice(part))
		}
		m, err := NewMerge(sources, MergeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := New(m, itemOrder(t, "-a", NullsLast), Options[item]{Limit: 7})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	var got []int64
	size := 0
	for n, token := 2, ""; ; n++ {
		page := mustPage(t, split(n), Request{Token: token})
		got = append(got, ids(page.Items)...)
		if token = page.Next; token == "" {
			break
		}
		if size == 0 {
			size = len(token)
		} else if len(token) > size {
			t.Errorf("the token grows to %d characters with %d shards", len(token), n)
		}
	}
	if want := ids(sortItems(rows, []string{"-a"}, NullsLast)); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestMergeFailsAsAWhole(t *testing.T) {
	broken := errors.New("broken")
	order := itemOrder(t, "", NullsLast)
	good := NewSlice(numbered(9))
	for name, c := range map[string]struct {
		bad  SourceFunc[item]
		want error
	}{
		"failing":  {func(context.Context, Range[item]) ([]item, error) { return nil, broken }, broken},
		"unsorted": {func(context.Context, Range[item]) ([]item, error) { return []item{{ID: 2}, {ID: 1}}, nil }, ErrOrder},
		"tied":     {func(context.Context, Range[item]) ([]item, error) { return []item{{ID: 2}, {ID: 2}}, nil }, ErrOrder},
		"late": {func(_ context.Context, r Range[item]) ([]item, error) {
			if !r.Start.IsOpen() {
				return nil, broken
			}
			return numbered(9)[:r.Limit], nil
		}, broken},
		"deaf to the range": {func(_ context.Context, r Range[item]) ([]item, error) { return numbered(9)[:r.Limit], nil }, ErrOrder},
	} {
		m, err := NewMerge([]Source[item]{good, c.bad}, MergeOptions{Prefetch: 3})
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := m.Fetch(t.Context(), Range[item]{Order: order, Limit: 12}); !errors.Is(err, c.want) || rows != nil {
			t.Errorf("%s: %v, %v", name, rows, err)
		}
	}
	for _, c := range []struct {
		shards []Source[item]
		o      MergeOptions
	}{{nil, MergeOptions{}}, {[]Source[item]{nil}, MergeOptions{}}, {[]Source[item]{good}, MergeOptions{Prefetch: -1}}, {[]Source[item]{good}, MergeOptions{Concurrency: -1}}} {
		if _, err := NewMerge(c.shards, c.o); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestMergeCancelsSiblings blocks one shard until another fails; the bubble
// would report a goroutine that stays behind.
func TestMergeCancelsSiblings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		slow := SourceFunc[item](func(ctx context.Context, _ Range[item]) ([]item, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		failing := SourceFunc[item](func(context.Context, Range[item]) ([]item, error) { return nil, broken })
		m, err := NewMerge([]Source[item]{slow, slow, failing}, MergeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Fetch(t.Context(), Range[item]{Order: itemOrder(t, "", NullsLast), Limit: 3}); !errors.Is(err, broken) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		m, err = NewMerge([]Source[item]{slow, slow}, MergeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			synctest.Wait()
			cancel()
		}()
		if _, err := m.Fetch(ctx, Range[item]{Order: itemOrder(t, "", NullsLast), Limit: 3}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// counted counts the rows and calls that a shard answers.
func counted(s Source[item], rows, calls *atomic.Int64) Source[item] {
	return SourceFunc[item](func(ctx context.Context, r Range[item]) ([]item, error) {
		got, err := s.Fetch(ctx, r)
		rows.Add(int64(len(got)))
		calls.Add(1)
		return got, err
	})
}

// TestMergeReadsFewRows bounds what the shards return for a page of 100, also
// when one shard has all of it.
func TestMergeReadsFewRows(t *testing.T) {
	for _, k := range []int{1, 2, 8, 64} {
		for _, skewed := range []bool{false, true} {
			var rows, calls atomic.Int64
			sources := make([]Source[item], k)
			parts := make([][]item, k)
			rnd := rand.New(rand.NewPCG(uint64(k), 8))
			for _, it := range numbered(20_000) {
				j := rnd.IntN(k)
				if skewed {
					j = 0
				}
				parts[j] = append(parts[j], it)
			}
			for j := range sources {
				sources[j] = counted(NewSlice(parts[j]), &rows, &calls)
			}
			m, err := NewMerge(sources, MergeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			p, err := New(m, itemOrder(t, "", NullsLast), Options[item]{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			returned := 0
			const pages = 50
			for token := ""; returned < 100*pages; {
				page := mustPage(t, p, Request{Token: token})
				returned += len(page.Items)
				token = page.Next
			}
			t.Logf("%d shards, skewed %v: %.1f rows read per page of 100, %.1f calls beyond the first round", k, skewed, float64(rows.Load())/pages, float64(calls.Load())/pages-float64(k))
			if limit := int64(2*returned + 2*k*pages); rows.Load() > limit {
				t.Errorf("%d shards, skewed %v: %d rows read for %d returned", k, skewed, rows.Load(), returned)
			}
		}
	}
}
