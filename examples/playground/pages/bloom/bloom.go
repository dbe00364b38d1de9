// Package bloom is the page about remembering a set in far less memory than it has: one adds words and sees the bits that they
// leave behind.
package bloom

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/examples/playground/page"
)

const (
	strangers  = 100_000 // words that were never added, and are tested
	confidence = 0.999
	most       = 6000 // words that the page adds
	header     = 64   // bytes of the serialized form before the bits, see bloom/FORMAT.md
)

// Filter is what the page needs of a bloom.Filter.
type Filter interface {
	Add(k bloom.Key)
	Test(k bloom.Key) bool
	MarshalBinary() ([]byte, error)
	Layout() bloom.Layout
	Stats() bloom.Stats
}

// Page is the page; the zero value shows the package as it is.
type Page struct {
	Filter func(capacity uint64, rate float64) (Filter, error) // nil for the package's own; a test puts a wrong one here
}

// Info implements page.Page.
func (Page) Info() page.Info {
	return page.Info{
		Path:    "bloom",
		Title:   "Bloom",
		Heading: "A set that forgets its members",
		Lead: "Is this name taken? Is this key on disk? A Bloom filter answers from a few bits a word, because it does not keep the " +
			"words: each one leaves some bits behind, and that is all.",
		Question: "A filter of 1.3 KB has seen 1,000 words and stored none of them. You ask for one of the thousand. How often does it " +
			"say that it is absent?",
		Guesses: [3]string{"Never", "1 time in 100", "Half of the time"},
		Right:   0,
		Answer: "Never. Adding a word sets its bits, nothing ever clears one, so a word that was added finds all of its bits. The errors " +
			"are on the other side: about 1 of 100 strangers finds its bits set too, by others. “Absent” is certain, “present” is probable.",
		Caption: "The whole memory, bit by bit: each tile is a cache line of 8 words of 64 bits, and the last change is orange. Above, " +
			"magnified, the framed tile, where the word lives, with its own bits framed: red where one is missing. Below, how many strangers are " +
			"taken for members; the curve is the formula, the dots are measured.",
		Settings: []page.Setting{
			{Name: "capacity", Label: "Made for", Unit: "words", Default: "1000", Choices: page.Numbers(250, 500, 1000)},
			{Name: "rate", Label: "Wrong “present” at most", Default: "1", Choices: []page.Choice{
				{Value: "10", Label: "10 %"}, {Value: "1", Label: "1 %"}, {Value: "0.1", Label: "0.1 %"},
			}},
		},
		Forms: []page.Form{
			{Buttons: []page.Button{{Action: "thousand", Label: "Add 1,000"}, {Action: "hundred", Label: "Add 100"}}},
			{Field: &page.Field{Label: "Word", Max: 40, Hint: "grace"}, Buttons: []page.Button{
				{Action: "add", Label: "Add"}, {Action: "test", Label: "Test"},
			}},
		},
		Facts: []page.Fact{
			{Name: "false-negatives", Label: "Members called absent", Help: "all that were added, asked for again", Lead: true},
			{Name: "measured", Label: "Strangers let in", Help: "of 100,000 that were never added", Lead: true},
			{Name: "low", Label: "At least", Help: "by chance, in 99.9 % of all cases"},
			{Name: "high", Label: "At most", Help: "by chance, in 99.9 % of all cases"},
			{Name: "theory", Label: "Theory", Help: "by the bits that are set"},
			{Name: "formula", Label: "Formula", Help: "by the number of words alone"},
			{Name: "added", Label: "Words added"},
			{Name: "fill", Label: "Bits set"},
			{Name: "bytes", Label: "Memory"},
			{Name: "per-word", Label: "Bits for each word", Help: "that it was made for"},
		},
		Try: [3]string{
			"Test a word before you add it. One empty bit is enough to say no, for certain: the red frames are the proof.",
			"Add 1,000 to the filter for 1,000, then 1,000 more. It still finds every member; only strangers get in more and more.",
			"Go from 1 % to 0.1 %. Ten times fewer errors: how many more bits for each word?",
		},
		Code:    page.Code{File: "bloom/example_test.go", Symbol: "ExampleFilter_Stats"},
		Package: "bloom",
	}
}

