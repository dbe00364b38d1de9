// Package ring is the page about placing keys on nodes: one adds a node and sees which keys move.
package ring

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/hashring"
)

const (
	keys     = 100_000
	dots     = 200 // of the keys, drawn
	maxNodes = 8   // as many as there are colours
)

// Page is the page; the zero value shows the package as it is.
type Page struct {
	Hash func(string) uint64 // nil for the package's own; a test puts a wrong one here
}

// Info implements page.Page.
func (Page) Info() page.Info {
	return page.Info{
		Path:     "ring",
		Title:    "Ring",
		Heading:  "Add a machine, move few keys",
		Lead:     "A hundred thousand keys live on a handful of nodes. The day comes when one more is needed. Which keys have to move?",
		Question: "Five nodes hold 100,000 keys. You add a sixth. How many keys must move?",
		Guesses:  [3]string{"About 83,000: nearly all", "About 17,000: a sixth", "About 50,000: half"},
		Right:    1,
		Answer: "A sixth is enough: the new node should own a sixth of the keys, and nobody else has to change. A ring moves exactly " +
			"those. Hash modulo n moves five sixths, since almost every remainder changes when n does. Try both.",
		Caption: "The ring from above: each arc belongs to the node of its colour. Inside are 200 of the keys; those that the last " +
			"change moved stand outside, each in the colour of its new owner. The bars count all 100,000 keys.",
		Settings: []page.Setting{
			{Name: "nodes", Label: "Nodes at the start", Min: 1, Max: maxNodes, Default: "5", Quiet: true},
			{Name: "placement", Label: "Placement", Default: "ring", Choices: []page.Choice{
				{Value: "modulo", Label: "Modulo"}, {Value: "ring", Label: "Ring"}, {Value: "bounded", Label: "Bounded ring"},
			}},
			{Name: "vnodes", Label: "Points per node", Default: "64", Choices: page.Numbers(1, 4, 16, 64, 256, 512)},
		},
		Forms: []page.Form{
			{Buttons: []page.Button{{Action: "add", Label: "Add a node"}}},
			{Field: &page.Field{Label: "Node", Pick: true}, Buttons: []page.Button{
				{Action: "remove", Label: "Remove"}, {Action: "weigh", Label: "Weight ×2"},
			}},
		},
		Facts: []page.Fact{
			{Name: "moved", Label: "Keys moved", Help: "by the last change", Lead: true},
			{Name: "moved-to-new", Label: "…that had to", Help: "to or from the node that changed"},
			{Name: "share", Label: "Share moved"},
			{Name: "bound", Label: "Bound", Help: "what that node owns, and 5 standard deviations"},
			{Name: "max-over-mean", Label: "Fullest ÷ fair", Help: "1 is perfectly even", Lead: true},
			{Name: "restored", Label: "Keys at home", Help: "where they were at the start"},
			{Name: "keys", Label: "Keys"},
			{Name: "nodes", Label: "Nodes"},
		},
		Try: [3]string{
			"Add a node, then switch the placement to Modulo: the same step is done again, and the dots that move tell the difference.",
			"Go from 1 point per node to 512 and watch the bars even out: the spread falls with the square root of the points.",
			"Remove a node and add it again: every key returns to where it was. Nothing was stored; its name alone decides.",
		},
		Code:    page.Code{File: "hashring/example_test.go", Symbol: "ExampleRing_Add"},
		Package: "hashring",
	}
}

// world keeps two rings, before and after the last change, and where every key was at the start and before that change.
type world struct {
	modulo bool
	ring   *hashring.Snapshot[int] // the value of a node is its colour
	before *hashring.Snapshot[int]
	start  []uint8 // owner of each key, by colour
	last   []uint8
	now    []uint8
	change string // ID of the node that changed last
	says   string
}

