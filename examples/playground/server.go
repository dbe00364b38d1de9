package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/httplimit"
)

const (
	policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-src 'self'; frame-ancestors 'self'"
	maxBody = 16 << 10

	frame = time.Second / 15 // between two events of a stream
	// A browser gives one host six connections. While more than four streams are open each lasts a second, so that every tab
	// gets its turn and other requests find a connection.
	manyStreams = 4
	shortStream = time.Second
)

// site is the HTTP side of the playground.
type site struct {
	handler http.Handler
	pages   []page.Page
	infos   []page.Info
	thumbs  map[string]thumb // by path
	worlds  *worlds
	render  *renderer
	actions *ratelimit.Keyed[string] // by world
	opens   *ratelimit.Keyed[string] // by client: making a world costs up to 100 ms
	streams atomic.Int64             // open event streams; each stream adds itself and reads how many there are
}

func newSite(ctx context.Context, pages []page.Page, seed uint64) (*site, error) {
	ws, err := newWorlds(seed)
	if err != nil {
		return nil, err
	}
	s := &site{pages: pages, worlds: ws, thumbs: map[string]thumb{}}
	if s.render, err = newRenderer(); err != nil {
		return nil, err
	}
	// 30 a second is more than a slider that is dragged sends.
	if s.actions, err = ratelimit.NewKeyed[string]([]ratelimit.Limit{ratelimit.PerSecond(30).WithBurst(60)}, ratelimit.Options{Capacity: 4 * maxWorlds}); err != nil {
		return nil, err
	}
	if s.opens, err = ratelimit.NewKeyed[string]([]ratelimit.Limit{ratelimit.PerSecond(20).WithBurst(200)}, ratelimit.Options{Capacity: 1024}); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, p := range pages {
		info := p.Info()
		s.infos = append(s.infos, info)
		mux.HandleFunc("GET /"+info.Path, func(w http.ResponseWriter, r *http.Request) { s.show(w, r, p) })
		mux.HandleFunc("POST /"+info.Path+"/do", func(w http.ResponseWriter, r *http.Request) { s.do(w, r, p) })
		mux.HandleFunc("GET /"+info.Path+"/events", func(w http.ResponseWriter, r *http.Request) { s.events(w, r, info) })
		mux.HandleFunc("/"+info.Path+"/world/{id}/", func(w http.ResponseWriter, r *http.Request) { s.inside(w, r, info) })
		if s.thumbs[info.Path], err = s.thumb(ctx, p); err != nil {
			return nil, fmt.Errorf("page %s: %w", info.Path, err)
		}
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { s.show(w, r, pages[0]) })
	mux.Handle("GET /assets/", http.FileServerFS(files()))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.fail(w, http.StatusNotFound, page.Invalid("there is no such page"), "/")
	})
	s.handler = http.NewCrossOriginProtection().Handler(mux)
	return s, nil
}

// ServeHTTP sets what holds for every answer.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.handler.ServeHTTP(w, r)
}

// show renders a page whole. A live world of a tab without script is found again by its number, w.
func (s *site) show(w http.ResponseWriter, r *http.Request, p page.Page) {
	q := r.URL.Query()
	path := p.Info().Path
	if kept, ok := s.worlds.get(q.Get("w"), path); ok && kept.Flows() {
		s.page(w, kept)
		return
	}
	fresh, ok := s.open(w, r, p, q)
	if ok {
		s.page(w, fresh)
	}
}

