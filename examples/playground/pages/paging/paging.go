// Package paging is the page about reading a long list piece by piece while it changes: a number of rows to skip loses its place, a
// key keeps it.
package paging

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/httppage"
)

const (
	start    = 240 // rows at the beginning
	fewest   = 40  // rows that the deletes leave
	most     = 999 // the highest ID, so that it fits a cell; then the writer rests
	size     = 5   // rows of a page
	pace     = 125 * time.Millisecond
	resource = "/posts"
)

// Pager is what the page needs of a pagination.Pager.
type Pager interface {
	Page(ctx context.Context, r pagination.Request) (*pagination.Page[Row], error)
}

// Page is the page; the zero value shows the package as it is.
type Page struct {
	Pager func(s pagination.Source[Row]) (Pager, error) // nil for the package's own; a test puts a wrong one here
}

// Info implements page.Page.
func (Page) Info() page.Info {
	return page.Info{
		Path:    "paging",
		Title:   "Paging",
		Heading: "Every row once, while the list moves",
		Lead: "A reader turns the pages of a list, newest first, while a writer goes on writing. One way to find the next page is to " +
			"count rows from the top. The other is to remember the last row.",
		Question: "Pages of 5, newest first. Between your first and your second page, 5 rows are added at the top. What is on OFFSET 5?",
		Guesses:  [3]string{"The next five rows", "The five that you have just read", "The five new ones"},
		Right:    1,
		Answer: "The same five again: what was at the top is now five further down, and counting from the top finds it there. A cursor " +
			"says “after row 236” instead, and row 236 knows nothing of what happens above it.",
		Caption: "Twice the same table, newest rows left: blue was read once, red more than once, amber was passed over, green is new; " +
			"the bar below is what the store had to read for the last page. Then the pages as each reader got them.",
		Settings: []page.Setting{
			{Name: "inserts", Label: "Inserts", Unit: "a second, at the top", Default: "2", Choices: page.Numbers(0, 2, 5, 20, 50)},
			{Name: "deletes", Label: "Deletes", Unit: "a second, anywhere", Default: "0", Choices: page.Numbers(0, 1, 5, 20)},
		},
		Forms: []page.Form{
			{Buttons: []page.Button{
				{Action: "next", Label: "Next page"}, {Action: "walk", Label: "Walk to the end"}, {Action: "again", Label: "From the top"},
			}},
			{Field: &page.Field{Label: "Cursor", Pick: true}, Buttons: []page.Button{{Action: "edit", Label: "Send it"}}},
		},
		Facts: []page.Fact{
			{Name: "offset-duplicates", Label: "Repeats by offset", Lead: true},
			{Name: "keyset-duplicates", Label: "Repeats by key", Lead: true},
			{Name: "offset-missed", Label: "Missed by offset", Help: "of the rows that were there all the time"},
			{Name: "keyset-missed", Label: "Missed by key"},
			{Name: "rows-offset", Label: "Rows read, by offset", Help: "for the last page, counted by the store"},
			{Name: "rows-keyset", Label: "Rows read, by key"},
			{Name: "offset", Label: "Offset"},
			{Name: "page", Label: "Rows asked for", Help: "5, and one to see whether more follow"},
			{Name: "status", Label: "Answer to the cursor", Help: "of GET /posts?cursor=…"},
			{Name: "error", Label: "Error"},
		},
		Try: [3]string{
			"Take 20 inserts a second and walk to the end: half of every page by offset was there before. At 50 the list grows faster than " +
				"the pages turn, and by offset the end never comes.",
			"Set the inserts to 0 and the deletes to 20. Now the rows move the other way, and amber shows what nobody told you is missing.",
			"Change one letter of the cursor. It is sealed: the answer is 400 and a reason, never the first page again.",
		},
		Code:    page.Code{File: "pagination/example_test.go", Symbol: "ExampleNew"},
		Package: "pagination",
	}
}

// answer is what came back for a cursor that was sent by hand.
type answer struct {
	token, code, detail string
	status              int
}

type world struct {
	page    Page
	seed    uint64
	table   *table
	first   int64 // the newest row when the walk began
	real    *pagination.Pager[Row]
	pager   Pager // real, or the wrong one of a test
	offset  *reader
	key     *reader
	cursor  string // the last that was handed out
	answer  *answer
	inserts float64
	deletes float64
	born    float64 // inserts due, a fraction
	dying   float64
	walking bool
	turn    time.Time // of the next page, while walking
	now     time.Time
	says    string
}

// New implements page.Page.
func (p Page) New(seed uint64, s page.Settings) (page.World, error) {
	w := &world{page: p, seed: seed, now: time.Now()}
	if err := w.Set(s); err != nil {
		return nil, err
	}
	return w, w.again(context.Background())
}

// Set implements page.Live.
func (w *world) Set(s page.Settings) error {
	w.inserts, w.deletes = float64(s.Int("inserts")), float64(s.Int("deletes"))
	return nil
}

// again begins with a new table, and reads the first page.
func (w *world) again(ctx context.Context) error {
	w.table = newTable(w.seed, start)
	w.first = start
	order, err := pagination.NewOrder("-id", pagination.ID("id", func(r *Row) int64 { return r.ID }))
	if err != nil {
		return err
	}
	codec, err := pagination.NewCodec(pagination.CodecOptions{Keys: [][]byte{bytes.Repeat(binary.BigEndian.AppendUint64(nil, w.seed), 4)}})
	if err != nil {
		return err
	}
	if w.real, err = pagination.New(w.table, order, pagination.Options[Row]{Limit: size, Codec: codec}); err != nil {
		return err
	}
	w.pager = w.real
	if w.page.Pager != nil {
		if w.pager, err = w.page.Pager(w.table); err != nil {
			return err
		}
	}
	w.offset, w.key, w.answer, w.walking, w.cursor = newReader(false), newReader(true), nil, false, ""
	w.born, w.dying = 0, 0
	w.says = "Both readers have the first page. The next ones differ."
	return w.next(ctx)
}

