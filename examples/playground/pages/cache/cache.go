// Package cache is the page about what to keep when not everything fits: policies side by side, under the ceiling that knowing the
// future would give.
package cache

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/lru"
)

const (
	window = 200  // requests that are drawn
	warm   = 2000 // requests before the page begins
	keep   = 24   // measurements, each up to a megabyte
)

// Cache is what the page needs of a lru.Cache.
type Cache interface {
	Get(key int) (int, bool)
	Set(key, value int) bool
}

// Create makes a cache that calls gone with the value of each entry that is evicted.
type Create func(capacity int, policy lru.Policy, gone func(value int)) (Cache, error)

func create(capacity int, policy lru.Policy, gone func(value int)) (Cache, error) {
	return lru.New(capacity, lru.Options[int, int]{
		Policy: policy, OnRemove: func(e lru.Entry[int, int], _ lru.Cause) { gone(e.Value) },
	})
}

// Page is the page; the zero value shows the package as it is.
//
// An Adaptive cache places keys by a random hash, so that no two of them decide quite alike. The page therefore measures once per
// seed and workload, and remembers what it has seen: in a cache, of course.
type Page struct {
	Create Create // nil for the package's own; a test puts a wrong one here

	once sync.Once
	kept *lru.Cache[stage, *measured]
	err  error
}

// contender is a policy that is drawn; the optimum has none.
type contender struct {
	name, label string
	policy      lru.Policy
	colour      string
}

func contenders() []contender {
	return []contender{
		{"optimum", "Optimum", 0, "7"},
		{"adaptive", "Adaptive", lru.Adaptive, "0"},
		{"lru", "LRU", lru.LRU, "1"},
		{"lfu", "LFU", lru.LFU, "2"},
		{"fifo", "FIFO", lru.FIFO, "3"},
		{"sieve", "SIEVE", lru.SIEVE, "4"},
	}
}

// Info implements page.Page.
func (*Page) Info() page.Info {
	info := page.Info{
		Path:    "cache",
		Title:   "Cache",
		Heading: "What to keep, not knowing what comes",
		Lead: "A cache is full and something new arrives: one entry has to go. A policy guesses which one will be missed least. " +
			"Only someone who knew the future could always be right, and that is the ceiling.",
		Question: "A job reads 300 keys round and round, in the same order. The cache holds 200 and drops what was used least recently. " +
			"How often does it hit?",
		Guesses: [3]string{"Two times of three", "Every other time", "Never"},
		Right:   2,
		Answer: "Never. What was used least recently is just what the loop will ask for next, so LRU drops each key a moment before " +
			"it is wanted. Keeping any 200 keys and letting the others pass would hit two times of three. Take the workload Loop, " +
			"and watch LRU, then Adaptive.",
		Caption: "Above, the share of requests that are hits, over the size of the cache; nobody can be in the shaded part. In " +
			"the middle, 200 requests from left to right: a key is a height, a line is the time it is kept, a full dot a hit, a hollow " +
			"one a miss. Below, the same 200 requests for all policies: coloured where they hit.",
		Settings: []page.Setting{
			{Name: "workload", Label: "Workload", Default: "scan", Choices: []page.Choice{
				{Value: "popular", Label: "Popular"}, {Value: "scan", Label: "Scans"}, {Value: "loop", Label: "Loop"}, {Value: "news", Label: "News"},
			}},
			{Name: "capacity", Label: "The cache holds", Unit: "entries", Min: smallest, Max: largest, Step: smallest, Default: "100"},
			{Name: "watch", Label: "Watch", Default: "lru"},
		},
		Forms: []page.Form{{Buttons: []page.Button{
			{Action: "replay", Label: "Replay 200 steps"}, {Action: "back", Label: "Back"},
		}}},
		Facts: []page.Fact{
			{Name: "ratio-optimum", Label: "Optimum", Help: "knows all 5,000 requests", Lead: true},
			{Name: "ratio-adaptive", Label: "Adaptive", Help: "the package's default", Lead: true},
			{Name: "ratio-lru", Label: "LRU", Help: "drops the least recently used"},
			{Name: "ratio-lfu", Label: "LFU", Help: "drops the least often used"},
			{Name: "ratio-fifo", Label: "FIFO", Help: "drops the oldest"},
			{Name: "ratio-sieve", Label: "SIEVE", Help: "drops the oldest not used since"},
			{Name: "hits", Label: "Hits in these 200", Help: "of the policy that you watch"},
			{Name: "step", Label: "Replayed up to", Help: "of 5,000 requests"},
		},
		Try: [3]string{
			"Watch LRU while a scan runs up the picture: the popular keys below lose their lines. Then watch Adaptive keep them.",
			"Take the loop and drag the size from 275 to 300. One more step, and everything hits: a cliff. Which policies do not need it?",
			"Take the news, where every key is soon forgotten. Who clings to the heroes of yesterday, and who beats the default?",
		},
		Code:    page.Code{File: "lru/example_test.go", Symbol: "ExampleNew_exact"},
		Package: "lru",
	}
	for _, c := range contenders() {
		info.Settings[2].Choices = append(info.Settings[2].Choices, page.Choice{Value: c.name, Label: c.label})
	}
	return info
}

