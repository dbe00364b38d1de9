package member

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

func five() []Node {
	return []Node{{"n1", "a"}, {"n2", "b"}, {"n3", "c"}, {"n4", "a"}, {"n5", "b"}}
}

func TestReplicasAreDistinctNodesInDistinctZones(t *testing.T) {
	r, err := NewRings(View{Epoch: 1, Old: five(), New: five()}, 3)
	if err != nil {
		t.Fatal(err)
	}
	zone := map[string]string{}
	for _, m := range five() {
		zone[m.ID] = m.Zone
	}
	for i := range 1000 {
		sets := r.Replicas(fmt.Sprint("key-", i))
		if len(sets) != 1 || len(sets[0]) != 3 {
			t.Fatalf("got %v", sets)
		}
		zones := map[string]bool{}
		for _, id := range sets[0] {
			zones[zone[id]] = true
		}
		if len(zones) != 3 {
			t.Fatalf("replicas %v stand in %d zones", sets[0], len(zones))
		}
	}
}

func TestAJoinNeedsQuorumsOfBothSets(t *testing.T) {
	v := View{Epoch: 2, Old: five(), New: append(five(), Node{"n6", "c"})}
	r, err := NewRings(v, 3)
	if err != nil {
		t.Fatal(err)
	}
	if !v.Moving() || len(v.Members()) != 6 {
		t.Fatalf("moving %v, members %v", v.Moving(), v.Members())
	}
	gained := 0
	for i := range 1000 {
		key := fmt.Sprint("key-", i)
		sets := r.Replicas(key)
		if len(sets) != 2 || !slices.Equal(sets[0], r.Before.GetN(key, 3)) || !slices.Equal(sets[1], r.After.GetN(key, 3)) {
			t.Fatalf("got %v", sets)
		}
		for _, id := range sets.All() {
			if !r.Holds(id, key) {
				t.Fatalf("%s holds not %s", id, key)
			}
		}
		if slices.Contains(sets[1], "n6") {
			gained++
		}
	}
	if gained == 0 {
		t.Error("the joiner gains nothing")
	}
}

func TestQuorumArithmetic(t *testing.T) {
	q := Quorums{{"a", "b", "c"}, {"b", "c", "d"}}
	for _, c := range []struct {
		ids               []string
		reached, hopeless bool // as answers, as failures, of 2 each
	}{
		{nil, false, false},
		{[]string{"a", "b"}, false, true},     // one of the second set
		{[]string{"a", "d"}, false, false},    // one of each
		{[]string{"b", "c"}, true, true},      // the common ones
		{[]string{"a", "b", "d"}, true, true}, // two of each
		{[]string{"x", "y"}, false, false},
	} {
		if got := q.Reached(c.ids, 2); got != c.reached {
			t.Errorf("%v: reached %v", c.ids, got)
		}
		if got := q.Hopeless(c.ids, 2); got != c.hopeless {
			t.Errorf("%v: hopeless %v", c.ids, got)
		}
	}
	if all := q.All(); !slices.Equal(all, []string{"a", "b", "c", "d"}) {
		t.Errorf("got %v", all)
	}
}

func TestViewOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	first := View{Epoch: 1, Old: five(), New: five()}
	if v, err := Load(dir, first); err != nil || !reflect.DeepEqual(v, first) {
		t.Errorf("new node: %v, %v", v, err)
	}
	later := View{Epoch: 7, Old: five(), New: five()[:4]}
	if err := Save(dir, later); err != nil {
		t.Fatal(err)
	}
	if v, err := Load(dir, first); err != nil || !reflect.DeepEqual(v, later) {
		t.Errorf("got %v, %v", v, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "view.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, first); err == nil {
		t.Error("a damaged view was taken for a new node: it would forget its epoch")
	}
}
