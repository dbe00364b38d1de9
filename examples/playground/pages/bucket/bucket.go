// Package bucket is the page about limiting a rate: one fires a burst and sees what passes, and when it may come back.
package bucket

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/ratelimit"
)

const (
	shown = 20 * time.Second       // of history
	bin   = 100 * time.Millisecond // arrivals that are drawn as one bar
	per   = time.Second            // the limit's period, and the window whose worst case is counted
	shots = 50
)

// Limiter is what the page needs of a ratelimit.Limiter.
type Limiter interface {
	Take(n int) ratelimit.Decision
	Peek(n int) ratelimit.Decision
	Reserve(n int, maxWait time.Duration) (ratelimit.Reservation, bool)
	SetLimits(limits ...ratelimit.Limit) error
}

// Page is the page; the zero value shows the package as it is.
type Page struct {
	Limiter func(l ratelimit.Limit) (Limiter, error) // nil for the package's own; a test puts a wrong one here
}

// Info implements page.Page.
func (Page) Info() page.Info {
	return page.Info{
		Path:    "bucket",
		Title:   "Bucket",
		Heading: "A burst now, a rate for ever",
		Lead: "A token bucket lets a client be impatient for a moment, but not for long. Tokens drip in at the rate; a request takes " +
			"one, or is refused and told when to come back.",
		Question: "The bucket holds 20 tokens and gets 5 a second. You fire 50 requests at once. How many pass?",
		Guesses:  [3]string{"5: the rate", "20: what the bucket holds", "50: they come in one second"},
		Right:    1,
		Answer: "20. The bucket was full, and it is the bucket that decides about a burst; the rate only decides how soon it is full " +
			"again: 4 seconds later. Over any stretch of t seconds at most 20 + 5·t pass.",
		Caption: "Twenty seconds, now at the right. Above, the tokens in the bucket; below, requests in steps of a tenth of a " +
			"second: upwards what was admitted, downwards what was refused.",
		Settings: []page.Setting{
			{Name: "limiter", Label: "Limiter", Default: "bucket", Choices: []page.Choice{
				{Value: "bucket", Label: "Token bucket"}, {Value: "fixed", Label: "Fixed window"}, {Value: "sliding", Label: "Sliding window"},
			}},
			{Name: "rate", Label: "Rate", Unit: "a second", Min: 1, Max: 20, Default: "5"},
			{Name: "burst", Label: "Bucket holds", Unit: "tokens", Min: 1, Max: 50, Default: "20", Quiet: true},
			{Name: "traffic", Label: "Steady traffic", Unit: "a second", Min: 0, Max: 40, Default: "0"},
		},
		Forms: []page.Form{{Buttons: []page.Button{
			{Action: "fire", Label: "Fire 50"}, {Action: "return", Label: "Come back when told"},
		}}},
		Facts: []page.Fact{
			{Name: "admitted", Label: "Of the last 50 passed", Lead: true},
			{Name: "level", Label: "Tokens now", Lead: true},
			{Name: "worst-window", Label: "Most in one second", Help: "of all seconds shown"},
			{Name: "allowed", Label: "At most", Help: "what the limiter promises"},
			{Name: "retry-after-ms", Label: "Told to wait"},
			{Name: "waited-ms", Label: "Really waited"},
		},
		Try: [3]string{
			"Fire 50, and again a second later: now only what has dripped in passes.",
			"Set the traffic above the rate. After the bucket has run dry the admitted bars show the rate, whatever the traffic.",
			"Take the fixed window and fire twice round the turn of a second: up to twice the rate passes within a moment.",
		},
		Code:    page.Code{File: "ratelimit/example_test.go", Symbol: "ExampleLimiter_Take"},
		Package: "ratelimit",
	}
}

// sample is the level at a moment, and what arrived in the time since the sample before.
type sample struct {
	at    time.Time
	level float64
}

type arrival struct {
	at time.Time
	ok bool
}

type world struct {
	limiter  Limiter
	limit    ratelimit.Limit
	limiters func(l ratelimit.Limit) (Limiter, error)
	random   *rand.Rand

	traffic  float64   // a second
	next     time.Time // arrival of the next request of the steady traffic
	now      time.Time
	levels   []sample
	arrivals []arrival

	admitted int // of the last shots; -1: none yet
	told     time.Duration
	asked    time.Time // when the request that waits was refused
	due      time.Time // when its turn comes; zero: none waits
	waited   time.Duration
	says     string
}

