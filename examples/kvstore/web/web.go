// Package web is the HTTP interface of the store: verbs, status codes, limits.
package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/member"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
	"github.com/sysblocks/sysblocks/hashring"
	"github.com/sysblocks/sysblocks/idgen"
)

// Cluster is what stands behind the interface: all nodes in one process, or one of them.
type Cluster interface {
	Client() *wire.Client
	Quorum() cluster.Quorum
	View() member.View
	Ring() (*hashring.Snapshot[string], error)
	Up() map[string]*cluster.Node // those that this process can look into
	Join(ctx context.Context, m member.Node) error
	Kill(id string) error
	Restart(id string) error
}

// web answers HTTP requests with the operations of a cluster.
type web struct {
	nodes  Cluster
	client *wire.Client
}

// New serves a cluster.
func New(nodes Cluster) http.Handler {
	w := &web{nodes: nodes, client: nodes.Client()}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/kv/{key...}", w.put)
	mux.HandleFunc("GET /v1/kv/{key...}", w.get)
	mux.HandleFunc("POST /v1/kv/{key...}", w.add)
	mux.HandleFunc("DELETE /v1/kv/{key...}", w.delete)
	mux.HandleFunc("GET /v1/keys", w.keys)
	mux.HandleFunc("GET /v1/where/{key...}", w.where)
	mux.HandleFunc("GET /v1/ring", w.ring)
	mux.HandleFunc("POST /v1/nodes", w.join)
	mux.HandleFunc("POST /v1/nodes/{id}/{action}", w.act)
	return http.NewCrossOriginProtection().Handler(mux) // a page in a browser must not kill nodes
}

// put writes a value: whatever is there, or only in the place of the version that If-Match names. If-None-Match: * is for keys that
// have none.
func (w *web) put(out http.ResponseWriter, r *http.Request) {
	value, err := io.ReadAll(http.MaxBytesReader(out, r.Body, wire.MaxValue))
	change := wire.Change{How: wire.Set, Entry: storage.Entry{Key: r.PathValue("key"), Value: value}}
	if tag := r.Header.Get("If-Match"); tag != "" && err == nil {
		change.How = wire.SetIf
		change.Entry.Stamp, err = version(tag)
	} else if r.Header.Get("If-None-Match") == "*" {
		change.How = wire.SetIf
	}
	w.change(out, r, change, err)
}

func (w *web) delete(out http.ResponseWriter, r *http.Request) {
	w.change(out, r, wire.Change{How: wire.Set, Entry: storage.Entry{Key: r.PathValue("key"), Deleted: true}}, nil)
}

// add adds the number in the body to the one that is stored.
func (w *web) add(out http.ResponseWriter, r *http.Request) {
	number, err := io.ReadAll(http.MaxBytesReader(out, r.Body, 20))
	w.change(out, r, wire.Change{How: wire.Add, Entry: storage.Entry{Key: r.PathValue("key"), Value: bytes.TrimSpace(number)}}, err)
}

// change makes a change. A client that may have to repeat it names it in Idempotency-Key.
func (w *web) change(out http.ResponseWriter, r *http.Request, c wire.Change, err error) {
	if name := r.Header.Get("Idempotency-Key"); name != "" && err == nil {
		id, syntax := idgen.ParseID(name)
		if syntax != nil {
			err = fmt.Errorf("%w: Idempotency-Key: %w", wire.ErrInvalid, syntax)
		}
		c.ID = uint64(id)
	}
	if err == nil {
		var made storage.Stamp
		if made, err = w.client.Change(r.Context(), c); made != (storage.Stamp{}) {
			out.Header().Set("ETag", etag(made))
		}
	}
	answer(out, http.StatusNoContent, nil, err)
}

// get answers with the value, or with 300 and all of them if several were written at the same time.
func (w *web) get(out http.ResponseWriter, r *http.Request) {
	versions, err := w.client.Versions(r.Context(), r.PathValue("key"))
	switch {
	case err != nil || len(versions) == 0:
		answer(out, http.StatusNotFound, map[string]string{"error": "no such key"}, err)
	case len(versions) == 1:
		out.Header().Set("Content-Type", "application/octet-stream")
		out.Header().Set("ETag", etag(versions[0].Stamp))
		_, _ = out.Write(versions[0].Value) // the reader may have gone; nothing to be done
	default:
		var values []string
		for _, v := range versions {
			values = append(values, string(v.Value))
		}
		out.Header().Set("ETag", etag(versions[0].Stamp))
		answer(out, http.StatusMultipleChoices, map[string]any{"siblings": values}, nil)
	}
}

func etag(s storage.Stamp) string { return fmt.Sprintf(`"%x-%s"`, s.Time, s.Node) }

// version is the opposite of etag.
func version(tag string) (s storage.Stamp, err error) {
	number, node, ok := strings.Cut(strings.Trim(tag, `"`), "-")
	s.Node = node
	s.Time, err = strconv.ParseUint(number, 16, 64)
	if !ok || err != nil {
		return s, fmt.Errorf("%w: If-Match %.100q", wire.ErrInvalid, tag)
	}
	return s, nil
}

