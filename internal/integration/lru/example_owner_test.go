package lru_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/hashring"
	"github.com/sysblocks/sysblocks/lru"
)

// process is one of several with the same code. Of each key one process, its owner, asks the source; the others ask the
// owner and keep what they got for a while. So the source sees one load per key, and not one per key and process.
type process struct {
	self  string
	ring  *hashring.Ring[string]
	urls  map[string]string
	loads *atomic.Int32
	cache *lru.Cache[string, string]
}

func newProcess(self string, ring *hashring.Ring[string], urls map[string]string, loads *atomic.Int32) (*process, error) {
	p := &process{self: self, ring: ring, urls: urls, loads: loads}
	var err error
	p.cache, err = lru.New(1000, lru.Options[string, string]{Load: p.load})
	return p, err
}

// load is what this process does for a key that it does not have.
func (p *process) load(ctx context.Context, key string) (string, error) {
	owner, ok := p.ring.Get(key)
	if !ok || owner == p.self {
		p.loads.Add(1)
		return "value of " + key, nil // from the source
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.urls[owner]+"/?key="+url.QueryEscape(key), nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return string(body), err
}

// ServeHTTP answers the other processes.
func (p *process) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, err := p.cache.Fetch(r.Context(), r.FormValue("key"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	_, _ = io.WriteString(w, v) // a peer that has gone asks again
}

func Example_ownerByHashRing() {
	ctx := context.Background()
	names := []string{"a", "b", "c"}
	ring, err := hashring.New(hashring.Nodes(names...), hashring.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var loads atomic.Int32
	urls := map[string]string{}
	processes := map[string]*process{}
	for _, name := range names {
		p, err := newProcess(name, ring, urls, &loads)
		if err != nil {
			fmt.Println(err)
			return
		}
		server := httptest.NewServer(p)
		defer server.Close()
		urls[name], processes[name] = server.URL, p
	}
	for key := range 100 {
		for _, p := range processes { // wherever the balancer sends the request
			if v, err := p.cache.Fetch(ctx, fmt.Sprint("key", key)); err != nil || v != fmt.Sprint("value of key", key) {
				fmt.Println(v, err)
			}
		}
	}
	fmt.Println(loads.Load(), "loads for 100 keys read by 3 processes")
	// Output: 100 loads for 100 keys read by 3 processes
}
