package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/problem"
	"github.com/sysblocks/sysblocks/examples/tinyurl/links"
	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/httppage"
)

// mediaType names the version of the interface. A client that asks for another one is told so (406) and does not get an answer
// that it would misread.
const mediaType = "application/vnd.tinyurl.v1+json"

// Web answers HTTP requests with the operations of one instance.
type Web struct {
	service *links.Service
	deleted func(code string) // tells the other instances of this process
	mine    http.Handler
}

// New makes the interface of an instance. deleted is called with each code that was deleted here.
func New(service *links.Service, deleted func(code string)) http.Handler {
	w := &Web{service: service, deleted: deleted}
	w.mine = compressed(httppage.Handler(service.Mine(), httppage.Options{
		Styles:  httppage.Cursor | httppage.Offset,
		Prepare: func(r *http.Request, q *pagination.Request) error { q.Principal = owner(r); return nil },
	}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{code}", w.redirect)
	mux.HandleFunc("POST /api/links", w.api(w.create))
	mux.HandleFunc("GET /api/links", w.api(w.list))
	mux.HandleFunc("GET /api/links/{code}", w.api(w.show))
	mux.HandleFunc("DELETE /api/links/{code}", w.api(w.remove))
	return http.NewCrossOriginProtection().Handler(mux)
}

// redirect is what the system is for. A browser keeps a 301 and never asks again: the fastest answer, but nobody can count the
// clicks, and a deletion comes too late. Hence 302 unless the owner wants it otherwise.
func (w *Web) redirect(out http.ResponseWriter, r *http.Request) {
	l, err := w.service.Resolve(r.Context(), r.PathValue("code"))
	switch {
	case err != nil:
		refuse(out, err)
	case l.Permanent:
		out.Header().Set("Cache-Control", "public, max-age=86400")
		http.Redirect(out, r, l.URL, http.StatusMovedPermanently)
	default:
		out.Header().Set("Cache-Control", "private, no-cache")
		http.Redirect(out, r, l.URL, http.StatusFound)
	}
}

// wish is the body of a creation.
type wish struct {
	URL       string `json:"url"`
	Alias     string `json:"alias"`     // a code of one's own; "" for the next free one
	Permanent bool   `json:"permanent"` // 301
}

func (w *Web) create(out http.ResponseWriter, r *http.Request) {
	var body wish
	input := json.NewDecoder(http.MaxBytesReader(out, r.Body, 4<<10))
	input.DisallowUnknownFields() // a misspelt field is better refused than ignored
	if err := input.Decode(&body); err != nil {
		refuse(out, fmt.Errorf(`%w: want {"url":…,"alias":…,"permanent":…}: %w`, links.ErrInvalid, err))
		return
	}
	by := owner(r)
	if by == "" {
		by = "anonymous"
	}
	l, err := w.service.Create(r.Context(), links.Link{Code: body.Alias, URL: body.URL, Owner: by, Permanent: body.Permanent})
	if err != nil {
		refuse(out, err)
		return
	}
	out.Header().Set("Location", "/api/links/"+l.Code)
	write(out, r, http.StatusCreated, l)
}

func (w *Web) show(out http.ResponseWriter, r *http.Request) {
	l, err := w.service.Resolve(r.Context(), r.PathValue("code"))
	if err != nil {
		refuse(out, err)
		return
	}
	out.Header().Set("Cache-Control", "public, no-cache") // keep it, but ask whether it is still so
	write(out, r, http.StatusOK, l)
}

// list needs to know whose links: the others' are nobody's business.
func (w *Web) list(out http.ResponseWriter, r *http.Request) {
	if owner(r) == "" {
		unauthorized(out)
		return
	}
	out.Header().Set("Cache-Control", "private, no-store")
	w.mine.ServeHTTP(out, r.WithContext(links.WithOwner(r.Context(), owner(r))))
}

func (w *Web) remove(out http.ResponseWriter, r *http.Request) {
	if owner(r) == "" {
		unauthorized(out)
		return
	}
	code := r.PathValue("code")
	if err := w.service.Delete(r.Context(), owner(r), code); err != nil {
		refuse(out, err)
		return
	}
	w.deleted(code)
	out.WriteHeader(http.StatusNoContent)
}

// api lets a request through if the client can read what it will get.
func (w *Web) api(next http.HandlerFunc) http.HandlerFunc {
	return func(out http.ResponseWriter, r *http.Request) {
		if !accepts(r.Header.Get("Accept")) {
			problem.Write(out, http.StatusNotAcceptable, "this is "+mediaType+", also called application/json")
			return
		}
		next(out, r)
	}
}

func accepts(header string) bool {
	if header == "" {
		return true
	}
	for part := range strings.SplitSeq(header, ",") {
		name, _, _ := strings.Cut(part, ";")
		switch strings.TrimSpace(name) {
		case "*/*", "application/*", "application/json", mediaType:
			return true
		}
	}
	return false
}

// view is a link as a client sees it.
type view struct {
	links.Link
	Short string `json:"short"` // path of the redirect
}

// etag is a hash of what a client may have kept of a link, and so the same from every instance.
func etag(l links.Link) string {
	return fmt.Sprintf(`"%x"`, sha256.Sum256(fmt.Appendf(nil, "%s %t %s", l.Code, l.Permanent, l.URL)))[:17] + `"`
}

// write answers with a link. ServeContent compares the entity tag with If-None-Match and says 304.
func write(out http.ResponseWriter, r *http.Request, status int, l links.Link) {
	body, err := json.Marshal(view{Link: l, Short: "/" + l.Code})
	if err != nil {
		refuse(out, err)
		return
	}
	body = append(body, '\n')
	out.Header().Set("Content-Type", mediaType)
	out.Header().Set("ETag", etag(l))
	if status == http.StatusOK {
		http.ServeContent(out, r, "", time.Time{}, bytes.NewReader(body))
		return
	}
	out.WriteHeader(status)
	_, _ = out.Write(body) // the reader may have gone; nothing to be done
}

// refuse answers with what an error stands for.
func refuse(out http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		problem.Write(out, http.StatusRequestEntityTooLarge, "at most 4 KiB")
	case errors.Is(err, links.ErrInvalid):
		problem.Write(out, http.StatusBadRequest, err.Error())
	case errors.Is(err, links.ErrNotFound):
		problem.Write(out, http.StatusNotFound, "no such link")
	case errors.Is(err, links.ErrTaken):
		problem.Write(out, http.StatusConflict, err.Error())
	case errors.Is(err, links.ErrGone):
		problem.Write(out, http.StatusGone, err.Error())
	default: // the store: its words are not for strangers
		out.Header().Set("Retry-After", "1")
		problem.Write(out, http.StatusServiceUnavailable, "try again later")
	}
}

func unauthorized(out http.ResponseWriter) {
	out.Header().Set("WWW-Authenticate", "Bearer")
	problem.Write(out, http.StatusUnauthorized, "say who you are: Authorization: Bearer NAME")
}
