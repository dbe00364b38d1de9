package httppage

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/sysblocks/sysblocks/pagination"
)

// Handler serves pages as JSON, in answer to GET and HEAD. Errors of the request
// are 400 with problem details; others are 500 without any, and are told to
// Options.OnError.
func Handler[T any](p *pagination.Pager[T], o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeProblem(w, problem{Status: http.StatusMethodNotAllowed})
			return
		}
		q, err := Parse(r, p, o)
		if err == nil {
			var page *pagination.Page[T]
			if page, err = p.Page(r.Context(), q); err == nil {
				if err = Write(w, r, page, o); err == nil || r.Context().Err() != nil {
					return
				}
			}
		}
		if code, _ := classify(err); code == "" && o.OnError != nil && !errors.Is(err, context.Canceled) {
			o.OnError(r, err)
		}
		WriteError(w, err)
	})
}

// problem is the body of an error (RFC 9457), with two members of our own.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code,omitempty"`  // token, token_scope, token_expired, limit, offset, sort, filter, fields, params
	Param  string `json:"param,omitempty"` // the parameter or key
}

// WriteError answers with an error and returns true, or returns false if err is
// nil. An error of the request is 400 with problem details, whose code is one of
// token, token_scope, token_expired, limit, offset, sort, filter, fields and params.
// Anything else is 500 and says nothing. To a request that was cancelled nothing is
// written.
func WriteError(w http.ResponseWriter, err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, context.Canceled) {
		return true
	}
	code, param := classify(err)
	if code == "" {
		writeProblem(w, problem{Status: http.StatusInternalServerError})
		return true
	}
	writeProblem(w, problem{
		Status: http.StatusBadRequest, Detail: strings.TrimPrefix(err.Error(), "pagination: "), Code: code, Param: param,
	})
	return true
}

// classify returns the code and parameter of an error of the request, "" for others.
func classify(err error) (code, param string) {
	for _, c := range []struct {
		err  error
		code string
	}{
		{pagination.ErrTokenScope, "token_scope"},
		{pagination.ErrTokenExpired, "token_expired"},
		{pagination.ErrToken, "token"},
		{pagination.ErrLimit, "limit"},
		{pagination.ErrOffset, "offset"},
		{pagination.ErrSort, "sort"},
		{pagination.ErrFilter, "filter"},
		{pagination.ErrFields, "fields"},
		{pagination.ErrParams, "params"},
	} {
		if errors.Is(err, c.err) {
			if p, ok := errors.AsType[*pagination.ParamError](err); ok {
				param = p.Param
			}
			return c.code, param
		}
	}
	return "", ""
}

func writeProblem(w http.ResponseWriter, p problem) {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	body, err := json.Marshal(p)
	if err != nil { // strings and an integer always encode
		body = []byte("{}")
	}
	h := w.Header()
	h.Del("Content-Length")
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the client is gone
}
