// Package sessions is the page about sessions: two real browsers at a shop of three nodes, and a hundred users who stay logged in, or
// do not, when a node dies.
package sessions

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/session"
)

const (
	nodes = 3
	users = 100 // of the crowd
)

// Page is the page; the zero value shows the package as it is.
type Page struct {
	Login Login // nil for the package's own; a test puts a wrong one here
}

// Info implements page.Page.
func (Page) Info() page.Info {
	return page.Info{
		Path:    "session",
		Title:   "Session",
		Heading: "Who is this, again?",
		Lead: "HTTP forgets everybody after each answer. A cookie says who comes back, and a store says what we know of him. Where that store " +
			"is decides what the death of a machine costs.",
		Question: "Three nodes keep the sessions of their own users in memory. One of them restarts. Who has to log in again?",
		Guesses:  [3]string{"Nobody: cookies are in the browsers", "Everybody", "A third: the users of that node"},
		Right:    2,
		Answer: "A third. The cookie is only a token; what it stands for was in that node's memory. With one store for all nodes " +
			"nobody notices, and any node may answer any request.",
		Caption: "Above, two browsers of yours at the shop; log in. Below, a hundred users, in the colour of the node that serves them: hollow is " +
			"logged out. The bars are what is left of your sessions.",
		Frames: []page.Frame{{Name: "a", Title: "Browser A"}, {Name: "b", Title: "Browser B"}},
		Settings: []page.Setting{
			{Name: "store", Label: "Your sessions are", Default: "shared", Choices: []page.Choice{
				{Value: "shared", Label: "In one store"}, {Value: "sticky", Label: "In each node"},
			}},
			{Name: "idle", Label: "Idle limit", Unit: "seconds", Min: 2, Max: 20, Default: "8"},
		},
		Forms: []page.Form{{Buttons: []page.Button{
			{Action: "kill", Label: "Kill a node"}, {Action: "everywhere", Label: "Log ada out everywhere"}, {Action: "attack", Label: "Fixation attack"},
		}}},
		Facts: []page.Fact{
			{Name: "lost-shared", Label: "Logged out, one store", Lead: true},
			{Name: "lost-sticky", Label: "Logged out, each node", Lead: true},
			{Name: "token-changed", Label: "Token changed at login", Help: "1: what was known before is worthless"},
			{Name: "fixation", Label: "Attacks that succeeded"},
			{Name: "expired-after-ms", Label: "Ended after idle for"},
			{Name: "ended", Label: "Sessions ended everywhere"},
			{Name: "http-only", Label: "Hidden from scripts", Help: "HttpOnly"},
			{Name: "same-site", Label: "Sent across sites", Help: "SameSite"},
			{Name: "cookie-path", Label: "The cookie's path", Help: "which keeps the two browsers apart"},
		},
		Try: [3]string{
			"Log in with both browsers, then log ada out everywhere: both find out with their next request.",
			"Log in and wait: each request fills the bar again, and when it is empty the session has ended.",
			"Keep your sessions in each node, log in, and kill node after node until you are out.",
		},
		Code:    page.Code{File: "session/example_workflow_test.go", Symbol: "Example_noStickySessions"},
		Package: "session",
	}
}

// browser is one of the visitor's two, as the shop sees it.
type browser struct {
	name  string
	token string     // of its cookie, as it came with the last request or went with the last answer
	id    session.ID // of its session; zero: none
	store *session.MemoryStore
	used  time.Time // when it last asked
}

type world struct {
	base    string // of the URLs of the frames
	shop    *shop
	shared  *crowd
	sticky  *crowd
	outs    [2][]bool // who of the crowds is logged out
	lost    [2]int
	kills   int
	asked   int // requests of the browsers, which go round the nodes
	browser []*browser

	changed, attacks, fixated, ended int // changed and ended: -1 before the first time
	expired                          time.Duration
	cookie                           *http.Cookie // as the shop has sent it last
	now                              time.Time
	says                             string
}

// New implements page.Page.
func (p Page) New(_ uint64, s page.Settings) (page.World, error) {
	login := p.Login
	if login == nil {
		login = func(ctx context.Context, v *session.Session[Data], user string) error {
			return v.Login(ctx, user, session.LoginOptions{})
		}
	}
	w := &world{
		base: "/", changed: -1, ended: -1, now: time.Now(), says: "A hundred users are logged in. You are not.",
		browser: []*browser{{name: "a"}, {name: "b"}},
	}
	ctx := context.Background() // nothing here waits
	for _, c := range []struct {
		sticky bool
		to     **crowd
	}{{false, &w.shared}, {true, &w.sticky}} {
		there, err := newShop(c.sticky, 0, login)
		if err != nil {
			return nil, err
		}
		if *c.to, err = newCrowd(ctx, there); err != nil {
			return nil, err
		}
	}
	var err error
	if w.shop, err = newShop(false, 0, login); err != nil {
		return nil, err
	}
	w.outs = [2][]bool{make([]bool, users), make([]bool, users)}
	return w, w.Set(s)
}

// Place implements page.Framed.
func (w *world) Place(base string) { w.base = base }