// New implements page.Page.
func (p Page) New(seed uint64, s page.Settings) (page.World, error) {
	w := &world{limiters: p.Limiter, random: rand.New(rand.NewPCG(seed, 0)), admitted: -1, waited: -1, says: "The bucket is full."} //nolint:gosec // arrivals, no secrets
	if w.limiters == nil {
		w.limiters = func(l ratelimit.Limit) (Limiter, error) { return ratelimit.New(l) }
	}
	w.now = time.Now()
	return w, w.Set(s)
}

// Set implements page.Live. Another kind of limiter begins anew; another rate keeps what was used.
func (w *world) Set(s page.Settings) error {
	l := ratelimit.Limit{Count: int64(s.Int("rate")), Per: per}
	switch s["limiter"] {
	case "fixed":
		l.Algorithm = ratelimit.FixedWindow
	case "sliding":
		l.Algorithm = ratelimit.SlidingWindow
	default:
		l.Burst = int64(s.Int("burst"))
	}
	if w.limiter == nil || l.Algorithm != w.limit.Algorithm {
		limiter, err := w.limiters(l)
		if err != nil {
			return err
		}
		w.limiter, w.due = limiter, time.Time{}
	} else if err := w.limiter.SetLimits(l); err != nil {
		return err
	}
	if traffic := float64(s.Int("traffic")); traffic != w.traffic {
		w.traffic, w.next = traffic, w.now
		w.schedule()
	}
	w.limit = l
	return nil
}

// schedule draws when the next request of the steady traffic comes: independent arrivals have exponential gaps.
func (w *world) schedule() {
	if w.traffic > 0 {
		w.next = w.next.Add(time.Duration(w.random.ExpFloat64() / w.traffic * float64(time.Second)))
	}
}

// Do implements page.World.
func (w *world) Do(_ context.Context, action, _ string) error {
	switch action {
	case "fire":
		w.admitted = 0
		for range shots {
			if w.take() {
				w.admitted++
			}
		}
		w.says = fmt.Sprintf("%d of %d passed, %d were refused.", w.admitted, shots, shots-w.admitted)
		w.observe()
	case "return":
		if !w.due.IsZero() {
			return page.Invalid("one request is waiting already")
		}
		d := w.limiter.Take(1)
		for i := 0; d.OK && i < shots; i++ {
			w.arrivals = append(w.arrivals, arrival{w.now, true})
			d = w.limiter.Take(1)
		}
		turn, ok := w.limiter.Reserve(1, time.Minute)
		if d.OK || !ok {
			return page.Invalid("this limiter refuses nobody, or for ever")
		}
		w.arrivals = append(w.arrivals, arrival{w.now, false})
		w.told, w.asked, w.waited = d.RetryAfter, w.now, -1
		w.due = w.now.Add(turn.Delay())
		w.says = fmt.Sprintf("Refused, and told to come back in %d ms.", d.RetryAfter.Milliseconds())
		w.observe()
	}
	return nil
}

func (w *world) take() bool {
	ok := w.limiter.Take(1).OK
	w.arrivals = append(w.arrivals, arrival{w.now, ok})
	return ok
}

// Tick implements page.Live: what was due by now happens.
func (w *world) Tick(now time.Time) time.Time {
	if now.Sub(w.now) > time.Second { // nobody looked; what would have happened is not made up
		w.next = now
	}
	w.now = now
	for w.traffic > 0 && !w.next.After(now) {
		w.take()
		w.schedule()
	}
	if !w.due.IsZero() && !w.due.After(now) {
		w.waited, w.due = now.Sub(w.asked), time.Time{}
		w.arrivals = append(w.arrivals, arrival{now, true})
		w.says = fmt.Sprintf("Came back after %d ms, and passed.", w.waited.Milliseconds())
	}
	w.observe()
	for len(w.levels) > 1 && now.Sub(w.levels[1].at) > shown {
		w.levels = w.levels[1:]
	}
	for len(w.arrivals) > 0 && now.Sub(w.arrivals[0].at) > shown {
		w.arrivals = w.arrivals[1:]
	}
	return w.due
}

// observe notes the level. A bucket says more exactly than in whole tokens how much is in it: by when it will be full.
func (w *world) observe() {
	d := w.limiter.Peek(0)
	level := float64(d.Remaining)
	if w.limit.Algorithm == ratelimit.TokenBucket {
		level = math.Max(0, float64(w.limit.Burst)-d.ResetAfter.Seconds()*float64(w.limit.Count))
	}
	w.levels = append(w.levels, sample{w.now, level})
}

// holds is what the limiter lets through at once.
func (w *world) holds() int64 { return max(w.limit.Burst, w.limit.Count) }

