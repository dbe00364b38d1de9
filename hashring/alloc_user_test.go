package hashring_test

import (
	"strconv"
	"testing"

	"github.com/sysblocks/sysblocks/hashring"
)

type client struct{ uses int }

// TestIteratorsDoNotAllocateForUsers repeats the gate for iterators from another package, where inlining, on which
// it depends, has less to see.
func TestIteratorsDoNotAllocateForUsers(t *testing.T) {
	if hashring.RaceEnabled || strconv.IntSize == 32 {
		t.Skip("functions are not inlined as far under the race detector, nor on 32 bits")
	}
	ring, err := hashring.New([]hashring.Node[*client]{{ID: "a", Value: new(client)}, {ID: "b", Value: new(client)}}, hashring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := ring.Snapshot()
	keys := []string{"user:1", "user:2", "user:3"}
	for call, c := range map[string]struct {
		run  func()
		most float64
	}{
		"Walk": {func() {
			for n := range ring.Walk("user:42") {
				n.Value.uses++
			}
		}, 0},
		"WalkToken": {func() {
			for n := range s.WalkToken(42) {
				n.Value.uses++
			}
		}, 0},
		"Group": {func() {
			for n, part := range s.Group(keys) {
				n.Value.uses += len(part)
			}
		}, 2},
	} {
		if got := testing.AllocsPerRun(100, c.run); got > c.most {
			t.Errorf("%s allocates %v times, want %v", call, got, c.most)
		}
	}
}