// Set implements page.Live. Another place for the sessions is another shop; another limit holds from the next request on.
func (w *world) Set(s page.Settings) (err error) {
	sticky, idle := s["store"] == "sticky", time.Duration(s.Int("idle"))*time.Second
	if sticky != w.shop.sticky {
		if w.shop, err = newShop(sticky, idle, w.shop.login); err != nil {
			return err
		}
		for _, b := range w.browser {
			b.id = session.ID{}
		}
	}
	w.shop.idle = idle
	return nil
}

// Tick implements page.Live: it finds out which sessions have ended since.
func (w *world) Tick(now time.Time) (wake time.Time) {
	w.now = now
	for _, b := range w.browser {
		if b.id == (session.ID{}) {
			continue
		}
		rec, err := b.store.Load(context.Background(), b.id)
		switch {
		case errors.Is(err, session.ErrNotFound):
			w.expired, b.id = now.Sub(b.used), session.ID{}
			w.says = fmt.Sprintf("The session of browser %s has ended, unused for %.1f s.", strings.ToUpper(b.name), w.expired.Seconds())
		case err == nil && (wake.IsZero() || rec.ExpiresAt.Before(wake)):
			wake = rec.ExpiresAt
		}
	}
	return wake
}

// ServeHTTP is the shop, as the browsers of the visitor see it: the first element of the path is the browser.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	for _, b := range w.browser {
		prefix := "/" + b.name + "/"
		if !strings.HasPrefix(r.URL.Path, prefix) {
			continue
		}
		if err := w.serve(out, r, b, prefix); err != nil {
			http.Error(out, "the shop is closed", http.StatusInternalServerError)
		}
		return
	}
	http.NotFound(out, r)
}

func (w *world) serve(out http.ResponseWriter, r *http.Request, b *browser, prefix string) error {
	n := w.asked % nodes // any node will do
	if w.shop.sticky {
		n = int(b.name[0]-'a') % nodes
	}
	w.asked++
	m, h, err := w.shop.at(n, strings.TrimSuffix(w.base, "/")+prefix)
	if err != nil {
		return err
	}
	sent := ""
	if c, err := r.Cookie("session"); err == nil {
		sent = c.Value
	}
	http.StripPrefix(strings.TrimSuffix(prefix, "/"), h).ServeHTTP(out, r)
	b.token, b.used, b.store = sent, time.Now(), w.shop.stores[n]
	for _, line := range out.Header().Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil {
			b.token, w.cookie = c.Value, c
		}
	}
	if strings.HasSuffix(r.URL.Path, "/login") {
		w.changed = 0
		if b.token != "" && b.token != sent {
			w.changed = 1
		}
	}
	b.id = session.ID{}
	if v, err := m.Lookup(r.Context(), b.token); err == nil { // a token that somebody still knows
		if _, err := b.store.Load(r.Context(), v.ID()); err == nil { // somebody who has nothing yet has a session that is nowhere
			b.id = v.ID()
		}
	}
	return nil
}

// Do implements page.World.
func (w *world) Do(ctx context.Context, action, _ string) error {
	switch action {
	case "kill":
		return w.kill(ctx)
	case "everywhere":
		return w.everywhere(ctx)
	case "attack":
		return w.attack(ctx)
	}
	return page.Invalid("there is no action %q", action)
}

// kill kills the nodes in turn.
func (w *world) kill(ctx context.Context) (err error) {
	n := w.kills % nodes
	w.kills++
	for i, c := range []*crowd{w.shared, w.sticky} {
		if err := c.shop.kill(n); err != nil {
			return err
		}
		if w.outs[i], w.lost[i], err = c.lost(ctx); err != nil {
			return err
		}
	}
	if err := w.shop.kill(n); err != nil {
		return err
	}
	for _, b := range w.browser {
		if w.shop.sticky && int(b.name[0]-'a')%nodes == n {
			b.id = session.ID{}
		}
	}
	w.says = fmt.Sprintf("Node %d died and is back, with an empty memory.", n+1)
	return nil
}

// everywhere ends all sessions of ada, at every node that has a store.
func (w *world) everywhere(ctx context.Context) error {
	w.ended = 0
	for n := range w.shop.stores {
		m, _, err := w.shop.at(n, "/")
		if err != nil {
			return err
		}
		ended, err := m.RevokeUser(ctx, "ada")
		if err != nil {
			return err
		}
		w.ended += ended
	}
	for _, b := range w.browser {
		if b.store != nil {
			if _, err := b.store.Load(ctx, b.id); err != nil {
				b.id = session.ID{}
			}
		}
	}
	w.says = fmt.Sprintf("%d sessions of ada have ended. The browsers learn it when they ask again.", w.ended)
	return nil
}

func (w *world) attack(ctx context.Context) error {
	_, h, err := w.shop.at(0, "/")
	if err != nil {
		return err
	}
	inside, err := fixate(ctx, h)
	if err != nil {
		return err
	}
	w.attacks++
	w.says = "The token that was planted is worth nothing since the victim has logged in."
	if inside {
		w.fixated++
		w.says = "The attacker is in the victim's session."
	}
	return nil
}
