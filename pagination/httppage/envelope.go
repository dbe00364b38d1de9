package httppage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/sysblocks/sysblocks/pagination"
)

// Envelope is the body of a page.
type Envelope[T any] struct {
	Data       []T   `json:"data"` // never null
	Pagination Info  `json:"pagination"`
	Links      Links `json:"links"`
}

// Info says which page it is, in the convention of the request.
type Info struct {
	Count   *int64 `json:"count,omitempty"` // only exact
	Page    int    `json:"page,omitempty"`
	PerPage int    `json:"per_page,omitempty"`
	Limit   int    `json:"limit,omitempty"`
	Offset  *int   `json:"offset,omitempty"`
	Next    string `json:"next,omitempty"`
	Prev    string `json:"prev,omitempty"`
	Since   string `json:"since,omitempty"` // always there in answer to since=
}

// NewEnvelope wraps a page.
func NewEnvelope[T any](r *http.Request, page *pagination.Page[T], o Options) Envelope[T] {
	e := Envelope[T]{Data: page.Items, Links: linksOf(r, page, &o)}
	if e.Data == nil {
		e.Data = []T{}
	}
	info := &e.Pagination
	if page.Count != nil && page.Count.Exact {
		info.Count = &page.Count.N
	}
	at := newLinker(r, &o).at
	switch {
	case at.style == PageNumber || at.has("page[number]"):
		info.Page, info.PerPage = page.Number, page.Limit
	case at.style == Offset || at.has("page[offset]"):
		info.Limit, info.Offset = page.Limit, &page.Offset
	case at.style == Since:
		info.Limit, info.Since = page.Limit, page.Resume
		if page.Next != "" {
			info.Next = page.Resume
		}
	default:
		info.Limit, info.Next, info.Prev = page.Limit, page.Next, page.Prev
	}
	return e
}

// Write answers a request with a page: headers, status 200, and the envelope, each
// row reduced to the fields that the request asks for. Nothing is written if a row
// cannot be encoded.
func Write[T any](w http.ResponseWriter, r *http.Request, page *pagination.Page[T], o Options) error {
	e := NewEnvelope(r, page, o)
	fields, err := fieldNames(newLinker(r, &o).at.values, &o)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // links hold &, and JSON is not put into HTML unescaped
	if fields == nil {
		err = enc.Encode(e)
	} else {
		reduced := Envelope[json.RawMessage]{Data: make([]json.RawMessage, len(e.Data)), Pagination: e.Pagination, Links: e.Links}
		for i := range e.Data {
			if reduced.Data[i], err = reduce(&e.Data[i], fields); err != nil {
				return err
			}
		}
		err = enc.Encode(reduced)
	}
	if err != nil {
		return fmt.Errorf("httppage: encode: %w", err)
	}
	h := w.Header()
	setHeaders(h, e.Links, page.Count)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, err = w.Write(body.Bytes())
	}
	return err
}

// reduce encodes a row and keeps the members that are named, in their order.
func reduce(row any, names []string) (json.RawMessage, error) {
	whole, err := json.Marshal(row)
	if err != nil {
		return nil, fmt.Errorf("httppage: encode: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(whole))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("httppage: fields= needs rows that encode as objects")
	}
	out := []byte{'{'}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("httppage: encode: %w", err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("httppage: encode: %w", err)
		}
		name, _ := t.(string)
		if !slices.Contains(names, name) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, fmt.Errorf("httppage: encode: %w", err)
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	return append(out, '}'), nil
}
