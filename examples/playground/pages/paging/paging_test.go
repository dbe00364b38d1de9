package paging_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/examples/playground/page/pagetest"
	"github.com/sysblocks/sysblocks/examples/playground/pages/paging"
	"github.com/sysblocks/sysblocks/pagination"
)

func TestKeysetReadsEachRowOnceWhileTheTableChanges(t *testing.T) {
	for _, query := range []string{"inserts=20&deletes=0", "inserts=0&deletes=5", "inserts=20&deletes=20", "inserts=50&deletes=1"} {
		for seed := range uint64(3) {
			synctest.Test(t, func(t *testing.T) {
				w := pagetest.New(t, paging.Page{}, seed, query)
				w.Do("walk", "")
				for range 14 {
					w.Run(time.Second)
					if w.Number("keyset-duplicates") != 0 || w.Number("keyset-missed") != 0 {
						t.Fatalf("%s: %v again, %v missed", query, w.Number("keyset-duplicates"), w.Number("keyset-missed"))
					}
				}
				if err := w.Refused("next", ""); !errors.Is(err, page.ErrInvalid) {
					t.Error("the walk has not ended:", err)
				}
			})
		}
	}
}

func TestOffsetRepeatsUnderInsertsAndMissesUnderDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := pagetest.New(t, paging.Page{}, 7, "inserts=20")
		w.Do("walk", "")
		w.Run(8 * time.Second)
		if w.Number("offset-duplicates") == 0 || w.Number("offset-missed") != 0 || w.Fact("offset-duplicates").Tone != page.Bad {
			t.Errorf("inserts: %v repeats, %v missed", w.Number("offset-duplicates"), w.Number("offset-missed"))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := pagetest.New(t, paging.Page{}, 7, "inserts=0&deletes=5")
		w.Do("walk", "")
		w.Run(8 * time.Second)
		if w.Number("offset-duplicates") != 0 || w.Number("offset-missed") == 0 {
			t.Errorf("deletes: %v repeats, %v missed", w.Number("offset-duplicates"), w.Number("offset-missed"))
		}
	})
}

func TestFiveInsertsBetweenTwoPagesRepeatThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := pagetest.New(t, paging.Page{}, 7, "inserts=5")
		w.Run(time.Second) // and up to a fifteenth: five rows
		w.Do("next", "")
		if w.Number("offset-duplicates") != 5 || w.Number("keyset-duplicates") != 0 {
			t.Errorf("%v repeats by offset, %v by key", w.Number("offset-duplicates"), w.Number("keyset-duplicates"))
		}
		w.Do("again", "")
		if w.Number("offset-duplicates") != 0 {
			t.Error("from the top there are repeats")
		}
	})
}

func TestTheStoreCountsItsRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := pagetest.New(t, paging.Page{}, 7, "inserts=0")
		for i := range 22 {
			asked := w.Number("page")
			if w.Number("rows-keyset") != asked || w.Number("rows-offset") != w.Number("offset")+asked || w.Number("offset") != float64(5*i) || asked != 6 {
				t.Errorf("page %d: %v rows by key, %v at offset %v, %v asked for", i+1, w.Number("rows-keyset"), w.Number("rows-offset"), w.Number("offset"), asked)
			}
			w.Do("next", "")
		}
	})
}

func TestEditedCursorsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(5) {
			w := pagetest.New(t, paging.Page{}, seed, "")
			for edit, want := range map[string]struct {
				status float64
				code   string
			}{
				"one letter changed":   {400, "token"},
				"cut short":            {400, "token"},
				"made up by hand":      {400, "token"},
				"of another list":      {400, "token_scope"},
				"as it was handed out": {200, ""},
			} {
				w.Do("edit", edit)
				if w.Number("status") != want.status || w.Fact("error").Number != want.code {
					t.Errorf("%s: %v, error %q", edit, w.Number("status"), w.Fact("error").Number)
				}
				if want.code != "" && !strings.Contains(w.Fact("error").Text, "token") {
					t.Errorf("%s: %s", edit, w.Fact("error").Text)
				}
			}
			if err := w.Refused("edit", "bent"); !errors.Is(err, page.ErrInvalid) {
				t.Error(err)
			}
		}
	})
}

func TestSeedDecidesWhatIsDeleted(t *testing.T) {
	missed := func(seed uint64) (n float64) {
		synctest.Test(t, func(t *testing.T) {
			w := pagetest.New(t, paging.Page{}, seed, "inserts=2&deletes=5")
			w.Do("walk", "")
			w.Run(6 * time.Second)
			n = w.Number("offset-missed")
		})
		return n
	}
	if a, b := missed(7), missed(7); a != b || a != 14 {
		t.Errorf("seed 7: %v and %v missed", a, b)
	}
}

// counting is a pager whose tokens are numbers of rows in disguise.
type counting struct{ *pagination.Pager[paging.Row] }

func (c counting) Page(ctx context.Context, r pagination.Request) (*pagination.Page[paging.Row], error) {
	r.Offset += len(r.Token)
	next := r.Token + "....."
	r.Token = ""
	p, err := c.Pager.Page(ctx, r)
	if err == nil && p.Next != "" {
		p.Next = next
	}
	return p, err
}

// The page follows the package: with cursors that count rows, the reader by key has repeats too.
func TestWrongPagerShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrong := paging.Page{Pager: func(s pagination.Source[paging.Row]) (paging.Pager, error) {
			order, err := pagination.NewOrder("-id", pagination.ID("id", func(r *paging.Row) int64 { return r.ID }))
			if err != nil {
				return nil, err
			}
			p, err := pagination.New(s, order, pagination.Options[paging.Row]{})
			return counting{p}, err
		}}
		w := pagetest.New(t, wrong, 7, "inserts=5")
		w.Run(time.Second)
		w.Do("next", "")
		if w.Number("keyset-duplicates") != 5 || w.Fact("keyset-duplicates").Tone != page.Bad || w.Number("rows-keyset") != 11 {
			t.Errorf("%v repeats by key, %v rows read", w.Number("keyset-duplicates"), w.Number("rows-keyset"))
		}
	})
}
