package run

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/entry"
)

// list is a cursor over a slice.
type list []Item

func (l *list) Next() (Item, bool, error) {
	if len(*l) == 0 {
		return Item{}, false, nil
	}
	it := (*l)[0]
	*l = (*l)[1:]
	return it, true, nil
}

func items(n int) []Item {
	all := make([]Item, n)
	for i := range all {
		all[i] = Item{fmt.Sprintf("key-%05d", 2*i), bytes.Repeat([]byte{byte(i)}, i%120)}
	}
	return all
}

func encode(tb testing.TB, all []Item) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, 7)
	for _, it := range all {
		if err := w.Add(it); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// counted counts the reads of a file.
type counted struct {
	io.ReaderAt
	reads atomic.Int64
}

func (c *counted) ReadAt(b []byte, at int64) (int, error) {
	c.reads.Add(1)
	return c.ReaderAt.ReadAt(b, at)
}

func openRun(tb testing.TB, b []byte, o Options) (*Run, *counted) {
	tb.Helper()
	file := &counted{ReaderAt: bytes.NewReader(b)}
	r, err := Open(file, int64(len(b)), "test.run", 7, o)
	if err != nil {
		tb.Fatal(err)
	}
	file.reads.Store(0)
	return r, file
}

func drain(tb testing.TB, c Cursor) (all []Item) {
	tb.Helper()
	for {
		it, ok, err := c.Next()
		if err != nil {
			tb.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, it)
	}
}

func same(a, b Item) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }

func TestARunHasWhatWasWrittenAndNothingElse(t *testing.T) {
	for _, n := range []int{0, 1, 2, 50, 1000} {
		all := items(n)
		r, file := openRun(t, encode(t, all), Options{})
		if r.Len() != n {
			t.Fatalf("%d items: Len is %d", n, r.Len())
		}
		for i, it := range all {
			if value, found, err := r.Get(it.Key, bloom.String(it.Key)); err != nil || !found || !bytes.Equal(value, it.Value) {
				t.Fatalf("%d items: %s: %v, %v, %v", n, it.Key, value, found, err)
			}
			if !r.MayHold(bloom.String(it.Key)) {
				t.Fatalf("%s was refused", it.Key)
			}
			between := fmt.Sprintf("key-%05d", 2*i+1)
			if _, found, err := r.Get(between, bloom.String(between)); err != nil || found {
				t.Fatalf("%d items: %s: found %v, %v", n, between, found, err)
			}
			if from := drain(t, r.Scan(between, i%2 == 0)); !slices.EqualFunc(from, all[i+1:], same) {
				t.Fatalf("%d items: from %s there are %d", n, between, len(from))
			}
			if i > 60 && i < n-60 {
				continue
			}
			if from := drain(t, r.Scan(it.Key, i%2 == 0)); !slices.EqualFunc(from, all[i:], same) {
				t.Fatalf("%d items: from %s there are %d", n, it.Key, len(from))
			}
		}
		file.reads.Store(0)
		for _, key := range []string{"", "a", "key-", "zzz"} {
			if _, found, err := r.Get(key, bloom.String(key)); err != nil || found {
				t.Fatalf("%q: found %v, %v", key, found, err)
			}
		}
	}
}

func TestALookUpReadsOneBlockAtMost(t *testing.T) {
	all := items(1000)
	r, file := openRun(t, encode(t, all), Options{})
	for i, it := range all {
		if _, _, err := r.Get(it.Key, bloom.String(it.Key)); err != nil || file.reads.Load() != int64(i+1) {
			t.Fatalf("%d reads after %d look-ups, %v", file.reads.Load(), i+1, err)
		}
	}
	for i := range 10_000 { // absent keys: 100 expected, 170 is seven standard deviations off
		key := fmt.Sprint("absent", i)
		if _, _, err := r.Get("key-1"+key, bloom.String("key-1"+key)); err != nil {
			t.Fatal(err)
		}
	}
	if n := file.reads.Load() - 1000; n > 170 {
		t.Errorf("%d reads for 10000 absent keys", n)
	}
}

// TestReadersOfOneBlockReadItOnce lets many readers want the same blocks at the same time.
func TestReadersOfOneBlockReadItOnce(t *testing.T) {
	cache, err := NewCache(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	all := items(1000)
	r, file := openRun(t, encode(t, all), Options{Cache: cache})
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for _, it := range all {
				if value, found, err := r.Get(it.Key, bloom.String(it.Key)); err != nil || !found || !bytes.Equal(value, it.Value) {
					t.Errorf("%s: %v, %v, %v", it.Key, value, found, err)
				}
			}
		})
	}
	readers.Wait()
	if n := int(file.reads.Load()); n != r.Blocks() || n < 10 {
		t.Errorf("%d reads of %d blocks", n, r.Blocks())
	}
	drain(t, r.Scan("", false))
	if n := int(file.reads.Load()); n != r.Blocks() {
		t.Errorf("%d reads of %d blocks after a scan", n, r.Blocks())
	}
	cache.Drop(7)
	if n := cache.blocks.Len(); n != 0 {
		t.Errorf("%d blocks of a run that is gone", n)
	}
}

func TestTheCacheKeepsToItsBytes(t *testing.T) {
	const room = 20_000
	cache, err := NewCache(room)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := openRun(t, encode(t, items(5000)), Options{Cache: cache})
	for _, it := range drain(t, r.Scan("", false)) {
		if _, _, err := r.Get(it.Key, bloom.String(it.Key)); err != nil {
			t.Fatal(err)
		}
	}
	if w := cache.blocks.Weight(); w > room || w < room/2 {
		t.Errorf("%d bytes in a cache of %d", w, room)
	}
}

