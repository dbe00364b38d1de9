// Package exchange holds a table of HTTP requests with the answers they must get. One table feeds three readers: the curl lines
// that -serve prints, the replay in the demo, and the README.
package exchange

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Exchange is one request and the answer to it.
type Exchange struct {
	What   string            // what it shows, a few words
	Method string            // GET, PUT, …
	Path   string            // with the query, beginning with /
	Header map[string]string // of the request; may be nil
	Body   string            // of the request; "" for none
	Status int               // of the answer
	Want   map[string]string // headers that the answer has; "" means any value but absent
	Text   string            // a part of the answer's body; "" for anything
}

// Curl writes the request as a line to paste into a shell.
func (e Exchange) Curl(base string) string {
	line := "curl -i"
	switch {
	case e.Method == http.MethodHead:
		line = "curl -I"
	case e.Method == http.MethodPost && e.Body != "": // implied by -d
	case e.Method != http.MethodGet:
		line += " -X " + e.Method
	}
	words := []string{line}
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		words = append(words, "-H", quote(name+": "+e.Header[name]))
	}
	if e.Body != "" {
		words = append(words, "-d", quote(e.Body))
	}
	url := strings.TrimSuffix(base, "/") + e.Path
	if strings.ContainsAny(url, "?&*[]{}'\" ") {
		url = quote(url)
	}
	return strings.Join(append(words, url), " ")
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Do sends one request and compares the answer. The error says what differs.
func (e Exchange) Do(ctx context.Context, client *http.Client, base string) error {
	request, err := http.NewRequestWithContext(ctx, e.Method, strings.TrimSuffix(base, "/")+e.Path, strings.NewReader(e.Body))
	if err != nil {
		return fmt.Errorf("exchange: %s %s: %w", e.Method, e.Path, err)
	}
	if e.Body != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded") // what curl -d sends
	}
	for name, value := range e.Header {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("exchange: %s %s: %w", e.Method, e.Path, err)
	}
	return e.compare(response, body)
}

func (e Exchange) compare(response *http.Response, body []byte) error {
	if response.StatusCode != e.Status {
		return fmt.Errorf("exchange: %s %s: status %d, want %d", e.Method, e.Path, response.StatusCode, e.Status)
	}
	for name, want := range e.Want {
		got := response.Header.Get(name)
		if got == "" || want != "" && got != want {
			return fmt.Errorf("exchange: %s %s: header %s is %q, want %q", e.Method, e.Path, name, got, want)
		}
	}
	if !bytes.Contains(body, []byte(e.Text)) {
		return fmt.Errorf("exchange: %s %s: body %.200q lacks %q", e.Method, e.Path, body, e.Text)
	}
	return nil
}

// Replay runs the table in order and returns what was wrong, one error an exchange.
func Replay(ctx context.Context, client *http.Client, base string, table []Exchange) (wrong []error) {
	for _, e := range table {
		if err := e.Do(ctx, client, base); err != nil {
			wrong = append(wrong, err)
		}
	}
	return wrong
}

// Markdown writes the table for a README.
func Markdown(base string, table []Exchange) string {
	var b strings.Builder
	b.WriteString("| What it shows | Request | Answer |\n|---|---|---|\n")
	for _, e := range table {
		answer := []string{fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))}
		for _, name := range slices.Sorted(maps.Keys(e.Want)) {
			answer = append(answer, "`"+strings.TrimSuffix(name+": "+e.Want[name], ": ")+"`")
		}
		if e.Text != "" {
			answer = append(answer, "`"+e.Text+"`")
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", e.What, e.Curl(base), strings.Join(answer, ", "))
	}
	return b.String()
}