// point is a rate that was measured.
type point struct{ words, rate float64 }

type world struct {
	fresh func() (Filter, error)
	f     Filter
	seed  uint64
	words []string // in the order in which they were added
	known map[string]bool
	batch int // words that the page made up

	before, now []byte // the bits before and after the last addition
	word        string // in the magnifying glass
	marks       []int  // its bits
	missing     int    // of them
	taken       int    // strangers called present
	denied      int    // members called absent
	low, high   float64
	past        []point
	says        string
}

// New implements page.Page.
func (p Page) New(seed uint64, s page.Settings) (page.World, error) {
	create := p.Filter
	if create == nil {
		create = func(capacity uint64, rate float64) (Filter, error) { return bloom.New(capacity, rate, bloom.Options{}) }
	}
	target, err := strconv.ParseFloat(s["rate"], 64)
	if err != nil {
		return nil, err
	}
	w := &world{seed: seed, known: map[string]bool{}}
	w.fresh = func() (Filter, error) { return create(uint64(s.Int("capacity")), target/100) } //nolint:gosec // one of the choices
	if w.f, err = w.fresh(); err != nil {
		return nil, err
	}
	if w.now, err = bits(w.f); err != nil {
		return nil, err
	}
	return w, w.addWord("ada")
}

// bits are those of the serialized filter, word 0 of block 0 first, its lowest bit first.
func bits(f Filter) ([]byte, error) {
	data, err := f.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return data[header : header+f.Layout().Bytes()], nil
}

func set(bits []byte, i int) bool { return bits[i/8]>>(i%8)&1 == 1 }

// Do implements page.World.
func (w *world) Do(_ context.Context, action, word string) error {
	switch action {
	case "add":
		if word == "" {
			return page.Invalid("a word has letters")
		}
		return w.addWord(word)
	case "test":
		if word == "" {
			return page.Invalid("a word has letters")
		}
		return w.test(word)
	case "hundred":
		return w.addMany(100)
	default:
		return w.addMany(1000)
	}
}

// change adds words and notes what it did to the bits.
func (w *world) change(words ...string) error {
	if len(w.words)+len(words) > most {
		return page.Invalid("the page adds at most %s words", page.Count(most).Text)
	}
	for _, word := range words {
		w.f.Add(bloom.String(word))
		if !w.known[word] {
			w.known[word] = true
			w.words = append(w.words, word)
		}
	}
	after, err := bits(w.f)
	if err != nil {
		return err
	}
	w.before, w.now = w.now, after
	w.measure()
	return nil
}

// freshBits counts those that the last addition set: the difference of two serialized filters.
func (w *world) freshBits() int {
	n := 0
	for i := range 8 * len(w.now) {
		if set(w.now, i) && !set(w.before, i) {
			n++
		}
	}
	return n
}

func (w *world) addWord(word string) error {
	if err := w.change(word); err != nil {
		return err
	}
	if err := w.magnify(word); err != nil {
		return err
	}
	switch n := w.freshBits(); n {
	case 0:
		w.says = fmt.Sprintf("“%s” found all of its %d bits set. Adding it changed nothing.", word, len(w.marks))
	default:
		w.says = fmt.Sprintf("“%s” has %d bits in block %d of %d; %d of them are new.", word, len(w.marks), w.block()+1, w.f.Layout().Blocks, n)
	}
	return nil
}

func (w *world) addMany(n int) error {
	var words []string
	for range n {
		w.batch++
		words = append(words, fmt.Sprintf("member-%d-%d", w.seed, w.batch))
	}
	if err := w.change(words...); err != nil {
		w.batch -= n
		return err
	}
	w.missing = 0
	w.says = fmt.Sprintf("%s words set %s bits that were clear.", page.Count(n).Text, page.Count(w.freshBits()).Text)
	return nil
}