// New implements page.Page.
func (p Page) New(seed uint64, s page.Settings) (page.World, error) {
	o := hashring.Options{VNodes: s.Int("vnodes"), Seed: seed, Hash: p.Hash}
	if s["placement"] == "bounded" {
		o.LoadFactor = 1.05
	}
	var nodes []hashring.Node[int]
	for c := range s.Int("nodes") {
		nodes = append(nodes, node(c))
	}
	ring, err := hashring.New(nodes, o)
	if err != nil {
		return nil, err
	}
	w := &world{modulo: s["placement"] == "modulo", ring: ring.Snapshot(), says: "Nothing has changed yet."}
	w.before = w.ring
	w.now = w.owners()
	w.start, w.last = w.now, w.now
	return w, nil
}

func node(colour int) hashring.Node[int] {
	return hashring.Node[int]{ID: string(rune('a' + colour)), Value: colour}
}

// Do implements page.World.
func (w *world) Do(_ context.Context, action, id string) error {
	var next *hashring.Snapshot[int]
	var says string
	var err error
	switch action {
	case "add":
		free := 0
		for _, taken := w.ring.Node(node(free).ID); taken; _, taken = w.ring.Node(node(free).ID) {
			free++
		}
		if free >= maxNodes {
			return page.Invalid("there are colours for %d nodes only", maxNodes)
		}
		id = node(free).ID
		next, err = w.ring.With(node(free))
		says = "Node " + id + " joined"
	case "remove":
		if _, ok := w.ring.Node(id); !ok {
			return page.Invalid("there is no node %q", id)
		}
		if w.ring.Len() == 1 {
			return page.Invalid("the last node has to stay")
		}
		next = w.ring.Without(id)
		says = "Node " + id + " left"
	default:
		n, ok := w.ring.Node(id)
		if !ok {
			return page.Invalid("there is no node %q", id)
		}
		// From 1 to 2 to 4 and back to 1.
		n.Weight = math.Mod(2*max(n.Weight, 1), 7)
		next, err = w.ring.With(n)
		says = "Node " + id + " has weight " + strconv.Itoa(int(n.Weight))
	}
	if err != nil {
		return err
	}
	w.before, w.ring, w.change = w.ring, next, id
	w.last, w.now = w.now, w.owners()
	moved, due := w.moves()
	w.says = fmt.Sprintf("%s: %s of %s keys moved, %s of them to or from it.", says, page.Count(moved).Text, page.Count(keys).Text, page.Count(due).Text)
	return nil
}

// token returns where the i-th key lies on the ring.
func (w *world) token(i int) uint64 { return w.ring.Token("user:" + strconv.Itoa(i)) }

// owner returns the colour of the node that owns a token.
func (w *world) owner(s *hashring.Snapshot[int], token uint64) uint8 {
	if w.modulo {
		at := hashring.Modulo(token, s.Len())
		for n := range s.All() {
			if at--; at < 0 {
				return uint8(n.Value) //nolint:gosec // below maxNodes
			}
		}
	}
	n, _ := s.Owner(token)
	return uint8(n.Value) //nolint:gosec // below maxNodes
}

func (w *world) owners() []uint8 {
	owners := make([]uint8, keys)
	for i := range owners {
		owners[i] = w.owner(w.ring, w.token(i))
	}
	return owners
}

// moves counts the keys that changed their owner, and those for which the changed node was the old or the new one.
func (w *world) moves() (moved, due int) {
	for i, owner := range w.now {
		if was := w.last[i]; was != owner {
			moved++
			if node(int(was)).ID == w.change || node(int(owner)).ID == w.change {
				due++
			}
		}
	}
	return moved, due
}

// bound is how many keys the last change may move: the arcs that the changed node owns in one ring and not in the other, which
// the package knows exactly, and five standard deviations of the number of 100,000 keys that fall into them.
func (w *world) bound() float64 {
	if w.change == "" {
		return 0
	}
	part := math.Abs(w.ring.Stats().Share[w.change] - w.before.Stats().Share[w.change])
	return part + 5*math.Sqrt(part*(1-part)/keys)
}

func (w *world) counts() [maxNodes]int {
	var counts [maxNodes]int
	for _, owner := range w.now {
		counts[owner]++
	}
	return counts
}