// do answers an action: with an update for the script, with a redirection for a form.
func (s *site) do(w http.ResponseWriter, r *http.Request, p page.Page) {
	path := p.Info().Path
	if err := r.ParseForm(); err != nil {
		s.fail(w, http.StatusBadRequest, page.Invalid("the form could not be read"), "/"+path)
		return
	}
	form := r.PostForm
	if d := s.actions.Take(form.Get("w"), 1); !d.OK {
		refuse(w, r, d)
		return
	}
	at, ok := s.worlds.get(form.Get("w"), path)
	if !ok { // forgotten: its URL makes it again
		state, err := url.Parse(form.Get("state"))
		if err != nil {
			state = new(url.URL)
		}
		if at, ok = s.open(w, r, p, state.Query()); !ok {
			return
		}
	}
	var u update
	var err error
	if step := form.Get("do"); step == "set" {
		u, err = at.Set(r.Context(), form)
	} else {
		u, err = at.Do(r.Context(), strings.TrimSpace(step+" "+form.Get("value")))
	}
	switch {
	case err != nil:
		s.refuse(w, r, err, at)
	case wantsJSON(r):
		writeJSON(w, http.StatusOK, u)
	default:
		back := u.URL
		if at.Flows() {
			back += "&w=" + at.ID
		}
		http.Redirect(w, r, back, http.StatusSeeOther)
	}
}

// events streams a live world. Every event is the whole state, so that a client may miss any of them.
func (s *site) events(w http.ResponseWriter, r *http.Request, info page.Info) {
	at, ok := s.worlds.get(r.URL.Query().Get("w"), info.Path)
	if !ok || !at.Flows() {
		// 204 tells an EventSource not to come back.
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	if err := out.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return // the server's ReadTimeout is for requests; without this a stream would end by it
	}
	s.streams.Add(1)
	defer s.streams.Add(-1)
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	if _, err := fmt.Fprint(w, "retry: 20\n\n"); err != nil {
		return
	}
	var sent time.Time
	for {
		select {
		case <-r.Context().Done():
			return
		case <-timer.C:
		}
		if _, ok := s.worlds.get(at.ID, info.Path); !ok {
			return
		}
		u, wake := at.Look()
		now := time.Now()
		if now.Sub(sent) >= frame {
			sent = now
			if err := send(w, out, u); err != nil {
				return
			}
			if s.streams.Load() > manyStreams && now.Sub(began) > shortStream {
				return
			}
		}
		next := sent.Add(frame)
		if wake.After(now) && wake.Before(next) {
			next = wake
		}
		timer.Reset(time.Until(next))
	}
}

func send(w http.ResponseWriter, out *http.ResponseController, u update) error {
	data, err := json.Marshal(u)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
		return err
	}
	return out.Flush()
}

// inside serves the site within a framed world.
func (s *site) inside(w http.ResponseWriter, r *http.Request, info page.Info) {
	id := r.PathValue("id")
	at, ok := s.worlds.get(id, info.Path)
	if !ok {
		s.fail(w, http.StatusNotFound, page.Invalid("this world has been forgotten"), "/"+info.Path)
		return
	}
	if d := s.actions.Take(id, 1); !d.OK {
		refuse(w, r, d)
		return
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	h, ok := at.inner.(page.Framed)
	if !ok {
		s.fail(w, http.StatusNotFound, page.Invalid("there is no such page"), "/"+info.Path)
		return
	}
	http.StripPrefix("/"+info.Path+"/world/"+id, h).ServeHTTP(w, r)
}

// open makes a world, or answers with what is wrong.
func (s *site) open(w http.ResponseWriter, r *http.Request, p page.Page, q url.Values) (*world, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if d := s.opens.Take(host, 1); !d.OK {
		refuse(w, r, d)
		return nil, false
	}
	at, err := s.worlds.open(r.Context(), p, q)
	if err != nil {
		s.refuse(w, r, err, nil)
		return nil, false
	}
	return at, true
}

// refuse answers an error: JSON for the script; for a form the page as it was, with the error above it.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, err error, at *world) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, page.ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, context.Canceled):
		return // nobody is there to read it
	}
	if wantsJSON(r) {
		writeJSON(w, status, map[string]string{"error": err.Error()})
		return
	}
	back := "/"
	if at != nil {
		u, _ := at.Look()
		back = u.URL
	}
	s.fail(w, status, err, back)
}

// refuse answers a request that comes too early.
func refuse(w http.ResponseWriter, r *http.Request, d ratelimit.Decision) {
	w.Header().Set("Retry-After", strconv.FormatInt(int64((d.RetryAfter+time.Second-1)/time.Second), 10))
	httplimit.Problem(w, r, d)
}

func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer could not be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that has gone is no error of ours
}
