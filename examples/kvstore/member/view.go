// Package member says who belongs to the cluster and which nodes hold a key.
package member

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sysblocks/sysblocks/hashring"
)

// Node is a member as the others know it.
type Node struct {
	ID   string `json:"id"`
	Zone string `json:"zone"` // its failure domain: replicas of a key stand in distinct zones while there are any
}

// View is who belongs to the cluster. Old and New differ while a join is under way: then an operation needs a quorum in both.
// Every change has a higher epoch, and a replica serves only requests of its own epoch.
type View struct {
	Epoch uint64 `json:"epoch"`
	Old   []Node `json:"old"`
	New   []Node `json:"new"`
}

// Moving reports whether a join is under way.
func (v View) Moving() bool { return !slices.Equal(v.Old, v.New) }

// Members are all nodes of the view.
func (v View) Members() []Node {
	all := slices.Clone(v.Old)
	for _, m := range v.New {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return all
}

// Rings is a View with the rings that it stands for.
type Rings struct {
	View
	n             int // replicas of a key
	Before, After *hashring.Snapshot[string]
}

// NewRings builds the rings of a view, for n replicas of a key.
func NewRings(v View, n int) (*Rings, error) {
	before, err := Ring(v.Old)
	if err != nil {
		return nil, err
	}
	after, err := Ring(v.New)
	if err != nil {
		return nil, err
	}
	return &Rings{View: v, n: n, Before: before, After: after}, nil
}

// Ring places the nodes.
func Ring(members []Node) (*hashring.Snapshot[string], error) {
	nodes := make([]hashring.Node[string], len(members))
	for i, m := range members {
		nodes[i] = hashring.Node[string]{ID: m.ID, Zone: m.Zone, Value: m.ID}
	}
	r, err := hashring.New(nodes, hashring.Options{})
	if err != nil {
		return nil, err
	}
	return r.Snapshot(), nil
}

// Replicas are the sets of nodes in which an operation on the key needs a quorum: one, or two while a join is under way.
func (v *Rings) Replicas(key string) Quorums {
	sets := Quorums{v.Before.GetN(key, v.n)}
	if v.Moving() {
		sets = append(sets, v.After.GetN(key, v.n))
	}
	return sets
}

// Walk lists all nodes in the order in which they stand in for each other: the replicas, then the rest of the ring.
func (v *Rings) Walk(key string) []string {
	ids := v.Replicas(key).All()
	for node := range v.After.Walk(key) {
		if !slices.Contains(ids, node.ID) {
			ids = append(ids, node.ID)
		}
	}
	return ids
}

// Holds reports whether the node is a replica of the key.
func (v *Rings) Holds(id, key string) bool {
	return slices.ContainsFunc(v.Replicas(key), func(set []string) bool { return slices.Contains(set, id) })
}

// Quorums are the replica sets of one operation.
type Quorums [][]string

// All lists every node once.
func (q Quorums) All() []string {
	all := slices.Clone(q[0])
	for _, set := range q[1:] {
		for _, id := range set {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all
}

// Reached reports whether the answers of these nodes suffice in every set.
func (q Quorums) Reached(answered []string, need int) bool {
	return !slices.ContainsFunc(q, func(set []string) bool { return common(set, answered) < need })
}

// Hopeless reports whether, without these nodes, some set can no longer have enough answers.
func (q Quorums) Hopeless(failed []string, need int) bool {
	return slices.ContainsFunc(q, func(set []string) bool { return len(set)-common(set, failed) < need })
}

func common(set, ids []string) (n int) {
	for _, id := range ids {
		if slices.Contains(set, id) {
			n++
		}
	}
	return n
}

// Save writes the view into a node's folder. A node that forgot its epoch could serve a request that it has to refuse, so a view is
// on disk before it counts.
func Save(dir string, v View) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "view.json")
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return fmt.Errorf("member: save view: %w", err)
	}
	return os.Rename(path+".new", path)
}

// Load returns the saved view, or the given one for a new node.
func Load(dir string, first View) (v View, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "view.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return first, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		return View{}, fmt.Errorf("member: load view: %w", err)
	}
	return v, nil
}
