// Package ids is the page about numbers that are unique without a conversation: two nodes issue them, in one millisecond and
// with a clock that goes back, and every number shows in its bits when and where it was made.
package ids

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/idgen"
)

const (
	batch  = 10_000           // IDs of the first button, half from each node
	recent = 20_000           // IDs among which duplicates are looked for
	step   = 3 * time.Second  // that the clock is set back
	steps  = 3                // at most, so that the clock stays in the picture
	ahead  = 10 * time.Second // that a generator may borrow: more than all steps
	wait   = 20 * time.Millisecond
)

// ours is the default layout of the package, written out.
func ours() idgen.Layout {
	return idgen.Layout{TimeBits: 41, WorkerBits: 10, SeqBits: 12, Epoch: epoch()}
}

func epoch() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }

// Page is the page; the zero value shows the package as it is.
type Page struct {
	Generator func(worker uint32) (idgen.Generator, error) // nil for the package's own; a test puts a wrong one here
}

// Info implements page.Page.
func (Page) Info() page.Info {
	return page.Info{
		Path:    "ids",
		Title:   "IDs",
		Heading: "Unique, without asking anybody",
		Lead: "Two machines number their rows and never talk to each other. Every number is when, who and how many: 64 bits, " +
			"in ascending order, that fit a BIGINT.",
		Question: "Two machines each issue an ID in the same millisecond, without a word between them. Why are the IDs different?",
		Guesses:  [3]string{"Their clocks are never quite equal", "Each puts its own number into the ID", "A part is random: equal ones are unlikely"},
		Right:    1,
		Answer: "The number of the machine is ten of the bits, so two machines cannot meet, whatever their clocks say. Within one " +
			"machine a sequence counts the IDs of a millisecond. Nothing is left to luck; but somebody must hand out the numbers.",
		Caption: "Above, the newest ID of each node as 64 bits, a dark cell for each one; ticks between them mark the bits that " +
			"differ. In the middle the last twelve, newest first: a dot for the node. Below, the time inside each ID over the time of " +
			"day, the clocks of A and B as lines; red ticks at the foot are refusals.",
		Settings: []page.Setting{
			{Name: "restart", Label: "A node that restarts", Default: "leased", Choices: []page.Choice{
				{Value: "fixed", Label: "Forgets"}, {Value: "leased", Label: "Knows its last"}, {Value: "ahead", Label: "Knows, borrows"},
			}},
			{Name: "rate", Label: "IDs of each node", Unit: "a second", Default: "2", Choices: page.Numbers(0, 2, 20, 200, 2000)},
		},
		Forms: []page.Form{
			{Buttons: []page.Button{
				{Action: "issue", Label: "Issue 10,000"},
				{Action: "same", Label: "Both in one millisecond"},
				{Action: "back", Label: "Restart B, clock 3 s back"},
			}},
			{Field: &page.Field{Label: "An ID", Max: 24, Hint: "21380884070400001"}, Buttons: []page.Button{
				{Action: "decode", Label: "Decode"}, {Action: "twitter", Label: "Twitter’s"}, {Action: "discord", Label: "Discord’s"},
			}},
		},
		Facts: []page.Fact{
			{Name: "issued", Label: "IDs issued", Lead: true},
			{Name: "duplicates", Label: "Duplicates", Help: "among the last 20,000", Lead: true},
			{Name: "out-of-order", Label: "Out of order", Help: "below an earlier ID of the same node"},
			{Name: "equal", Label: "Decoded as they were", Help: "fields, decimal, Base58, Base32, Base62"},
			{Name: "time", Label: "Time in the ID"},
			{Name: "node", Label: "Node in the ID"},
			{Name: "sequence", Label: "Sequence in the ID"},
			{Name: "error", Label: "Error", Help: "while a node refuses to issue"},
		},
		Try: [3]string{
			"Press “Both in one millisecond”: the blue bits are the same, cell by cell. Only the node tells the two apart.",
			"Restart B with its clock back. It refuses until its clock has passed its last ID. Let it forget instead, and its IDs go " +
				"back in time; let it borrow, and it goes on from where it was.",
			"Issue 10,000: 4,096 numbers fit in a millisecond, so each node needs two. Watch the green bits count and the blue ones step.",
		},
		Code:    page.Code{File: "idgen/example_test.go", Symbol: "ExampleNewLeased"},
		Package: "idgen",
	}
}

