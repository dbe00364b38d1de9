package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/lru"
)

const (
	maxWorlds = 128              // a world of the Ring holds 200 KB
	worldTTI  = 10 * time.Minute // without a request or an event
	maxSteps  = 60               // of a URL: about as many fit in 2,000 characters
)

// world is the state behind one tab. Its URL says all about it, so it may be forgotten at any time: the next request makes it
// again. A live world is then as new.
type world struct {
	ID   string
	page page.Page
	info page.Info

	mu       sync.Mutex // guards all below
	inner    page.World
	seed     uint64
	settings page.Settings
	steps    []string // what was done since New, to be replayed: "add", "remove b"
	seq      uint64   // of the last update: the browser ignores an older one that arrives later
}

// update is what changes in the browser: the answer to an action, and an event.
type update struct {
	Seq   uint64                `json:"seq"`
	World string                `json:"world"`
	URL   string                `json:"url"`
	Says  string                `json:"says"`
	Facts map[string]page.Value `json:"facts"`
	Picks []string              `json:"picks,omitempty"`
	SVG   string                `json:"svg"`

	box      string // the picture's viewBox, which does not change
	settings page.Settings
}

// worlds are those of all tabs, as many as maxWorlds.
type worlds struct {
	ids  *idgen.Snowflake
	kept *lru.Cache[string, *world]
	seed uint64 // of a URL without one
}

func newWorlds(seed uint64) (*worlds, error) {
	// 53 bits, so that the number is exact wherever a script might read it as one.
	ids, err := idgen.NewSnowflake(0, idgen.SnowflakeOptions{Layout: idgen.JSSafe()})
	if err != nil {
		return nil, err
	}
	// Exact LRU: the tab that was left alone longest goes first.
	kept, err := lru.New(maxWorlds, lru.Options[string, *world]{
		Policy: lru.LRU, TTI: worldTTI,
		OnRemove: func(e lru.Entry[string, *world], _ lru.Cause) { e.Value.Close() },
	})
	if err != nil {
		return nil, err
	}
	return &worlds{ids: ids, kept: kept, seed: seed}, nil
}

// get returns the world with an id if it is still there and belongs to the page.
func (ws *worlds) get(id, path string) (*world, bool) {
	w, ok := ws.kept.Get(id)
	if !ok || w.info.Path != path {
		return nil, false
	}
	return w, true
}

// open makes the world that a query describes and keeps it.
func (ws *worlds) open(ctx context.Context, p page.Page, q url.Values) (*world, error) {
	w, err := ws.build(ctx, p, q)
	if err != nil {
		return nil, err
	}
	id, err := ws.ids.Next(ctx)
	if err != nil {
		return nil, err
	}
	w.ID = id.String()
	if framed, ok := w.inner.(page.Framed); ok {
		framed.Place("/" + w.info.Path + "/world/" + w.ID + "/")
	}
	ws.kept.Set(w.ID, w)
	return w, nil
}