func TestKeysOutOfOrderAndItemsOverTheLimitAreRefused(t *testing.T) {
	w := NewWriter(io.Discard, 1)
	if err := w.Add(Item{Key: "b"}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b"} {
		if err := w.Add(Item{Key: key}); err == nil {
			t.Errorf("%s after b was taken", key)
		}
	}
	if err := w.Add(Item{Key: "c", Value: make([]byte, entry.MaxBytes)}); err == nil {
		t.Error("an item over the limit was taken")
	}
}

func TestAMergeTakesTheNewestAndEveryKeyOnce(t *testing.T) {
	newest := list{{"b", []byte("3")}, {"d", []byte("3")}}
	middle := list{{"a", []byte("2")}, {"b", []byte("2")}, {"e", []byte("2")}}
	oldest := list{{"a", []byte("1")}, {"c", []byte("1")}, {"d", []byte("1")}, {"f", []byte("1")}}
	var got strings.Builder
	for _, it := range drain(t, NewMerge(&newest, &middle, &list{}, &oldest)) {
		got.WriteString(it.Key + string(it.Value))
	}
	if got.String() != "a2b3c1d3e2f1" {
		t.Errorf("got %s", got.String())
	}
	if n := len(drain(t, NewMerge())); n != 0 {
		t.Errorf("%d items of no layers", n)
	}
}

// TestAWholeBlockInTheWrongPlaceIsRefused exchanges two blocks of equal length, and gives a run another number.
func TestAWholeBlockInTheWrongPlaceIsRefused(t *testing.T) {
	var all []Item
	for i := range 200 {
		all = append(all, Item{fmt.Sprintf("%04d", i), make([]byte, 100)})
	}
	b := encode(t, all)
	r, _ := openRun(t, b, Options{})
	n := r.at[1]
	if r.at[2] != 2*n {
		t.Fatal("the blocks differ in length")
	}
	swapped := slices.Concat(b[n:2*n], b[:n], b[2*n:])
	r, _ = openRun(t, swapped, Options{})
	if _, _, err := r.Get("0000", bloom.String("0000")); !errors.Is(err, entry.ErrCorrupt) || !strings.Contains(err.Error(), "test.run at offset 0") {
		t.Errorf("got %v", err)
	}
	if _, err := Open(bytes.NewReader(b), int64(len(b)), "test.run", 8, Options{}); !errors.Is(err, entry.ErrCorrupt) {
		t.Errorf("another number: %v", err)
	}
}

// sealed makes a run of these sections, with right checksums whatever is in them.
func sealed(block, filter, index []byte, filterAt, indexAt, items uint64) []byte {
	b := seal(slices.Clone(block), 7, 0)
	b = append(b, seal(slices.Clone(filter), 7, int64(len(b)))...)
	b = append(b, seal(slices.Clone(index), 7, int64(len(b)))...)
	var footer []byte
	for _, n := range []uint64{filterAt, indexAt, items, 7, magic} {
		footer = binary.BigEndian.AppendUint64(footer, n)
	}
	return append(b, seal(footer, 7, int64(len(b)))...)
}

// FuzzRun opens hostile sections under right checksums, and hostile bytes. There is an error or some answer, but no panic, no endless
// loop, and no memory that the bytes do not account for: a claimed length beyond the file is refused before it is allocated.
func FuzzRun(f *testing.F) {
	filter, err := bloom.New(2, FalseRate, bloom.Options{})
	if err != nil {
		f.Fatal(err)
	}
	bits, err := filter.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	block := appendItem(appendItem(nil, "a", []byte("1")), "b", nil)
	index := binary.AppendUvarint(entry.AppendString(nil, "a"), uint64(len(block)+checksumSize))
	at := uint64(len(block) + checksumSize)
	f.Add(block, bits, index, at, at+uint64(len(bits)+checksumSize), uint64(2))
	f.Add(block, bits, index, uint64(1)<<63, uint64(1)<<62, uint64(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x7f}, bits, []byte{1, 'a', 0xff, 0xff, 0xff, 0xff, 0x7f}, at, at, uint64(1)<<63)
	f.Add([]byte{}, []byte{}, []byte{}, uint64(0), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, block, filter, index []byte, filterAt, indexAt, items uint64) {
		for _, b := range [][]byte{sealed(block, filter, index, filterAt, indexAt, items), slices.Concat(block, filter, index)} {
			file := &bounded{b: b}
			r, err := Open(file, int64(len(b)), "test.run", 7, Options{NoFilter: true})
			if err == nil {
				scanned := 0
				for c := r.Scan("", true); ; scanned++ {
					it, ok, err := c.Next()
					if err != nil && !errors.Is(err, entry.ErrCorrupt) {
						t.Error(err)
					}
					if err != nil || !ok {
						break
					}
					if value, found, err := r.Get(it.Key, bloom.String(it.Key)); err != nil || !found || !bytes.Equal(value, it.Value) {
						t.Errorf("%q: a scan says %q, a look-up %q, %v, %v", it.Key, it.Value, value, found, err)
					}
				}
				if scanned > len(b) {
					t.Errorf("%d items in %d bytes", scanned, len(b))
				}
			} else if !errors.Is(err, entry.ErrCorrupt) {
				t.Error(err)
			}
			if file.asked > len(b) {
				t.Errorf("%d bytes were asked for at once, the file has %d", file.asked, len(b))
			}
		}
	})
}

// bounded notes the largest piece that was asked for.
type bounded struct {
	b     []byte
	asked int
}

func (f *bounded) ReadAt(b []byte, at int64) (int, error) {
	f.asked = max(f.asked, len(b))
	return bytes.NewReader(f.b).ReadAt(b, at)
}