// allowed is what may pass in one second at most: a bucket that is full and refills meanwhile, or two windows of which the
// second is partly in it.
func (w *world) allowed() int64 {
	if w.limit.Algorithm == ratelimit.TokenBucket {
		return w.limit.Burst + w.limit.Count
	}
	return 2 * w.limit.Count
}

// worst counts the admitted requests in the busiest second: one that begins with an admitted request.
func (w *world) worst() int {
	most, from, in := 0, 0, 0
	for i, a := range w.arrivals {
		if a.ok {
			in++
		}
		for ; w.arrivals[i].at.Sub(w.arrivals[from].at) >= per; from++ {
			if w.arrivals[from].ok {
				in--
			}
		}
		most = max(most, in)
	}
	return most
}

// View implements page.World.
func (w *world) View() page.View {
	worst, level := w.worst(), w.limiter.Peek(0).Remaining
	v := page.View{Says: w.says, Picture: w.picture(), Facts: map[string]page.Value{
		"admitted":       page.None(),
		"level":          page.Count(level).If(level >= 0 && level <= w.holds()),
		"worst-window":   page.Count(worst).If(int64(worst) <= w.allowed()),
		"allowed":        page.Count(w.allowed()),
		"retry-after-ms": page.None(),
		"waited-ms":      page.None(),
	}}
	v.Facts["level"] = page.Count(level)
	if w.admitted >= 0 {
		v.Facts["admitted"] = page.Count(w.admitted)
	}
	if !w.asked.IsZero() {
		v.Facts["retry-after-ms"] = page.Millis(w.told.Milliseconds())
	}
	if w.waited >= 0 {
		v.Facts["waited-ms"] = page.Millis(w.waited.Milliseconds()).If((w.waited - w.told).Abs() <= 50*time.Millisecond)
	}
	return v
}

// picture draws the bucket, its level over time, and the arrivals below.
func (w *world) picture() *page.SVG {
	s := page.NewSVG(400, 330)
	holds := float64(w.holds())
	p := page.Plot{
		X: page.Scale{Low: -shown.Seconds(), High: 0, From: 34, To: 318},
		Y: page.Scale{Low: 0, High: holds, From: 160, To: 30},
	}
	p.Axes(s, "", "tokens", nil, []page.Tick{{At: 0, Label: "0"}, {At: holds, Label: strconv.Itoa(int(holds))}})
	var xs, ys []float64
	for _, l := range w.levels {
		xs, ys = append(xs, l.at.Sub(w.now).Seconds()), append(ys, l.level)
	}
	p.Area(s, "level-area", "soft c0", xs, ys)
	p.Line(s, "level-line", "s0", xs, ys)

	level := 0.0
	if len(ys) > 0 {
		level = ys[len(ys)-1]
	}
	top := p.Y.At(level)
	s.Rect("bucket", "vessel", 336, 30, 52, 130, 8)
	s.Rect("water", "c0", 339, top, 46, 160-top-2, 5)
	s.Text("tokens", "label middle", 362, 180, strconv.Itoa(int(level)))

	const base = 242
	var up, down page.Path
	for i := 0; i < len(w.arrivals); {
		slot := w.arrivals[i].at.UnixNano() / int64(bin)
		admitted, refused := 0, 0
		for ; i < len(w.arrivals) && w.arrivals[i].at.UnixNano()/int64(bin) == slot; i++ {
			if w.arrivals[i].ok {
				admitted++
			} else {
				refused++
			}
		}
		x := p.X.At(float64(slot*int64(bin)-w.now.UnixNano()) / 1e9)
		bar(&up, x, base, -height(admitted))
		bar(&down, x, base+2, height(refused))
	}
	s.Path("admitted", "good", &up)
	s.Path("refused", "bad", &down)
	s.Line("", "base", p.X.From, base+1, p.X.To, base+1)
	s.Text("", "note", 336, base-8, "admitted")
	s.Text("", "note", 336, base+18, "refused")
	for _, t := range []float64{-20, -15, -10, -5, 0} {
		label := strconv.Itoa(int(t)) + " s"
		if t == 0 {
			label = "now"
		}
		s.Text("", "note middle", p.X.At(t), 320, label)
	}
	return s
}

// height grows with the square root, so that one request can be seen beside fifty.
func height(n int) float64 { return 8.4 * math.Sqrt(float64(n)) }

func bar(p *page.Path, x, y, h float64) {
	if h == 0 {
		return
	}
	p.Move(x-2, y)
	p.Line(x+2, y)
	p.Line(x+2, y+h)
	p.Line(x-2, y+h)
	p.Close()
}
