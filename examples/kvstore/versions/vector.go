package versions

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// Dot names one write: the counter of an actor at that moment.
type Dot struct {
	Actor string
	N     uint64
}

// Vector is a version vector: for each actor how many of its writes are known. What it covers has been seen.
type Vector map[string]uint64

// Covers reports whether the write is known.
func (v Vector) Covers(d Dot) bool { return v[d.Actor] >= d.N }

// Join adds what another vector knows.
func (v Vector) Join(other Vector) {
	for actor, n := range other {
		v[actor] = max(v[actor], n)
	}
}

// String is the vector as a client gets it and gives it back: n1@k3:4,n5@k9:1.
func (v Vector) String() string {
	var parts []string
	for _, actor := range slices.Sorted(maps.Keys(v)) {
		parts = append(parts, actor+":"+strconv.FormatUint(v[actor], 10))
	}
	return strings.Join(parts, ",")
}

// Parse is the opposite of String.
func Parse(s string) (Vector, error) {
	v := make(Vector)
	if s == "" {
		return v, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		actor, number, _ := strings.Cut(part, ":")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil || n == 0 || actor == "" {
			return nil, fmt.Errorf("%w: version %.100q", wire.ErrInvalid, s)
		}
		v[actor] = max(v[actor], n)
	}
	return v, nil
}
