package lru

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"unsafe"
)

// hasher gives keys hashes that nobody can foresee: the seeds are random and differ from cache to cache.
//
// Integers, the most frequent keys, are mixed here: two multiplications of 64 bits whose halves are folded, as in
// wyhash. That takes a third of the time of maphash.Comparable, which serves all other kinds of keys and is a fifth of a
// hit for integers.
type hasher[K comparable] struct {
	kind keyKind
	a, b uint64
	seed maphash.Seed
}

// keyKind says how a key is hashed.
type keyKind uint8

const (
	keyOther  keyKind = iota
	keyWord32         // an integer of four bytes
	keyWord64         // an integer of eight bytes
)

func newHasher[K comparable]() hasher[K] {
	h := hasher[K]{seed: maphash.MakeSeed(), a: rand.Uint64(), b: rand.Uint64() | 1}
	t := reflect.TypeFor[K]()
	switch t.Kind() { //nolint:exhaustive // all other kinds are keyOther
	case reflect.Int, reflect.Uint, reflect.Int32, reflect.Uint32, reflect.Int64, reflect.Uint64, reflect.Uintptr:
		h.kind = keyWord64
		if t.Size() == 4 {
			h.kind = keyWord32
		}
	}
	return h
}

func (x *hasher[K]) hash(key K) uint64 {
	switch x.kind {
	case keyWord64:
		return x.mix(*(*uint64)(unsafe.Pointer(&key)))
	case keyWord32:
		return x.mix(uint64(*(*uint32)(unsafe.Pointer(&key))))
	case keyOther:
	}
	return maphash.Comparable(x.seed, key)
}

func (x *hasher[K]) mix(word uint64) uint64 {
	hi, lo := bits.Mul64(word^x.a, x.b)
	hi, lo = bits.Mul64(hi^x.a, lo^0xa0761d6478bd642f)
	return hi ^ lo
}
