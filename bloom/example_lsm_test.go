package bloom_test

import (
	"fmt"
	"slices"

	"github.com/sysblocks/sysblocks/bloom"
)

// table is a sorted file of a log-structured store: keys in order, and the serialized filter that ends the file.
type table struct {
	keys   []string
	filter bloom.View
	reads  int
}

// writeTable sorts the keys and makes their filter. One goroutine builds it, so it needs no atomic operations.
func writeTable(keys []string) (*table, error) {
	slices.Sort(keys)
	f, err := bloom.New(uint64(len(keys)), 0.01, bloom.Options{Unsynchronized: true})
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		f.Add(bloom.String(k))
	}
	footer, err := f.MarshalBinary() // to the file
	if err != nil {
		return nil, err
	}
	view, err := bloom.Open(footer) // from the mapped file, checked once
	if err != nil {
		return nil, err
	}
	return &table{keys: keys, filter: view}, nil
}

// search is a binary search that reads a block from the disk.
func (t *table) search(key string) bool {
	t.reads++
	_, ok := slices.BinarySearch(t.keys, key)
	return ok
}

// lookup asks the newest table first. The key is hashed once for all filters.
func lookup(tables []*table, key string) (found bool, searched int) {
	k := bloom.String(key)
	for _, t := range slices.Backward(tables) {
		if !t.filter.Test(k) {
			continue // certainly not here: no read
		}
		searched++
		if t.search(key) {
			return true, searched
		}
	}
	return false, searched
}

// The read path of an LSM tree: ten sorted files, of which at most one has the key.
func Example_lsm() {
	var tables []*table
	for level := range 10 {
		var keys []string
		for i := range 5000 {
			keys = append(keys, fmt.Sprintf("%d/row-%06d", level, i*7))
		}
		t, err := writeTable(keys)
		if err != nil {
			fmt.Println(err)
			return
		}
		tables = append(tables, t)
	}
	found, reads := 0, 0
	for i := range 10_000 {
		ok, n := lookup(tables, fmt.Sprintf("%d/row-%06d", i%10, i))
		if ok {
			found++
		}
		reads += n
	}
	fmt.Println("found", found)
	fmt.Println("look-ups 10000, tables 10, reads below 3000:", reads < 3000)
	// Output:
	// found 1429
	// look-ups 10000, tables 10, reads below 3000: true
}