// node is a machine that issues IDs.
type node struct {
	name   string
	worker uint32
	marks  *idgen.MemoryLeaser // remembers up to when the node has issued, as the disk or the store of a real one does
	back   time.Duration       // its clock shows the time less this
	gen    idgen.Generator     // nil while it could not start
	debt   float64             // IDs due, a fraction
	last   idgen.ID
	most   idgen.ID
	err    error
}

// point is an ID in the picture: when it was issued, by which node, and whether in order; or a refusal.
type point struct {
	at      time.Time
	node    int
	id      idgen.ID
	bad     bool
	refused bool
}

type world struct {
	page     Page
	restart  string
	rate     float64
	nodes    [2]*node
	now      time.Time
	stepped  []time.Time // when the clock of the second node was set back
	seen     map[idgen.ID]int
	order    []idgen.ID // keys of seen, oldest first
	rows     []point    // the newest IDs, oldest first
	points   []point    // a sample of the IDs of the last seconds
	issued   int
	twice    int
	unsorted int
	equal    int
	pinned   bool     // the picture shows pair or pasted, not the newest
	pair     [2]point // of each node
	pasted   *foreign // what a visitor entered
	says     string
	seed     uint64
}

// foreign is an ID that was pasted, and how it was read.
type foreign struct {
	id     idgen.ID
	layout idgen.Layout
	whose  string
}

// New implements page.Page.
func (p Page) New(seed uint64, s page.Settings) (page.World, error) {
	w := &world{page: p, seed: seed, now: time.Now()}
	if err := w.Set(s); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Set implements page.Live. Another way to restart begins anew; another rate goes on.
func (w *world) Set(s page.Settings) error {
	w.rate = float64(s.Int("rate"))
	if s["restart"] == w.restart {
		return nil
	}
	w.restart = s["restart"]
	ctx := context.Background()
	if err := w.Close(); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(w.seed, 1)) //nolint:gosec // worker numbers, no secrets
	first := random.Uint32N(1024)
	second := (first + 1 + random.Uint32N(1023)) % 1024
	w.nodes = [2]*node{
		{name: "A", worker: first, marks: new(idgen.MemoryLeaser)},
		{name: "B", worker: second, marks: new(idgen.MemoryLeaser), debt: 0.5},
	}
	w.stepped, w.order, w.rows, w.points, w.pasted, w.pinned = nil, nil, nil, nil, nil, false
	w.pair, w.seen = [2]point{}, map[idgen.ID]int{}
	w.issued, w.twice, w.unsorted, w.equal = 0, 0, 0, 0
	w.says = fmt.Sprintf("A is number %d, B is number %d; they do not talk to each other.", first, second)
	for i, n := range w.nodes {
		if err := w.start(ctx, n); err != nil {
			return err
		}
		w.issue(ctx, i, 1)
	}
	return nil
}

// Close ends the generators of both nodes.
func (w *world) Close() error {
	var all error
	for _, n := range w.nodes {
		if n != nil {
			all = errors.Join(all, n.stop(context.Background()))
		}
	}
	return all
}

func (n *node) stop(ctx context.Context) error {
	gen, ok := n.gen.(*idgen.Snowflake)
	n.gen = nil
	if !ok {
		return nil
	}
	return gen.Close(ctx)
}

// start makes the generator of a node. The package reads the clock of this machine, so a clock that is behind is made by an
// epoch that is later: the generator counts fewer milliseconds since then, and nothing else in it depends on the hour.
func (w *world) start(ctx context.Context, n *node) error {
	if w.page.Generator != nil {
		var err error
		n.gen, err = w.page.Generator(n.worker)
		return err
	}
	o := idgen.SnowflakeOptions{Layout: ours(), MaxWait: wait}
	o.Layout.Epoch = o.Layout.Epoch.Add(n.back)
	if w.restart == "fixed" {
		gen, err := idgen.NewSnowflake(n.worker, o)
		if err == nil {
			n.gen = gen
		}
		return err
	}
	if w.restart == "ahead" {
		o.MaxAhead = ahead
	}
	gen, err := idgen.NewLeased(ctx, machine{n}, o)
	if err == nil {
		n.gen = gen
	}
	return err
}

// machine is what a node remembers, seen by its own clock.
type machine struct{ *node }

// Acquire implements idgen.Leaser: the node has one number, so there is one to ask for.
func (m machine) Acquire(ctx context.Context, _ uint32, from, until time.Time) (idgen.Grant, error) {
	g, err := m.marks.Acquire(ctx, 1, from.Add(-m.back), until.Add(-m.back))
	return m.shown(g), err
}