// stage is what the measurements depend on.
type stage struct {
	workload string
	seed     uint64
}

// measured is a stream of requests and what became of it, by capacity and contender.
type measured struct {
	kind string
	keys []int
	runs [largest / smallest][]run
}

func measure(s stage, create Create) (*measured, error) {
	m := &measured{kind: s.workload, keys: stream(s.workload, s.seed)}
	var all sync.WaitGroup
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	errs := make([]error, len(m.runs))
	for i := range m.runs {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			capacity := smallest * (i + 1)
			m.runs[i] = []run{optimum(m.keys, capacity)}
			for _, c := range contenders()[1:] {
				r, err := replay(m.keys, capacity, c.policy, create)
				if err != nil {
					errs[i] = err
					return
				}
				m.runs[i] = append(m.runs[i], r)
			}
		})
	}
	all.Wait()
	return m, firstError(errs)
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// New implements page.Page.
func (p *Page) New(seed uint64, s page.Settings) (page.World, error) {
	p.once.Do(func() { p.kept, p.err = lru.New(keep, lru.Options[stage, *measured]{}) })
	if p.err != nil {
		return nil, p.err
	}
	m, err := p.kept.GetOrLoad(context.Background(), stage{s["workload"], seed}, func(_ context.Context, s stage) (*measured, error) {
		if p.Create != nil {
			return measure(s, p.Create)
		}
		return measure(s, create)
	})
	if err != nil {
		return nil, err
	}
	w := &world{m: m, size: s.Int("capacity")/smallest - 1, at: warm}
	w.watch = slices.IndexFunc(contenders(), func(c contender) bool { return c.name == s["watch"] })
	return w, nil
}

type world struct {
	m     *measured
	size  int // index in m.runs
	watch int // index in contenders
	at    int // requests before this one have been replayed
}

// Do implements page.World.
func (w *world) Do(_ context.Context, action, _ string) error {
	to := w.at + window
	if action == "back" {
		to = w.at - window
	}
	if to < window || to > requests {
		return page.Invalid("the stream ends here: it has %s requests", page.Count(requests).Text)
	}
	w.at = to
	return nil
}

// ratio is the share of hits of the whole stream.
func (w *world) ratio(size, contender int) float64 {
	return float64(w.m.runs[size][contender].hits(0, requests)) / requests
}

// View implements page.World.
func (w *world) View() page.View {
	v := page.View{Picture: w.picture(), Facts: map[string]page.Value{"step": page.Count(w.at)}}
	best := w.ratio(w.size, 0)
	for i, c := range contenders() {
		ratio := w.ratio(w.size, i)
		v.Facts["ratio-"+c.name] = page.Share(ratio)
		if ratio > best {
			v.Facts["ratio-"+c.name] = page.Share(ratio).If(false)
		}
	}
	hits, could := w.hits(w.watch), w.hits(0)
	v.Facts["hits"] = page.Count(hits)
	v.Says = fmt.Sprintf("Requests %s to %s: the optimum hits %d of %d", page.Count(w.at-window+1).Text, page.Count(w.at).Text, could, window)
	if w.watch > 0 {
		v.Says += fmt.Sprintf(", %s %d", contenders()[w.watch].label, hits)
	}
	v.Says += "."
	return v
}