func (w *world) test(word string) error {
	if err := w.magnify(word); err != nil {
		return err
	}
	w.before = w.now // nothing is new
	switch present := w.f.Test(bloom.String(word)); {
	case !present && w.known[word]:
		w.says = fmt.Sprintf("“%s” is said to be absent, and was added. That must not happen.", word)
	case !present:
		w.says = fmt.Sprintf("“%s” is absent, for certain: %d of its %d bits are clear.", word, w.missing, len(w.marks))
	case w.known[word]:
		w.says = fmt.Sprintf("“%s” is probably present: all of its %d bits are set. And it was added.", word, len(w.marks))
	default:
		w.says = fmt.Sprintf("“%s” is said to be present, and never was: others have set all of its %d bits.", word, len(w.marks))
	}
	return nil
}

// magnify finds the bits of a word: those of a filter that holds nothing else.
func (w *world) magnify(word string) error {
	f, err := w.fresh()
	if err != nil {
		return err
	}
	f.Add(bloom.String(word))
	alone, err := bits(f)
	if err != nil {
		return err
	}
	w.word, w.marks, w.missing = word, nil, 0
	for i := range 8 * len(alone) {
		if set(alone, i) {
			w.marks = append(w.marks, i)
			if !set(w.now, i) {
				w.missing++
			}
		}
	}
	return nil
}

// block is where the word lives.
func (w *world) block() int {
	if len(w.marks) == 0 {
		return 0
	}
	return w.marks[0] / 512
}

// measure asks for every member and for many strangers.
func (w *world) measure() {
	w.denied, w.taken = 0, 0
	for _, word := range w.words {
		if !w.f.Test(bloom.String(word)) {
			w.denied++
		}
	}
	word := fmt.Appendf(nil, "stranger-%d-", w.seed)
	prefix := len(word)
	for i := range strangers {
		word = strconv.AppendInt(word[:prefix], int64(i), 10)
		if w.f.Test(bloom.Bytes(word)) && !w.known[string(word)] {
			w.taken++
		}
	}
	w.low, w.high = between(strangers, w.f.Stats().Rate)
	w.past = append(w.past, point{float64(len(w.words)), float64(w.taken) / strangers})
}

// between returns the shares of n tries within which a chance of rate stays with the confidence of the page: exact quantiles of the
// binomial distribution, half of the doubt on each side.
func between(n int, rate float64) (low, high float64) {
	if rate <= 0 || rate >= 1 {
		return rate, rate
	}
	const doubt = (1 - confidence) / 2
	// The logarithm of the chance of k hits, from that of k-1.
	chance := float64(n) * math.Log1p(-rate)
	odds := math.Log(rate) - math.Log1p(-rate)
	sum, from := 0.0, -1
	for k := range n + 1 {
		if k > 0 {
			chance += odds + math.Log(float64(n-k+1)/float64(k))
		}
		sum += math.Exp(chance)
		if from < 0 && sum > doubt {
			from = k
		}
		if sum >= 1-doubt {
			return float64(from) / float64(n), float64(k) / float64(n)
		}
	}
	return float64(max(from, 0)) / float64(n), 1
}

// View implements page.World.
func (w *world) View() page.View {
	l, stats := w.f.Layout(), w.f.Stats()
	measured := float64(w.taken) / strangers
	return page.View{Says: w.says, Picture: w.picture(), Facts: map[string]page.Value{
		"false-negatives": page.Count(w.denied).If(w.denied == 0),
		"measured":        percent(measured).If(measured >= w.low && measured <= w.high),
		"low":             percent(w.low),
		"high":            percent(w.high),
		"theory":          percent(stats.Rate),
		"formula":         percent(l.RateAt(float64(len(w.words)))),
		"added":           page.Count(len(w.words)),
		"fill":            page.Share(stats.Fill),
		"bytes":           {Text: page.Count(l.Bytes()).Text + " bytes", Number: strconv.FormatUint(l.Bytes(), 10)},
		"per-word":        page.Ratio(8 * float64(l.Bytes()) / float64(l.Capacity)),
	}}
}

// percent shows single cases of 100,000.
func percent(x float64) page.Value {
	v := page.Value{Text: strconv.FormatFloat(100*x, 'f', 3, 64) + " %", Number: strconv.FormatFloat(x, 'f', 8, 64)}
	if x >= 0.1 {
		v.Text = page.Share(x).Text
	}
	return v
}