// View implements page.World.
func (w *world) View() page.View {
	moved, due := w.moves()
	counts := w.counts()
	weights, home := 0.0, 0
	for n := range w.ring.All() {
		weights += max(n.Weight, 1)
	}
	fullest := 0.0
	for n := range w.ring.All() {
		fullest = max(fullest, float64(counts[n.Value])/(keys*max(n.Weight, 1)/weights))
	}
	for i, owner := range w.now {
		if w.start[i] == owner {
			home++
		}
	}
	share := float64(moved) / keys
	v := page.View{Says: w.says, Picture: w.picture(counts, moved), Facts: map[string]page.Value{
		"keys":          page.Count(len(w.now)),
		"nodes":         page.Count(w.ring.Len()),
		"moved":         page.Count(moved),
		"moved-to-new":  page.Count(due),
		"share":         page.Share(share),
		"bound":         page.Share(w.bound()),
		"max-over-mean": page.Ratio(fullest),
		"restored":      page.Count(home),
	}}
	if w.change != "" {
		v.Facts["moved-to-new"] = page.Count(due).If(due == moved)
		v.Facts["share"] = page.Share(share).If(share <= w.bound())
	}
	for n := range w.ring.All() {
		v.Picks = append(v.Picks, n.ID)
	}
	return v
}

const (
	middleX, middleY = 200, 178
	outer, inner     = 148, 126
)

func (w *world) picture(counts [maxNodes]int, moved int) *page.SVG {
	s := page.NewSVG(400, 460)
	w.arcs(s)
	for i := range dots {
		turn := float64(w.token(i)) / math.MaxUint64
		r, class := 108-float64(i%3)*11, ""
		if w.now[i] != w.last[i] {
			r, class = 160+float64(i%2)*9, " moved"
		}
		x, y := page.Polar(middleX, middleY, r, turn)
		s.Circle("key-"+strconv.Itoa(i), "key glide c"+strconv.Itoa(int(w.now[i]))+class, x, y, 3.6)
	}
	s.Text("share", "big middle", middleX, middleY+6, page.Share(float64(moved)/keys).Text)
	s.Text("what", "note middle", middleX, middleY+28, "of the keys moved")
	w.bars(s, counts)
	return s
}

// arcs draws who owns what, as the package says at 1,440 points round the ring: a quarter of a degree is all the eye can see. By
// modulo nobody owns an arc.
func (w *world) arcs(s *page.SVG) {
	if w.modulo {
		s.Circle("", "faint", middleX, middleY, (outer+inner)/2)
		return
	}
	const steps = 1440
	var paths [maxNodes]page.Path
	from := 0
	for i := 1; i <= steps; i++ {
		was := w.at(from)
		if i < steps && w.at(i) == was {
			continue
		}
		paths[was].Sector(middleX, middleY, inner, outer, float64(from)/steps, float64(i)/steps)
		from = i
	}
	for c := range paths {
		s.Path("arc-"+strconv.Itoa(c), "arc c"+strconv.Itoa(c), &paths[c])
	}
}

func (w *world) at(step int) uint8 { return w.owner(w.ring, (uint64(step)*2+1)*(math.MaxUint64/2880)) } //nolint:gosec // not negative

// bars count all keys of each node, in two columns that are the legend as well.
func (w *world) bars(s *page.SVG, counts [maxNodes]int) {
	row := 0
	most := float64(slices.Max(counts[:]))
	for n := range w.ring.All() {
		x, y := 8+float64(row%2)*200, 376+float64(row/2)*22
		c := strconv.Itoa(n.Value)
		name := n.ID
		if n.Weight > 1 {
			name += "×" + strconv.Itoa(int(n.Weight))
		}
		s.Text("name-"+c, "label", x, y+11, name)
		s.Rect("bar-"+c, "glide c"+c, x+26, y, 104*float64(counts[n.Value])/most, 14, 3)
		s.Text("count-"+c, "note end", x+184, y+11, page.Count(counts[n.Value]).Text)
		row++
	}
}