// hits counts those that are drawn.
func (w *world) hits(contender int) int {
	return w.m.runs[w.size][contender].hits(w.at-window, w.at)
}

const left, right = 46, 314 // of all three parts

func (w *world) picture() *page.SVG {
	s := page.NewSVG(400, 490)
	w.curves(s)
	w.lives(s)
	w.lanes(s)
	return s
}

// curves draw the hit ratio over the capacity. The watched policy comes last, above the others.
func (w *world) curves(s *page.SVG) {
	p := page.Plot{
		X: page.Scale{Low: 0, High: largest, From: left, To: right},
		Y: page.Scale{Low: 0, High: 1, From: 176, To: 24},
	}
	var sizes []float64
	curves := make([][]float64, len(contenders()))
	for i := range w.m.runs {
		sizes = append(sizes, float64(smallest*(i+1)))
		for c := range curves {
			curves[c] = append(curves[c], w.ratio(i, c))
		}
	}
	var ceiling page.Path
	ceiling.Line(left, 24)
	ceiling.Line(left, p.Y.From)
	for i, size := range sizes {
		ceiling.Line(p.X.At(size), p.Y.At(curves[0][i]))
	}
	ceiling.Line(right, 24)
	ceiling.Close()
	s.Path("ceiling", "faint", &ceiling)
	var xs []page.Tick
	for _, n := range []int{100, 200, 300, 400} {
		xs = append(xs, page.Tick{At: float64(n), Label: strconv.Itoa(n)})
	}
	p.Axes(s, "", "hits, by entries in the cache", xs, []page.Tick{{At: 0, Label: "0"}, {At: 0.5, Label: "50 %"}, {At: 1, Label: "100 %"}})
	at := p.X.At(sizes[w.size])
	s.Line("size", "mark glide", at, p.Y.From, at, 24)
	order := []int{5, 4, 3, 2, 1, 0}
	order = append(slices.DeleteFunc(order, func(c int) bool { return c == w.watch }), w.watch)
	for _, c := range order {
		class := "s" + contenders()[c].colour + " others"
		if c == 0 {
			class = "ceiling"
		}
		if c == w.watch {
			class += " chosen"
		}
		p.Line(s, "curve-"+contenders()[c].name, class, sizes, curves[c])
	}
	for _, c := range order {
		s.Circle("dot-"+contenders()[c].name, "glide "+fill(c), at, p.Y.At(curves[c][w.size]), 4)
	}
	w.names(s, p, curves)
}

func fill(c int) string {
	if c == 0 {
		return "ink"
	}
	return "c" + contenders()[c].colour
}

// names stand at the end of the curves, pushed apart where curves end close together.
func (w *world) names(s *page.SVG, p page.Plot, curves [][]float64) {
	const apart = 16
	order := []int{0, 1, 2, 3, 4, 5}
	end := func(c int) float64 { return p.Y.At(curves[c][len(curves[c])-1]) }
	slices.SortStableFunc(order, func(a, b int) int { return int(100 * (end(a) - end(b))) })
	ys := make([]float64, len(order))
	for i, c := range order {
		ys[i] = end(c)
		if i > 0 {
			ys[i] = max(ys[i], ys[i-1]+apart)
		}
	}
	for i := len(order) - 1; i >= 0; i-- { // and up again where the last of them left the plot
		ys[i] = min(ys[i], p.Y.From-apart*float64(len(order)-1-i))
		c := order[i]
		var path page.Path
		path.Line(right+1, end(c))
		path.Line(right+9, ys[i])
		s.Path("lead-"+contenders()[c].name, "s"+contenders()[c].colour+" kept", &path)
		s.Circle("", fill(c), right+13, ys[i], 3)
		s.Text("name-"+contenders()[c].name, weight(c == w.watch), right+19, ys[i]+4.5, contenders()[c].label)
	}
}

func weight(bold bool) string {
	if bold {
		return "label"
	}
	return ""
}
