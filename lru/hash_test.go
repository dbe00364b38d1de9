package lru

import (
	"math"
	"strconv"
	"testing"
)

// evenly fails if keys that differ in one step only do not spread over the values that the shard, the bucket and the
// tag are made of. The bound is six standard deviations of a binomial, for 3 × 64 values: a false alarm in 10^6 runs.
func evenly[K comparable](t *testing.T, name string, key func(i int) K) {
	t.Helper()
	const n, values = 64 * 1024, 64
	h := newHasher[K]()
	var shards, buckets, tags [values]int
	for i := range n {
		x := h.hash(key(i))
		shards[x%values]++
		buckets[x>>58]++
		tags[x>>32%values]++
	}
	for _, part := range [][values]int{shards, buckets, tags} {
		for v, got := range part {
			if math.Abs(float64(got-n/values)) > 6*math.Sqrt(n/values) {
				t.Errorf("%s: %d of %d hashes have the value %d, want about %d", name, got, n, v, n/values)
			}
		}
	}
}

func TestHashesSpreadWhateverTheKeys(t *testing.T) {
	evenly(t, "int, consecutive", func(i int) int { return i })
	evenly(t, "uint64, high bits", func(i int) uint64 { return uint64(i) << 48 })
	evenly(t, "int64, multiples of 4096", func(i int) int64 { return int64(i) * -4096 })
	evenly(t, "int32", func(i int) int32 { return int32(i) })
	evenly(t, "uint32, high bits", func(i int) uint32 { return uint32(i) << 16 })
	evenly(t, "string", strconv.Itoa)
	evenly(t, "array", func(i int) [2]uint16 { return [2]uint16{uint16(i), 1} })
}

func TestHashesDifferBetweenCaches(t *testing.T) {
	a, b := newHasher[int](), newHasher[int]()
	same := 0
	for i := range 1000 {
		if a.hash(i) == b.hash(i) {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d of 1000 keys have the same hash in two caches", same)
	}
}
