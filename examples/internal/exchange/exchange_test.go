package exchange

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func table() []Exchange {
	return []Exchange{
		{What: "write", Method: http.MethodPut, Path: "/a", Body: "it's", Status: 204, Want: map[string]string{"ETag": ""}},
		{What: "read", Method: http.MethodGet, Path: "/a?x=1", Status: 200, Text: "it's", Want: map[string]string{"X-Is": "a"}},
		{What: "none", Method: http.MethodHead, Path: "/b", Header: map[string]string{"Accept": "*/*"}, Status: 404},
		{What: "form", Method: http.MethodPost, Path: "/c", Body: "k=v", Status: 200},
	}
}

func TestCurlLinesCanBePasted(t *testing.T) {
	want := []string{
		`curl -i -X PUT -d 'it'\''s' http://h/a`,
		`curl -i 'http://h/a?x=1'`,
		`curl -I -H 'Accept: */*' http://h/b`,
		`curl -i -d 'k=v' http://h/c`,
	}
	for i, e := range table() {
		if got := e.Curl("http://h/"); got != want[i] {
			t.Errorf("got  %s\nwant %s", got, want[i])
		}
	}
	if md := Markdown("http://h", table()); strings.Count(md, "\n") != 6 || !strings.Contains(md, "404 Not Found") {
		t.Error(md)
	}
}

func TestReplayCountsEveryWrongAnswer(t *testing.T) {
	right := func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPut:
			w.Header().Set("ETag", `"1"`)
			w.WriteHeader(http.StatusNoContent)
		case http.MethodGet:
			w.Header().Set("X-Is", "a")
			_, _ = w.Write([]byte("so it's"))
		case http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		wrong   int
	}{
		"right":        {right, 0},
		"200 to all":   {func(http.ResponseWriter, *http.Request) {}, 3},
		"wrong header": {func(w http.ResponseWriter, r *http.Request) { right(header{w}, r) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			if wrong := Replay(t.Context(), server.Client(), server.URL, table()); len(wrong) != c.wrong {
				t.Errorf("%d wrong, want %d: %v", len(wrong), c.wrong, wrong)
			}
		})
	}
}

// header spoils one header of the answer.
type header struct{ http.ResponseWriter }

func (h header) Write(p []byte) (int, error) {
	h.Header().Set("X-Is", "b")
	return h.ResponseWriter.Write(p)
}
