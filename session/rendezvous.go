package session

import (
	"encoding/binary"
	"slices"
)

// Rendezvous places IDs on names by highest random weight: a name added or removed moves 1/n of the IDs. The order of
// the names does not matter, and the placement never changes between versions of this package. Without names it
// returns "".
func Rendezvous(names ...string) func(id ID) string {
	type place struct {
		name string
		seed uint64
	}
	names = slices.Clone(names)
	slices.Sort(names) // of two equal weights, the first name: the same for all processes
	names = slices.Compact(names)
	places := make([]place, len(names))
	for i, name := range names {
		places[i] = place{name, mix(fnv1a(name))}
	}
	return func(id ID) string {
		best, most := "", uint64(0)
		for i, p := range places {
			w := weight(p.seed, id)
			if i == 0 || w > most {
				best, most = p.name, w
			}
		}
		return best
	}
}

func weight(seed uint64, id ID) uint64 {
	w := mix(seed ^ binary.LittleEndian.Uint64(id[:8]))
	return mix(w ^ binary.LittleEndian.Uint64(id[8:]))
}

// fnv1a is the 64-bit FNV-1a hash (RFC 9923).
func fnv1a(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014) behind one addition of its constant, without which
// zero would stay zero: each bit of x changes about half of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
