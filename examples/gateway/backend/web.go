package backend

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/problem"
	"github.com/sysblocks/sysblocks/session"
)

// Cart is what a session keeps beside the name of its user.
type Cart struct {
	Items []string `json:"items"`
}

// web is the application: a shop so small that only its session is left of it.
type web struct {
	sessions *session.Manager[Cart]
}

func newWeb(sessions *session.Manager[Cart], d *drain) http.Handler {
	w := &web{sessions}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", w.me)
	mux.HandleFunc("POST /login", w.login)
	mux.HandleFunc("POST /logout", w.logout)
	mux.HandleFunc("POST /cart", w.cart)
	mux.HandleFunc("POST /work", work)
	mux.HandleFunc("GET "+proxy.ReadyPath, d.ready)
	return sessions.Handler(mux)
}

// me says who is asking: the whole point of a session.
func (w *web) me(out http.ResponseWriter, r *http.Request) {
	s, err := w.sessions.Get(r.Context())
	w.answer(out, s, err)
}

// login believes any name; a password would be checked here.
func (w *web) login(out http.ResponseWriter, r *http.Request) {
	user := r.FormValue("user")
	if user == "" || len(user) > 100 {
		problem.Write(out, http.StatusBadRequest, "want user=NAME in the body, at most 100 bytes")
		return
	}
	s, err := w.sessions.Get(r.Context())
	if err == nil {
		err = s.Login(r.Context(), user, session.LoginOptions{})
	}
	w.answer(out, s, err)
}

func (w *web) logout(out http.ResponseWriter, r *http.Request) {
	s, err := w.sessions.Get(r.Context())
	if err == nil {
		err = s.Logout(r.Context())
	}
	w.answer(out, s, err)
}

// cart adds an item. If another machine has saved the session meanwhile, the function runs again on what that has saved.
func (w *web) cart(out http.ResponseWriter, r *http.Request) {
	item := r.FormValue("item")
	if item == "" || len(item) > 100 {
		problem.Write(out, http.StatusBadRequest, "want item=NAME in the body, at most 100 bytes")
		return
	}
	s, err := w.sessions.Get(r.Context())
	if err == nil && s.UserID() == "" {
		problem.Write(out, http.StatusUnauthorized, "log in first: POST /login")
		return
	}
	if err == nil {
		err = s.Update(func(c *Cart) error { c.Items = append(c.Items, item); return nil })
	}
	if err == nil {
		err = s.Save(r.Context()) // before the answer says so
	}
	w.answer(out, s, err)
}

// answer shows the session.
func (w *web) answer(out http.ResponseWriter, s *session.Session[Cart], err error) {
	switch {
	case errors.Is(err, session.ErrRevoked):
		problem.Write(out, http.StatusUnauthorized, "the session has ended")
		return
	case errors.Is(err, session.ErrTooLarge):
		problem.Write(out, http.StatusRequestEntityTooLarge, "the cart is full")
		return
	case err != nil: // the store: its words are not for strangers
		out.Header().Set("Retry-After", "1")
		problem.Write(out, http.StatusServiceUnavailable, "try again later")
		return
	}
	out.Header().Set("Content-Type", "application/json")
	out.Header().Set("Cache-Control", "private, no-store")
	_ = json.NewEncoder(out).Encode(struct { // the reader may have gone
		User string `json:"user"`
		Cart
	}{s.UserID(), s.Data()})
}

// work takes time, up to 10 s, as a report or an upload does. It is no GET: nobody may repeat it without being asked to.
func work(out http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.FormValue("ms"))
	if err != nil || ms < 0 || ms > 10_000 {
		problem.Write(out, http.StatusBadRequest, "want ms=0 to 10000")
		return
	}
	select {
	case <-r.Context().Done(): // the client has gone, or this machine
	case <-time.After(time.Duration(ms) * time.Millisecond):
		out.WriteHeader(http.StatusNoContent)
	}
}