// Extend implements idgen.Leaser.
func (m machine) Extend(ctx context.Context, g idgen.Grant, until time.Time) (idgen.Grant, error) {
	g, err := m.marks.Extend(ctx, m.kept(g), until.Add(-m.back))
	return m.shown(g), err
}

// Release implements idgen.Leaser.
func (m machine) Release(ctx context.Context, g idgen.Grant, used time.Time) error {
	return m.marks.Release(ctx, m.kept(g), used.Add(-m.back))
}

func (m machine) shown(g idgen.Grant) idgen.Grant {
	return idgen.Grant{Worker: m.worker, Token: g.Token, From: g.From.Add(m.back), Until: g.Until.Add(m.back)}
}

func (m machine) kept(g idgen.Grant) idgen.Grant {
	return idgen.Grant{Token: g.Token, From: g.From.Add(-m.back), Until: g.Until.Add(-m.back)}
}

// Do implements page.World.
func (w *world) Do(ctx context.Context, action, value string) error {
	switch action {
	case "issue":
		w.pinned = false
		before := w.issued
		w.issue(ctx, 0, batch/2)
		w.issue(ctx, 1, batch/2)
		w.says = fmt.Sprintf("%s IDs by two nodes; %d of them were duplicates.", page.Count(w.issued-before).Text, w.twice)
	case "same":
		return w.same(ctx)
	case "back":
		return w.setBack(ctx)
	default:
		return w.decode(action, value)
	}
	return nil
}

// same lets both nodes issue until they do it in one millisecond: nearly always at once.
func (w *world) same(ctx context.Context) error {
	for range 100 {
		for i, n := range w.nodes {
			w.issue(ctx, i, 1)
			if n.err != nil {
				return page.Invalid("%s does not issue: %v", n.name, n.err)
			}
		}
		a, b := w.nodes[0], w.nodes[1]
		at, other := ours().Time(a.last), ours().Time(b.last)
		if at.Equal(other) {
			w.pinned, w.pasted = true, nil
			w.says = fmt.Sprintf("Both say %s. The nodes %d and %d tell them apart.", clock(at), a.worker, b.worker)
			return nil
		}
		if b.back != 0 {
			break // they will not meet
		}
	}
	return page.Invalid("the IDs of B say another time than those of A")
}

// setBack stops the second node, sets its clock back and starts it again.
func (w *world) setBack(ctx context.Context) error {
	n := w.nodes[1]
	if len(w.stepped) >= steps {
		return page.Invalid("the clock of B is far enough behind; start again")
	}
	if err := n.stop(ctx); err != nil {
		return err
	}
	n.back += step
	w.stepped = append(w.stepped, w.now)
	w.pinned = false
	w.says = fmt.Sprintf("B starts again, with a clock that is %.0f s behind. ", n.back.Seconds())
	switch w.restart {
	case "fixed":
		w.says += "It does not know what it issued before."
	case "ahead":
		w.says += "It goes on after its last ID, ahead of its clock."
	default:
		w.says += "It issues nothing before its clock has passed its last ID."
	}
	n.err = w.start(ctx, n)
	if n.err != nil && !errors.Is(n.err, idgen.ErrNoWorker) { // the end of its lease is milliseconds away
		return n.err
	}
	return nil
}

func (w *world) decode(whose, text string) error {
	id, err := idgen.ParseID(text)
	switch {
	case errors.Is(err, idgen.ErrSyntax) && len(text) == 11:
		id, err = idgen.Base62.Decode(text)
	case errors.Is(err, idgen.ErrSyntax) && len(text) == 13:
		id, err = idgen.Base32.Decode(text)
	}
	f := foreign{id: id, layout: ours(), whose: "our layout"}
	switch whose {
	case "twitter":
		f.layout, f.whose = idgen.Twitter(), "Twitter’s layout"
	case "discord":
		f.layout, f.whose = idgen.Discord(), "Discord’s layout"
	}
	if err == nil {
		err = f.layout.Check(id, w.now, time.Minute)
	}
	if err != nil {
		return page.Invalid("%s", strings.TrimPrefix(err.Error(), "idgen: "))
	}
	w.pasted, w.pinned = &f, true
	at := f.layout.Time(id)
	w.says = fmt.Sprintf("In %s: made on %s UTC.", f.whose, at.Format("2 January 2006 at 15:04:05.000"))
	return nil
}

