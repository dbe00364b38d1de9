package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/sysblocks/sysblocks/examples/internal/problem"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/queue"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/httppage"
	"github.com/sysblocks/sysblocks/session"
)

// Visit is what the server remembers of a browser: the version of the feed that it must not fall behind, since it has written that.
// It is no secret and gives no rights; whose posts are shown is another matter.
type Visit struct {
	Version uint64 `json:"version"`
}

// Web answers HTTP requests with the operations of one instance.
type Web struct {
	service  *feed.Service
	sessions *session.Manager[Visit]
	depth    func(context.Context) (queue.Depth, error)
}

// New makes the interface of an instance.
func New(service *feed.Service, sessions *session.Manager[Visit], depth func(context.Context) (queue.Depth, error)) http.Handler {
	w := &Web{service, sessions, depth}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/posts", w.named(w.publish))
	mux.HandleFunc("GET /api/posts/{id}", w.show)
	mux.HandleFunc("DELETE /api/posts/{id}", w.named(w.remove))
	mux.HandleFunc("PUT /api/follows/{author}", w.named(w.follow))
	mux.HandleFunc("DELETE /api/follows/{author}", w.named(w.unfollow))
	mux.HandleFunc("GET /api/home", w.named(w.home))
	mux.HandleFunc("GET /api/users/{author}/posts", w.profile)
	mux.HandleFunc("GET /api/queue", w.queue)
	return http.NewCrossOriginProtection().Handler(sessions.Handler(mux))
}

// wrote remembers what this browser has written, before the answer leaves. Of two requests that end together the higher version
// stays, whichever is saved last: the session repeats an update that was made on older data.
func (w *Web) wrote(ctx context.Context, version uint64) error {
	s, err := w.sessions.Get(ctx)
	if err != nil {
		return err
	}
	return s.Update(func(v *Visit) error {
		v.Version = max(v.Version, version)
		return nil
	})
}

// version is what this browser must be shown at least. When sessions cannot be had it may see an older feed, but it sees one.
func (w *Web) version(ctx context.Context) uint64 {
	s, err := w.sessions.Get(ctx)
	if err != nil {
		return 0
	}
	return s.Data().Version
}

func (w *Web) publish(out http.ResponseWriter, r *http.Request, author string) {
	var wish struct {
		Text string `json:"text"`
	}
	input := json.NewDecoder(http.MaxBytesReader(out, r.Body, 8<<10))
	input.DisallowUnknownFields() // a misspelt field is better refused than ignored
	if err := input.Decode(&wish); err != nil {
		refuse(out, fmt.Errorf(`%w: want {"text":…}: %w`, feed.ErrInvalid, err))
		return
	}
	p, version, err := w.service.Publish(r.Context(), author, wish.Text)
	if err == nil {
		err = w.wrote(r.Context(), version)
	}
	if err != nil {
		refuse(out, err)
		return
	}
	out.Header().Set("Location", "/api/posts/"+p.ID.String())
	write(out, http.StatusCreated, p)
}

func (w *Web) show(out http.ResponseWriter, r *http.Request) {
	id, err := idgen.ParseID(r.PathValue("id"))
	if err != nil {
		refuse(out, feed.ErrNotFound)
		return
	}
	p, err := w.service.Post(r.Context(), id)
	if err != nil {
		refuse(out, err)
		return
	}
	write(out, http.StatusOK, p)
}

func (w *Web) remove(out http.ResponseWriter, r *http.Request, author string) {
	id, err := idgen.ParseID(r.PathValue("id"))
	if err != nil {
		refuse(out, feed.ErrNotFound)
		return
	}
	version, err := w.service.Delete(r.Context(), author, id)
	w.done(out, r, version, err)
}

func (w *Web) follow(out http.ResponseWriter, r *http.Request, reader string) {
	version, err := w.service.Follow(r.Context(), reader, r.PathValue("author"))
	w.done(out, r, version, err)
}

func (w *Web) unfollow(out http.ResponseWriter, r *http.Request, reader string) {
	version, err := w.service.Unfollow(r.Context(), reader, r.PathValue("author"))
	w.done(out, r, version, err)
}

// done answers a change that has nothing to say.
func (w *Web) done(out http.ResponseWriter, r *http.Request, version uint64, err error) {
	if err == nil {
		err = w.wrote(r.Context(), version)
	}
	if err != nil {
		refuse(out, err)
		return
	}
	out.WriteHeader(http.StatusNoContent)
}

// home pages through the caller's feed. Its cursors are his own.
func (w *Web) home(out http.ResponseWriter, r *http.Request, reader string) {
	pager, err := w.service.Home(r.Context(), reader, w.version(r.Context()))
	if err != nil {
		refuse(out, err)
		return
	}
	pages(pager, reader).ServeHTTP(out, r)
}

func (w *Web) profile(out http.ResponseWriter, r *http.Request) {
	pager, err := w.service.Profile(r.PathValue("author"), w.version(r.Context()))
	if err != nil {
		refuse(out, err)
		return
	}
	pages(pager, "").ServeHTTP(out, r)
}

// pages serves one list. A list belongs to a copy that was chosen for this request; its cursors are good for every copy.
func pages(pager *pagination.Pager[feed.Post], reader string) http.Handler {
	handler := httppage.Handler(pager, httppage.Options{
		Styles:  httppage.Cursor | httppage.Offset,
		Prepare: func(_ *http.Request, q *pagination.Request) error { q.Principal = reader; return nil },
	})
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Cache-Control", "private, no-store")
		handler.ServeHTTP(out, r)
	})
}

func (w *Web) queue(out http.ResponseWriter, r *http.Request) {
	d, err := w.depth(r.Context())
	if err != nil {
		refuse(out, err)
		return
	}
	write(out, http.StatusOK, map[string]int{"waiting": d.Waiting, "pending": d.Pending, "dead": d.Dead})
}

// named lets a request through if it says who sends it.
func (w *Web) named(next func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(out http.ResponseWriter, r *http.Request) {
		name := caller(r)
		if name == "" {
			out.Header().Set("WWW-Authenticate", "Bearer")
			problem.Write(out, http.StatusUnauthorized, "say who you are: Authorization: Bearer NAME")
			return
		}
		next(out, r, name)
	}
}

func write(out http.ResponseWriter, status int, v any) {
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	_ = json.NewEncoder(out).Encode(v) // the reader may have gone
}

// refuse answers with what an error stands for.
func refuse(out http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		problem.Write(out, http.StatusRequestEntityTooLarge, "at most 8 KiB")
	case errors.Is(err, feed.ErrInvalid):
		problem.Write(out, http.StatusBadRequest, err.Error())
	case errors.Is(err, feed.ErrNotFound):
		problem.Write(out, http.StatusNotFound, "no such post")
	default: // the store: its words are not for strangers
		out.Header().Set("Retry-After", "1")
		problem.Write(out, http.StatusServiceUnavailable, "try again later")
	}
}