// build makes the world that a query describes: seed, settings, and the steps one after the other.
func (ws *worlds) build(ctx context.Context, p page.Page, q url.Values) (*world, error) {
	w := &world{page: p, info: p.Info(), seed: ws.seed}
	for name := range q {
		if name != "seed" && name != "do" && name != "w" && !slices.ContainsFunc(w.info.Settings, func(s page.Setting) bool { return s.Name == name }) {
			return nil, page.Invalid("this page has no setting %q", name)
		}
	}
	var err error
	if q.Has("seed") {
		if w.seed, err = strconv.ParseUint(q.Get("seed"), 10, 64); err != nil {
			return nil, page.Invalid("seed is a whole number from 0 to 2^64 − 1")
		}
	}
	if w.settings, err = page.Parse(w.info.Settings, nil, q); err != nil {
		return nil, err
	}
	if w.inner, err = p.New(w.seed, w.settings); err != nil {
		return nil, err
	}
	if _, live := w.inner.(page.Live); live {
		return w, nil // what was done then has passed
	}
	for _, step := range q["do"] {
		if err := w.do(ctx, step); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Do carries out a step and returns what has changed.
func (w *world) Do(ctx context.Context, step string) (update, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tick()
	if err := w.do(ctx, step); err != nil {
		return update{}, err
	}
	return w.update(), nil
}

func (w *world) do(ctx context.Context, step string) error {
	action, value, _ := strings.Cut(step, " ")
	if err := w.allowed(action, value); err != nil {
		return err
	}
	_, live := w.inner.(page.Live)
	if !live && len(w.steps) >= maxSteps {
		return page.Invalid("a link holds %d steps; start again", maxSteps)
	}
	if err := w.inner.Do(ctx, action, value); err != nil {
		return err
	}
	if !live {
		w.steps = append(w.steps, step)
	}
	return nil
}

// allowed checks an action against the declared forms, so that worlds see only what their controls can send. Whether a pick is
// on offer is for the world to say.
func (w *world) allowed(action, value string) error {
	for _, f := range w.info.Forms {
		for _, b := range f.Buttons {
			if b.Action != action {
				continue
			}
			switch {
			case f.Field == nil && value != "":
				return page.Invalid("%q takes no value", b.Label)
			case f.Field != nil && len(value) > max(f.Field.Max, 40):
				return page.Invalid("%s is at most %d bytes long", f.Field.Label, max(f.Field.Max, 40))
			}
			return nil
		}
	}
	return page.Invalid("this page has no action %q", action)
}

// Set changes settings: a live world in place, any other by making it anew and repeating what was done.
func (w *world) Set(ctx context.Context, form url.Values) (update, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tick()
	settings, err := page.Parse(w.info.Settings, w.settings, form)
	if err != nil {
		return update{}, err
	}
	if live, ok := w.inner.(page.Live); ok {
		if err := live.Set(settings); err != nil {
			return update{}, err
		}
		w.settings = settings
		return w.update(), nil
	}
	again, err := w.page.New(w.seed, settings)
	if err != nil {
		return update{}, err
	}
	next := &world{info: w.info, inner: again}
	for _, step := range w.steps {
		if err := next.do(ctx, step); err != nil {
			// What was done may be impossible under the new settings, such as to remove a node that is not there.
			if !errors.Is(err, page.ErrInvalid) {
				return update{}, err
			}
		}
	}
	end(w.inner)
	w.inner, w.steps, w.settings = again, next.steps, settings
	return w.update(), nil
}

// Look returns the present state; with wake, when the world wants to be looked at again at the latest.
func (w *world) Look() (u update, wake time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wake = w.tick()
	return w.update(), wake
}

// Close ends what the world has started. Who still holds it finds a world that does nothing any more.
func (w *world) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	end(w.inner)
}

// end closes a world that is an io.Closer; that it could not end well helps nobody any more.
func end(w page.World) {
	if c, ok := w.(io.Closer); ok {
		_ = c.Close()
	}
}

// Flows says whether time flows in the world.
func (w *world) Flows() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, live := w.inner.(page.Live)
	return live
}

func (w *world) tick() time.Time {
	if live, ok := w.inner.(page.Live); ok {
		return live.Tick(time.Now())
	}
	return time.Time{}
}

func (w *world) update() update {
	w.seq++
	v := w.inner.View()
	u := update{Seq: w.seq, World: w.ID, URL: w.url(), Says: v.Says, Facts: v.Facts, Picks: v.Picks, settings: w.settings}
	if v.Picture != nil {
		u.SVG, u.box = v.Picture.String(), v.Picture.ViewBox()
	}
	return u
}

// url is the path and query that make this world again; settings at their defaults are left out.
func (w *world) url() string {
	q := url.Values{"seed": {strconv.FormatUint(w.seed, 10)}}
	for _, s := range w.info.Settings {
		if v := w.settings[s.Name]; v != s.Default {
			q.Set(s.Name, v)
		}
	}
	if len(w.steps) > 0 {
		q["do"] = slices.Clone(w.steps)
	}
	return fmt.Sprintf("/%s?%s", w.info.Path, q.Encode())
}