// Tick implements page.Live: the nodes issue what is due.
func (w *world) Tick(now time.Time) time.Time {
	passed := now.Sub(w.now)
	if passed > time.Second { // nobody looked; what would have happened is not made up
		passed = 0
	}
	w.now = now
	ctx := context.Background()
	for i, n := range w.nodes {
		if n.gen == nil {
			if n.err = w.start(ctx, n); n.err != nil {
				continue
			}
		}
		n.debt += w.rate * passed.Seconds()
		due := int(n.debt)
		n.debt -= float64(due)
		w.issue(ctx, i, due)
	}
	for len(w.points) > 0 && now.Sub(w.points[0].at) > shown {
		w.points = w.points[1:]
	}
	return time.Time{}
}

// issue takes IDs from a node, checks every one, and keeps the last for the picture.
func (w *world) issue(ctx context.Context, i, count int) {
	n := w.nodes[i]
	if count == 0 || n.gen == nil {
		return
	}
	ids := make([]idgen.ID, count)
	got, err := n.gen.Fill(ctx, ids)
	n.err = err
	bad := false
	for k, id := range ids[:got] {
		w.issued++
		late := n.most >= id && n.most > 0
		if late {
			w.unsorted++
		}
		bad = bad || late
		if w.remember(id) {
			w.twice++
		}
		if roundTrip(id) {
			w.equal++
		}
		n.last, n.most = id, max(n.most, id)
		if got-k <= bands {
			w.rows = append(w.rows, point{at: w.now, node: i, id: id, bad: late})
		}
	}
	w.rows = w.rows[max(0, len(w.rows)-bands):]
	if got > 0 {
		w.points = append(w.points, point{at: w.now, node: i, id: n.last, bad: bad})
		w.pair[i] = point{id: n.last}
	}
	if err != nil {
		w.points = append(w.points, point{at: w.now, node: i, refused: true})
	}
}

// remember says whether an ID was among the recent ones, and keeps it.
func (w *world) remember(id idgen.ID) bool {
	w.seen[id]++
	if w.order = append(w.order, id); len(w.order) > recent {
		oldest := w.order[0]
		w.order = w.order[1:]
		if w.seen[oldest]--; w.seen[oldest] == 0 {
			delete(w.seen, oldest)
		}
	}
	return w.seen[id] > 1
}

// roundTrip says whether an ID comes back from its fields and from each of its texts.
func roundTrip(id idgen.ID) bool {
	parts, err := ours().Split(id)
	if err != nil {
		return false
	}
	if again, err := ours().Compose(parts); err != nil || again != id {
		return false
	}
	for _, e := range []idgen.Encoding{idgen.Base58, idgen.Base32, idgen.Base62} {
		if again, err := e.Decode(e.Encode(id)); err != nil || again != id {
			return false
		}
	}
	again, err := idgen.ParseID(id.String())
	return err == nil && again == id
}

// View implements page.World.
func (w *world) View() page.View {
	shown, layout := w.rows[len(w.rows)-1].id, ours()
	if w.pinned && w.pasted != nil {
		shown, layout = w.pasted.id, w.pasted.layout
	}
	v := page.View{Says: w.says, Picture: w.picture(), Facts: map[string]page.Value{
		"issued":       page.Count(w.issued),
		"duplicates":   page.Count(w.twice).If(w.twice == 0),
		"out-of-order": page.Count(w.unsorted).If(w.unsorted == 0),
		"equal":        page.Count(w.equal).If(w.equal == w.issued),
		"time":         page.Text(layout.Time(shown).Format("2006-01-02 15:04:05.000")),
		"node":         page.Count(int64(layout.Worker(shown))),
		"sequence":     page.None(),
		"error":        page.None(),
	}}
	if layout.ShardBits > 0 {
		v.Facts["node"] = page.Text(fmt.Sprintf("%d, %d", layout.Shard(shown), layout.Worker(shown)))
	}
	if parts, err := layout.Split(shown); err == nil {
		v.Facts["sequence"] = page.Count(parts.Seq)
	}
	for _, n := range w.nodes {
		if n.err != nil {
			v.Facts["error"] = page.Text(documented(n.err))
		}
	}
	return v
}

// documented names the error of the package that a node met.
func documented(err error) string {
	for _, e := range []error{idgen.ErrClock, idgen.ErrExhausted, idgen.ErrLeaseLost, idgen.ErrNoWorker, idgen.ErrOverflow, idgen.ErrClosed} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return err.Error()
}