// keysPage is one page of a listing. Next is empty on the last one.
type keysPage struct {
	Keys []string `json:"keys"`
	Next string   `json:"next,omitempty"` // pass as after
}

func (w *web) keys(out http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(cmp.Or(r.FormValue("limit"), strconv.Itoa(wire.PageSize)))
	if err != nil {
		answer(out, 0, nil, fmt.Errorf("%w: limit: %w", wire.ErrInvalid, err))
		return
	}
	keys, next, err := w.client.Keys(r.Context(), r.FormValue("prefix"), r.FormValue("after"), limit)
	answer(out, http.StatusOK, keysPage{Keys: append([]string{}, keys...), Next: next}, err)
}

// replica is one line of /v1/where.
type replica struct {
	ID    string `json:"id"`
	Zone  string `json:"zone"`
	Up    bool   `json:"up"`
	Holds bool   `json:"holds"`
}

func (w *web) where(out http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	ring, err := w.nodes.Ring()
	if err != nil {
		answer(out, 0, nil, err)
		return
	}
	var replicas []replica
	up := w.nodes.Up()
	for node := range ring.Walk(key) {
		if len(replicas) == w.nodes.Quorum().N {
			break
		}
		n := up[node.ID]
		replicas = append(replicas, replica{ID: node.ID, Zone: node.Zone, Up: n != nil, Holds: n != nil && n.Holds(key)})
	}
	answer(out, http.StatusOK, map[string]any{"key": key, "token": fmt.Sprintf("%016x", ring.Token(key)), "replicas": replicas}, nil)
}

// nodeLine is one node of /v1/ring.
type nodeLine struct {
	ID       string  `json:"id"`
	Zone     string  `json:"zone"`
	Share    float64 `json:"share"` // of the keys, that this node is a replica of
	Up       bool    `json:"up"`
	Entries  int     `json:"entries"`
	Replayed int     `json:"replayed"`
	Hints    int     `json:"hints"`
	Repaired int64   `json:"repaired"`
}

func (w *web) ring(out http.ResponseWriter, _ *http.Request) {
	view := w.nodes.View()
	ring, err := w.nodes.Ring()
	if err != nil {
		answer(out, 0, nil, err)
		return
	}
	var lines []nodeLine
	up, share := w.nodes.Up(), make(map[string]float64)
	for r, replicas := range ring.AllRanges(w.nodes.Quorum().N) {
		for _, node := range replicas {
			share[node.ID] += r.Fraction()
		}
	}
	for _, m := range view.Members() {
		line := nodeLine{ID: m.ID, Zone: m.Zone, Share: math.Round(share[m.ID]*1e4) / 1e4}
		if n := up[m.ID]; n != nil {
			s := n.Stats()
			line.Up, line.Entries, line.Replayed, line.Hints, line.Repaired = true, s.Entries, s.Replayed, n.Pending(), s.Repaired
		}
		lines = append(lines, line)
	}
	answer(out, http.StatusOK, map[string]any{"epoch": view.Epoch, "moving": view.Moving(), "nodes": lines}, nil)
}

func (w *web) join(out http.ResponseWriter, r *http.Request) {
	var m member.Node
	if err := json.NewDecoder(http.MaxBytesReader(out, r.Body, 1<<10)).Decode(&m); err != nil {
		answer(out, 0, nil, fmt.Errorf("%w: want {\"id\":…,\"zone\":…}: %w", wire.ErrInvalid, err))
		return
	}
	answer(out, http.StatusCreated, m, w.nodes.Join(r.Context(), m))
}

func (w *web) act(out http.ResponseWriter, r *http.Request) {
	actions := map[string]func(string) error{"kill": w.nodes.Kill, "restart": w.nodes.Restart}
	act, ok := actions[r.PathValue("action")]
	if !ok {
		answer(out, http.StatusNotFound, map[string]string{"error": "a node can be killed and restarted"}, nil)
		return
	}
	answer(out, http.StatusNoContent, nil, act(r.PathValue("id")))
}

// answer writes a status with a JSON body, or what the error stands for.
func answer(out http.ResponseWriter, status int, body any, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
	case errors.As(err, &tooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, wire.ErrConflict):
		status = http.StatusPreconditionFailed
	case errors.Is(err, wire.ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, wire.ErrUnavailable):
		status = http.StatusServiceUnavailable
		out.Header().Set("Retry-After", "1")
	default:
		status = http.StatusInternalServerError
	}
	if err != nil {
		body = map[string]string{"error": err.Error()}
	}
	if status == http.StatusNoContent {
		out.WriteHeader(status)
		return
	}
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	text := json.NewEncoder(out)
	text.SetIndent("", "  ")
	_ = text.Encode(body) // the reader may have gone
}