// next lets both readers turn the page.
func (w *world) next(ctx context.Context) error {
	w.answer = nil
	for _, r := range []*reader{w.offset, w.key} {
		if err := r.turn(ctx, w.pager, w); err != nil {
			return err
		}
	}
	if w.key.next != "" {
		w.cursor = w.key.next
	}
	return nil
}

// Do implements page.World.
func (w *world) Do(ctx context.Context, action, value string) error {
	switch action {
	case "next", "walk":
		if w.key.done {
			return page.Invalid("the last page has been read; begin from the top")
		}
		if action == "walk" {
			w.walking, w.turn = true, w.now.Add(pace)
			w.says = "Eight pages a second, while the writer writes."
			return nil
		}
		repeats := w.offset.repeats
		if err := w.next(ctx); err != nil {
			return err
		}
		w.says = fmt.Sprintf("By offset %d of %d rows had been read before. By key none.", w.offset.repeats-repeats, size)
		if n := w.key.repeats; n > 0 {
			w.says = fmt.Sprintf("%d rows came again by offset, %d by key.", w.offset.repeats, n)
		}
	case "again":
		return w.again(ctx)
	default:
		return w.send(ctx, value)
	}
	return nil
}

// edits are what can be done to a cursor before it is sent back.
func edits() []string {
	return []string{"one letter changed", "cut short", "made up by hand", "of another list", "as it was handed out"}
}

// send asks the HTTP handler of the package for the page of an edited cursor.
func (w *world) send(ctx context.Context, edit string) error {
	token := w.cursor
	switch slices.Index(edits(), edit) {
	case 0:
		i, letter := len(token)/2, "A"
		if token[i] == 'A' {
			letter = "B"
		}
		token = token[:i] + letter + token[i+1:]
	case 1:
		token = token[:len(token)-1]
	case 2:
		plain, err := pagination.NewCodec(pagination.CodecOptions{})
		if err != nil {
			return err
		}
		gap := pagination.Gap{Key: []pagination.Value{pagination.IntValue(1)}, After: true}
		if token, err = plain.Encode(pagination.Cursor{Start: gap}, pagination.Scope{Resource: resource, Order: w.real.Order().String()}); err != nil {
			return err
		}
	case 3:
		other, err := w.real.Page(ctx, pagination.Request{Resource: "/users"})
		if err != nil {
			return err
		}
		token = other.Next
	case 4:
	default:
		return page.Invalid("the cursor can be %s", strings.Join(edits(), ", "))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, resource+"?cursor="+url.QueryEscape(token), http.NoBody)
	if err != nil {
		return err
	}
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	httppage.Handler(w.real, httppage.Options{Styles: httppage.Cursor}).ServeHTTP(rec, r)
	var problem struct{ Code, Detail string }
	if err := json.Unmarshal(rec.body.Bytes(), &problem); err != nil {
		return err
	}
	detail, _, _ := strings.Cut(problem.Detail, " (")
	w.answer = &answer{token: token, code: problem.Code, detail: detail, status: rec.status}
	w.says = fmt.Sprintf("A cursor, %s: %d %s.", edit, rec.status, http.StatusText(rec.status))
	return nil
}

// recorder keeps the answer of a handler.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// Tick implements page.Live: the writer writes what is due, and a walk turns its pages.
func (w *world) Tick(now time.Time) time.Time {
	passed := now.Sub(w.now).Seconds()
	if passed > 1 { // nobody looked; what would have happened is not made up
		passed, w.turn = 0, now
	}
	w.now = now
	if w.key.done { // the writer rests, so that the picture can be looked at
		return time.Time{}
	}
	w.born, w.dying = w.born+passed*w.inserts, w.dying+passed*w.deletes
	for ; w.born >= 1; w.born-- {
		w.table.insert()
	}
	for ; w.dying >= 1; w.dying-- {
		w.table.remove()
	}
	if !w.walking {
		return time.Time{}
	}
	if !w.turn.After(now) {
		w.turn = now.Add(pace)
		if err := w.next(context.Background()); err != nil {
			w.walking, w.says = false, err.Error()
		} else if w.key.done {
			w.walking = false
			w.says = fmt.Sprintf("The end: by key %d rows, each once. By offset %d came again and %d were missed.", len(w.key.got), w.offset.repeats, w.offset.missed(w))
		}
	}
	return w.turn
}

// View implements page.World.
func (w *world) View() page.View {
	v := page.View{Says: w.says, Picture: w.picture(), Picks: edits(), Facts: map[string]page.Value{
		"offset-duplicates": page.Count(w.offset.repeats),
		"offset-missed":     page.Count(w.offset.missed(w)),
		"keyset-duplicates": page.Count(w.key.repeats).If(w.key.repeats == 0),
		"keyset-missed":     page.Count(w.key.missed(w)).If(w.key.missed(w) == 0),
		"rows-offset":       page.Count(w.offset.read),
		"rows-keyset":       page.Count(w.key.read),
		"offset":            page.Count(w.offset.offset),
		"page":              page.Count(w.key.asked),
		"status":            page.None(),
		"error":             page.None(),
	}}
	for _, name := range []string{"offset-duplicates", "offset-missed"} {
		if f := v.Facts[name]; f.Number != "0" {
			v.Facts[name] = f.If(false)
		}
	}
	if a := w.answer; a != nil {
		v.Facts["status"] = page.Count(a.status)
		if a.code != "" {
			v.Facts["error"] = page.Value{Text: a.detail, Number: a.code}
		}
	}
	return v
}
