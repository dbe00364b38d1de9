package sessions

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// Data is what the shop keeps for a visitor beside who he is.
type Data struct{ Cart int }

// Login is what the shop calls when somebody has proved who he is. The package's own is Session.Login.
type Login func(ctx context.Context, s *session.Session[Data], user string) error

// shop is a web application on several nodes. Its sessions live in one store that all nodes share, or each node has a store in its own
// memory.
type shop struct {
	sticky bool
	idle   time.Duration // 0: as long as the package says
	login  Login
	stores []*session.MemoryStore // of each node; all the same one unless sticky
}

func newShop(sticky bool, idle time.Duration, login Login) (*shop, error) {
	s := &shop{sticky: sticky, idle: idle, login: login, stores: make([]*session.MemoryStore, nodes)}
	for n := range s.stores {
		if n > 0 && !sticky {
			s.stores[n] = s.stores[0]
			continue
		}
		if err := s.start(n); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// start gives a node an empty memory.
func (s *shop) start(n int) (err error) {
	s.stores[n], err = session.NewMemoryStore(session.MemoryOptions{})
	return err
}

// kill kills a node, and starts it again. What was in its memory is gone; a store that is elsewhere is not.
func (s *shop) kill(n int) error {
	if !s.sticky {
		return nil
	}
	return s.start(n)
}

// at is the shop as a node serves it, to a browser that keeps its cookie for this path.
func (s *shop) at(n int, path string) (*session.Manager[Data], http.Handler, error) {
	m, err := session.New[Data](s.stores[n], session.Options{
		IdleTimeout: s.idle,
		Transport:   session.Cookie{Path: path, Insecure: true}, // this program speaks plain HTTP, to this machine only
	})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { show(w, r, m, n) })
	mux.HandleFunc("POST /add", s.change(m, func(_ context.Context, v *session.Session[Data]) error {
		return v.Update(func(d *Data) error { d.Cart++; return nil })
	}))
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s.change(m, func(ctx context.Context, v *session.Session[Data]) error { return s.login(ctx, v, r.FormValue("user")) })(w, r)
	})
	mux.HandleFunc("POST /logout", s.change(m, func(ctx context.Context, v *session.Session[Data]) error { return v.Logout(ctx) }))
	return m, m.Handler(mux), nil
}

// change carries out what a button asks for, and sends the browser back to the page.
func (s *shop) change(m *session.Manager[Data], do func(ctx context.Context, v *session.Session[Data]) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := m.Get(r.Context())
		if err == nil {
			err = do(r.Context(), v)
		}
		if err != nil {
			http.Error(w, "try again", http.StatusConflict)
			return
		}
		w.Header().Set("Location", "./")
		w.WriteHeader(http.StatusSeeOther)
	}
}

// visit is what the page of the shop shows.
type visit struct {
	Node int
	User string
	Cart int
	ID   string
}

// look returns who asks, and what is in his cart.
func look(r *http.Request, m *session.Manager[Data], n int) (visit, error) {
	v, err := m.Get(r.Context())
	if err != nil {
		return visit{}, err
	}
	return visit{Node: n + 1, User: v.UserID(), Cart: v.Data().Cart, ID: v.ID().String()}, nil
}

func show(w http.ResponseWriter, r *http.Request, m *session.Manager[Data], n int) {
	v, err := look(r, m, n)
	if err != nil {
		http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Shop-Session", v.ID)
	w.Header().Set("Shop-User", v.User)
	if err := front().Execute(w, v); err != nil {
		return // the browser has gone
	}
}

// front is the shop in a browser.
func front() *template.Template {
	return template.Must(template.New("shop").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Shop</title>
<link rel="stylesheet" href="/assets/app.css"></head><body class="shop"><main>
<p class="who">{{with .User}}Logged in as <b>{{.}}</b>{{else}}<b>Nobody</b> is logged in{{end}}</p>
<p>{{.Cart}} in the cart <span class="unit">· node {{.Node}} answered</span></p>
<form method="post">{{if .User}}<button formaction="logout">Log out</button>{{else}}<button formaction="login" name="user" value="ada" class="primary">Log in as ada</button>{{end}}
<button formaction="add">Add to cart</button></form>
</main></body></html>
`))
}

// client is a browser without a window.
type client struct{ cookie *http.Cookie }

// ask sends a request and keeps the cookie that comes back.
func (c *client) ask(ctx context.Context, h http.Handler, method, path string) (session, user string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, path, http.NoBody)
	if err != nil {
		return "", "", err
	}
	if c.cookie != nil {
		r.AddCookie(c.cookie)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code >= http.StatusBadRequest {
		return "", "", fmt.Errorf("%s %s: status %d", method, path, w.Code)
	}
	for _, sent := range w.Result().Cookies() {
		c.cookie = sent
	}
	return w.Header().Get("Shop-Session"), w.Header().Get("Shop-User"), nil
}

// crowd are users with a browser each, who come to a node by their number and stay with it.
type crowd struct {
	shop  *shop
	users []*client
}

func newCrowd(ctx context.Context, s *shop) (*crowd, error) {
	c := &crowd{shop: s}
	for i := range users {
		u := &client{}
		_, h, err := s.at(i%nodes, "/")
		if err == nil {
			_, _, err = u.ask(ctx, h, http.MethodPost, fmt.Sprintf("/login?user=user-%d", i))
		}
		if err != nil {
			return nil, err
		}
		c.users = append(c.users, u)
	}
	return c, nil
}

// lost asks every user who he is, and says which ones the shop no longer knows.
func (c *crowd) lost(ctx context.Context) (out []bool, n int, err error) {
	out = make([]bool, len(c.users))
	for i, u := range c.users {
		_, h, err := c.shop.at(i%nodes, "/")
		if err != nil {
			return nil, 0, err
		}
		_, user, err := u.ask(ctx, h, http.MethodGet, "/")
		if err != nil {
			return nil, 0, err
		}
		if out[i] = user != fmt.Sprintf("user-%d", i); out[i] {
			n++
		}
	}
	return out, n, nil
}

// fixate is the attack: the attacker takes a session, plants its token into the victim's browser, waits for the victim to log in, and
// comes back with the token that he knows. It reports whether he is then in the victim's session.
func fixate(ctx context.Context, h http.Handler) (inside bool, err error) {
	attacker := &client{}
	if _, _, err := attacker.ask(ctx, h, http.MethodPost, "/add"); err != nil {
		return false, err
	}
	if attacker.cookie == nil {
		return false, errors.New("the shop gave no cookie")
	}
	victim := &client{cookie: attacker.cookie}
	if _, _, err := victim.ask(ctx, h, http.MethodPost, "/login?user=victim"); err != nil {
		return false, err
	}
	his, _, err := victim.ask(ctx, h, http.MethodGet, "/")
	if err != nil {
		return false, err
	}
	got, _, err := attacker.ask(ctx, h, http.MethodGet, "/")
	return got == his, err
}
