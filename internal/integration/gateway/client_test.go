package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// answer is what came back; an error has status 0.
type answer struct {
	status   int
	header   http.Header
	body     string
	from, to time.Time
}

// do sends a request in the name of a user.
func do(t *testing.T, client *http.Client, method, url, body, user string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return answer{}
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != "" {
		request.Header.Set("Authorization", "Bearer "+user)
	}
	got := answer{from: time.Now()}
	response, err := client.Do(request)
	if err != nil {
		return got
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return got
	}
	got.status, got.header, got.body, got.to = response.StatusCode, response.Header, string(text), time.Now()
	return got
}

func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// load is 16 clients, each with a request under way all the time, which takes some milliseconds and must not be sent twice.
type load struct {
	sent, failed atomic.Int64  // counted by the clients, read by the test
	over         atomic.Bool   // set by the test; clients look at it between two requests
	answered     chan struct{} // offered at each answer
	running      sync.WaitGroup
}

// run sends through all of the URLs in turn. Each request is in the name of somebody else, so that no limit is reached.
func (l *load) run(t *testing.T, client *http.Client, urls ...string) {
	t.Helper()
	l.answered = make(chan struct{})
	var number atomic.Int64
	for range 16 {
		l.running.Go(func() {
			for !l.over.Load() {
				n := number.Add(1)
				got := do(t, client, http.MethodPost, urls[n%int64(len(urls))]+"/work", "ms=5", "user-"+string(rune('a'+n%26))+time.Now().String())
				l.sent.Add(1)
				if got.status != http.StatusNoContent {
					l.failed.Add(1)
				}
				select {
				case l.answered <- struct{}{}:
				default:
				}
			}
		})
	}
}

// settle returns when n more requests have been answered.
func (l *load) settle(n int) {
	for range n {
		<-l.answered
	}
}

func (l *load) end() {
	l.over.Store(true)
	l.running.Wait()
}
