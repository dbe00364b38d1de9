package httppage

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The errors of the client.
var (
	// ErrLoop says that a server sent the same URL twice.
	ErrLoop = errors.New("httppage: the links lead in a circle")
	// ErrOrigin says that a link or redirect leads to another origin, which was not asked.
	ErrOrigin = errors.New("httppage: the link leads to another origin")
	// ErrStatus says that a server answered with an error, also after retries.
	ErrStatus = errors.New("httppage: unexpected status")
	// ErrBody says that a body is too long, or no list.
	ErrBody = errors.New("httppage: bad body")
	// ErrLink says that a Link header is malformed.
	ErrLink = errors.New("httppage: malformed Link header")
)

const (
	defaultRetries = 3
	defaultMaxBody = 16 << 20
)

// ClientOptions of [Walk] and [Pages].
type ClientOptions struct {
	Client      *http.Client // nil = http.DefaultClient
	Header      http.Header  // sent with every request
	Retries     int          // per page; 0 = 3, -1 = none
	MaxPages    int          // the walk ends quietly after so many; 0 = no limit
	MaxBody     int64        // bytes per page, beyond is ErrBody; 0 = 16 MiB
	OtherOrigin bool         // follow a link to another scheme, host or port, with Header and all
}

// Pages gets a page and those that its Link headers call next. The body of a
// response is closed when the loop goes on. An error ends the walk: ErrLoop,
// ErrOrigin, ErrStatus, ErrLink, or one of the connection.
func Pages(ctx context.Context, url string, o ClientOptions) iter.Seq2[*http.Response, error] {
	return func(yield func(*http.Response, error) bool) {
		walk(ctx, url, &o, func(res *http.Response) (string, bool, error) {
			return "", yield(res, nil), nil
		}, func(err error) { yield(nil, err) })
	}
}

// Walk returns the rows of all pages. It understands a JSON array, and an object
// with the array in data, results or items. Without a Link header it follows
// links.next of the body. An empty page that has a next one is not the end.
func Walk[T any](ctx context.Context, url string, o ClientOptions) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		walk(ctx, url, &o, func(res *http.Response) (string, bool, error) {
			rows, next, err := decode[T](res.Body)
			if err != nil {
				return "", false, err
			}
			for i := range rows {
				if !yield(rows[i], nil) {
					return "", false, nil
				}
			}
			return next, true, nil
		}, func(err error) {
			var zero T
			yield(zero, err)
		})
	}
}

// decode reads a page's rows and the next link of its body.
func decode[T any](body io.Reader) (rows []T, next string, err error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, "", err
	}
	if trimmed := strings.TrimSpace(string(text)); strings.HasPrefix(trimmed, "[") {
		if err := json.Unmarshal(text, &rows); err != nil {
			return nil, "", fmt.Errorf("%w: %w", ErrBody, err)
		}
		return rows, "", nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrBody, err)
	}
	list := json.RawMessage(nil)
	for _, name := range []string{"data", "results", "items"} {
		if raw, ok := object[name]; ok && list == nil {
			list = raw
		}
	}
	if list == nil {
		return nil, "", fmt.Errorf("%w: neither an array nor data, results or items", ErrBody)
	}
	if err := json.Unmarshal(list, &rows); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrBody, err)
	}
	var links struct {
		Next *string `json:"next"`
	}
	if json.Unmarshal(object["links"], &links) == nil && links.Next != nil { // links of another shape are not ours
		next = *links.Next
	}
	return rows, next, nil
}

// walk follows links. visit returns the next link of the body, which counts only
// without a Link header, and whether to go on.
func walk(ctx context.Context, start string, o *ClientOptions, visit func(*http.Response) (string, bool, error), fail func(error)) {
	at, err := url.Parse(start)
	if err != nil {
		fail(fmt.Errorf("httppage: start: %w", err))
		return
	}
	w := walker{o: o, origin: origin(at), seen: make(map[[16]byte]struct{})}
	w.client = w.newClient()
	for pages := 0; o.MaxPages <= 0 || pages < o.MaxPages; pages++ {
		next, err := w.step(ctx, at, visit)
		if err != nil {
			fail(err)
			return
		}
		if next == nil {
			return
		}
		at = next
	}
}

type walker struct {
	o      *ClientOptions
	client *http.Client
	origin string
	seen   map[[16]byte]struct{} // hashes of URLs: long walks have long ones
}

// step gets one page and returns where the next one is; nil at the end.
func (w *walker) step(ctx context.Context, at *url.URL, visit func(*http.Response) (string, bool, error)) (*url.URL, error) {
	if !w.o.OtherOrigin && origin(at) != w.origin {
		return nil, fmt.Errorf("%w: %s", ErrOrigin, origin(at))
	}
	sum := sha256.Sum256([]byte(at.String()))
	id := [16]byte(sum[:16])
	if _, ok := w.seen[id]; ok {
		return nil, ErrLoop
	}
	w.seen[id] = struct{}{}
	res, err := w.get(ctx, at.String())
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	header := res.Header.Values("Link")
	links, err := ParseLink(header)
	if err != nil {
		return nil, err
	}
	base := at
	if res.Request != nil && res.Request.URL != nil {
		base = res.Request.URL // after redirects
	}
	next, more, err := visit(res)
	if err != nil || !more {
		return nil, err
	}
	if len(header) > 0 {
		next = ""
		for _, l := range links {
			if slices.Contains(l.Rel, "next") {
				next = l.URL
				break
			}
		}
		if next == "" {
			return nil, nil
		}
	}
	if next == "" {
		return nil, nil
	}
	to, err := base.Parse(next)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLink, err)
	}
	to.Fragment = ""
	return to, nil
}

// origin is scheme, host and port in one spelling.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return strings.ToLower(u.Scheme + "://" + u.Hostname() + ":" + port)
}
