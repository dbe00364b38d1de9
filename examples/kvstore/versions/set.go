// Package versions keeps what was written at the same time side by side, until somebody who has seen all of it writes again.
//
//	n1: put "a"          {n1:1}                   a
//	n1: put "b" after a  {n1:2}                   b            replaces a
//	n5: put "c" after a  {n1:1 n5:1}              c            the network is split: n5 has not heard of b
//	merge                {n1:2 n5:1}              b, c         neither has seen the other: siblings
//	put "d" after b, c   {n1:3 n5:1}              d            replaces both
//
// The rule of the merge: a version that only one side has stays, unless the other side has seen it, for then it was replaced there.
// A time would do neither: the later one of b and c would win, and the other client's acknowledged write be gone.
package versions

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

// Version is one of the values of a key.
type Version struct {
	Dot     Dot
	ID      uint64 // of the operation that wrote it, so that a repetition makes no sibling
	Deleted bool
	Data    []byte
}

// Set is what a node stores of a key: the versions that nothing has replaced, and all that it has seen, replaced ones included.
// (Baquero and Preguiça call it a dotted version vector set, 2012.)
type Set struct {
	Seen     Vector
	Versions []Version // by dot
}

// Put adds a version of an actor, which replaces those that the context covers.
func (s Set) Put(actor string, context Vector, v Version) Set {
	next := Set{Seen: Vector{}}
	next.Seen.Join(s.Seen)
	next.Seen.Join(context)
	next.Seen[actor]++
	v.Dot = Dot{actor, next.Seen[actor]}
	for _, old := range s.Versions {
		if !context.Covers(old.Dot) {
			next.Versions = append(next.Versions, old)
		}
	}
	next.Versions = append(next.Versions, v)
	next.sort()
	return next
}

// Merge unites what two nodes know.
func (s Set) Merge(other Set) Set {
	next := Set{Seen: Vector{}}
	next.Seen.Join(s.Seen)
	next.Seen.Join(other.Seen)
	for _, v := range s.Versions {
		if other.has(v.Dot) || !other.Seen.Covers(v.Dot) {
			next.Versions = append(next.Versions, v)
		}
	}
	for _, v := range other.Versions {
		if !next.has(v.Dot) && !s.Seen.Covers(v.Dot) {
			next.Versions = append(next.Versions, v)
		}
	}
	next.sort()
	return next
}

// Equal reports whether two nodes know the same.
func (s Set) Equal(other Set) bool { return bytes.Equal(s.Encode(), other.Encode()) }

// Deleted reports whether nothing is left.
func (s Set) Deleted() bool {
	return !slices.ContainsFunc(s.Versions, func(v Version) bool { return !v.Deleted })
}

func (s Set) has(d Dot) bool {
	return slices.ContainsFunc(s.Versions, func(v Version) bool { return v.Dot == d })
}

// sort orders by dot, and keeps the first of what one operation has written twice.
func (s *Set) sort() {
	slices.SortFunc(s.Versions, func(a, b Version) int {
		return cmp.Or(strings.Compare(a.Dot.Actor, b.Dot.Actor), cmp.Compare(a.Dot.N, b.Dot.N))
	})
	ids := make(map[uint64]bool)
	s.Versions = slices.DeleteFunc(s.Versions, func(v Version) bool {
		again := v.ID != 0 && ids[v.ID]
		ids[v.ID] = true
		return again
	})
}

// Encode is the stored form: the vector as text, then each version as an entry whose key is its operation and whose stamp is its
// dot.
func (s Set) Encode() []byte {
	b := storage.Entry{Key: s.Seen.String()}.AppendTo(nil)
	for _, v := range s.Versions {
		id := string(binary.BigEndian.AppendUint64(nil, v.ID))
		b = storage.Entry{Key: id, Stamp: storage.Stamp{Time: v.Dot.N, Node: v.Dot.Actor}, Deleted: v.Deleted, Value: v.Data}.AppendTo(b)
	}
	return b
}

// Decode is the opposite of Encode. The data shares the memory of b.
func Decode(b []byte) (s Set, err error) {
	head, b, err := storage.DecodeEntry(b)
	if err != nil {
		return Set{}, err
	}
	if s.Seen, err = Parse(head.Key); err != nil {
		return Set{}, storage.ErrCorrupt
	}
	for len(b) > 0 {
		var e storage.Entry
		if e, b, err = storage.DecodeEntry(b); err != nil || len(e.Key) != 8 {
			return Set{}, storage.ErrCorrupt
		}
		s.Versions = append(s.Versions, Version{
			Dot: Dot{e.Stamp.Node, e.Stamp.Time}, ID: binary.BigEndian.Uint64([]byte(e.Key)), Deleted: e.Deleted, Data: e.Value,
		})
	}
	return s, nil
}
