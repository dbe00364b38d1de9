package bloom

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
)

func goldenFilter(s shape) *Filter {
	f := makeFilter(geometry(s, 5), Options{})
	for i := range uint64(100) {
		f.Add(Uint64(i))
	}
	return f
}

// Golden files stay for ever: what one release wrote, all later ones read. A new file is made by hand from the
// hexadecimal that a failure prints.
func TestGoldenFilesAreReadAndWritten(t *testing.T) {
	for _, s := range allShapes() {
		g, p := s.words()
		name := filepath.Join("testdata", fmt.Sprintf("v1-%dx%d.bloom", g, p))
		f := goldenFilter(s)
		b, err := f.MarshalBinary()
		require.NoError(t, err)
		golden, err := os.ReadFile(name)
		require.NoError(t, err, "%s: %s", name, hex.EncodeToString(b))
		require.Equal(t, golden, b, name)
		var h Filter
		require.NoError(t, h.UnmarshalBinary(golden))
		require.True(t, h.Equal(f))
	}
}

// rehash makes both checksums of a changed filter right again, so that the change itself is what gets judged.
func rehash(b []byte) []byte {
	binary.LittleEndian.PutUint64(b[56:], xxhash.Sum64(b[:56]))
	if len(b) >= headerSize+trailerSize {
		end := len(b) - trailerSize
		binary.LittleEndian.PutUint64(b[end:], xxhash.Sum64(b[:end]))
	}
	return b
}

func marshaled(tb testing.TB) []byte {
	tb.Helper()
	b, err := goldenFilter(shape2x3).MarshalBinary()
	require.NoError(tb, err)
	return b
}

// decodeAll sends b down every road and returns their errors.
func decodeAll(b []byte) map[string]error {
	errs := map[string]error{}
	_, errs["Read"] = Read(bytes.NewReader(b), Options{})
	_, errs["Read one byte"] = Read(iotest.OneByteReader(bytes.NewReader(b)), Options{})
	errs["Unmarshal"] = new(Filter).UnmarshalBinary(b)
	_, errs["Open"] = Open(b)
	return errs
}

// Payload damage is silent in a peer (bits-and-blooms). Here every single flipped bit is found.
func TestEveryFlippedBitIsFound(t *testing.T) {
	b := marshaled(t)
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			for road, err := range map[string]error{
				"Read": func() error { _, err := Read(bytes.NewReader(b), Options{}); return err }(),
				"Open": func() error { _, err := Open(b); return err }(),
			} {
				require.ErrorIs(t, err, ErrCorrupt, "%s, bit %d of byte %d", road, bit, i)
			}
			b[i] ^= 1 << bit
		}
	}
}

func TestEveryTruncationIsFound(t *testing.T) {
	b := marshaled(t)
	for n := range b {
		for road, err := range decodeAll(b[:n]) {
			require.ErrorIs(t, err, ErrCorrupt, "%s, %d bytes", road, n)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s, %d bytes", road, n)
		}
		_, err := OpenTrusted(b[:n])
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		_, err = OpenAt(bytes.NewReader(b[:n]))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d bytes", n)
	}
}

func TestDecodersJudgeTheHeader(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b []byte)
		want   error
	}{
		"magic":            {func(b []byte) { b[0] = 'S' }, ErrCorrupt},
		"version":          {func(b []byte) { b[8] = 2 }, ErrVersion},
		"version high":     {func(b []byte) { b[9] = 1 }, ErrVersion},
		"kind":             {func(b []byte) { b[10] = 2 }, ErrCorrupt},
		"words":            {func(b []byte) { b[11] = 3 }, ErrCorrupt},
		"bits":             {func(b []byte) { b[12] = 6 }, ErrCorrupt},
		"no bits":          {func(b []byte) { b[12] = 0 }, ErrCorrupt},
		"reserved":         {func(b []byte) { b[15] = 1 }, ErrCorrupt},
		"reserved late":    {func(b []byte) { b[55] = 1 }, ErrCorrupt},
		"no blocks":        {func(b []byte) { clear(b[16:24]) }, ErrCorrupt}, // m = 0 divides by zero in a peer
		"2^40+1 blocks":    {func(b []byte) { binary.LittleEndian.PutUint64(b[16:], 1<<40+1) }, ErrCorrupt},
		"2^58 blocks":      {func(b []byte) { binary.LittleEndian.PutUint64(b[16:], 1<<58) }, ErrCorrupt},
		"too many blocks":  {func(b []byte) { b[16]++ }, ErrCorrupt},
		"too few blocks":   {func(b []byte) { b[16]-- }, ErrCorrupt},
		"capacity":         {func(b []byte) { clear(b[24:32]) }, ErrCorrupt},
		"rate 0":           {func(b []byte) { clear(b[32:40]) }, ErrCorrupt},
		"rate 1":           {func(b []byte) { binary.LittleEndian.PutUint64(b[32:], math.Float64bits(1)) }, ErrCorrupt},
		"rate NaN":         {func(b []byte) { binary.LittleEndian.PutUint64(b[32:], math.Float64bits(math.NaN())) }, ErrCorrupt},
		"rate negative":    {func(b []byte) { binary.LittleEndian.PutUint64(b[32:], math.Float64bits(-0.5)) }, ErrCorrupt},
		"nothing happened": {func([]byte) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := marshaled(t)
			c.change(b)
			b = rehash(b)
			for road, err := range decodeAll(b) {
				if name == "too few blocks" && road[:4] == "Read" {
					continue // Read leaves what follows unread: it meets a wrong checksum only with the rest of a block
				}
				require.ErrorIs(t, err, c.want, road)
			}
			var l Layout
			if name[:3] != "too" {
				require.ErrorIs(t, l.UnmarshalBinary(b[:64]), c.want)
			}
		})
	}
}

func TestUnmarshalOfDamageChangesNothing(t *testing.T) {
	f := goldenFilter(shape4x3)
	before := f.Clone()
	b := marshaled(t)
	b[100] ^= 1
	require.ErrorIs(t, f.UnmarshalBinary(b), ErrCorrupt)
	require.ErrorIs(t, f.UnmarshalBinary(append(marshaled(t), 0)), ErrCorrupt)
	require.True(t, f.Equal(before))
	l := f.Layout()
	require.ErrorIs(t, l.UnmarshalBinary(make([]byte, 64)), ErrCorrupt)
	require.ErrorIs(t, l.UnmarshalBinary(make([]byte, 65)), ErrCorrupt)
	require.Equal(t, f.Layout(), l)
}

func TestUnmarshalObeysTheReceiversLimit(t *testing.T) {
	f := newFilter(t, 10, 0.1, Options{MaxBytes: 128})
	require.ErrorIs(t, f.UnmarshalBinary(marshaled(t)), ErrTooLarge)
	_, err := Read(bytes.NewReader(marshaled(t)), Options{MaxBytes: 319})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = Read(bytes.NewReader(marshaled(t)), Options{MaxBytes: 320})
	require.NoError(t, err)
}

// endless claims nothing and never ends.
type endless struct{ left int }

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), e.left)
	e.left -= n
	return n, nil
}

// A 32-byte stream makes a peer allocate 1 GiB, another 256 GiB. Here memory follows the bytes that arrive.
func TestMemoryFollowsTheBytesThatArrive(t *testing.T) {
	l := geometry(shape2x3, min(1<<28, math.MaxInt/64)) // 16 GiB, or what a 32-bit machine can address
	header, err := l.AppendBinary(nil)
	require.NoError(t, err)
	for _, arrive := range []int{0, 100, 1 << 20, 9 << 20} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := Read(io.MultiReader(bytes.NewReader(header), &endless{arrive}), Options{})
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(2*arrive+1<<20), "%d bytes", arrive)
	}
	require.ErrorIs(t, new(Filter).UnmarshalBinary(header), ErrCorrupt)
	_, err = OpenTrusted(header)
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestReadersOfEveryKindWork(t *testing.T) {
	f := newFilter(t, 700_000, 0.01, Options{}) // more than one part
	for i := range uint64(1000) {
		f.Add(Uint64(i))
	}
	b, err := f.MarshalBinary()
	require.NoError(t, err)
	for name, r := range map[string]io.Reader{
		"sized":         bytes.NewReader(b),
		"buffer":        bytes.NewBuffer(bytes.Clone(b)),
		"unsized":       io.MultiReader(bytes.NewReader(b)),
		"half":          iotest.HalfReader(bytes.NewReader(b)),
		"data with EOF": iotest.DataErrReader(io.MultiReader(bytes.NewReader(b))),
		"stutter":       &stutter{r: bytes.NewReader(b)},
	} {
		for _, o := range []Options{{}, {HugePages: true}, {Unsynchronized: true}} {
			if name != "sized" && o != (Options{}) {
				continue
			}
			g, err := Read(r, o)
			require.NoError(t, err, name)
			require.True(t, f.Equal(g), name)
			require.Equal(t, false, g.TestAndAdd(String("fresh")))
			if s, ok := r.(*bytes.Reader); ok {
				s.Reset(b)
			}
		}
	}
	// Not one byte more than the filter.
	r := bytes.NewReader(append(marshaled(t), "rest"...))
	_, err = Read(r, Options{})
	require.NoError(t, err)
	require.Equal(t, 4, r.Len())
}

// stutter returns zero bytes without an error on every other call.
type stutter struct {
	r    io.Reader
	odd  bool
	only bool
}

func (s *stutter) Read(b []byte) (int, error) {
	if s.odd = !s.odd; s.odd || s.only {
		return 0, nil
	}
	return s.r.Read(b)
}

func TestReaderErrorsAreNotDamage(t *testing.T) {
	broken := errors.New("cable pulled")
	b := marshaled(t)
	for n := range b {
		_, err := Read(io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(broken)), Options{})
		require.ErrorIs(t, err, broken, "%d bytes", n)
		require.NotErrorIs(t, err, ErrCorrupt)
	}
	_, err := Read(&stutter{only: true}, Options{})
	require.ErrorIs(t, err, io.ErrNoProgress)
}

// limited takes some bytes and then fails.
type limited struct {
	room int
	err  error
}

func (w *limited) Write(b []byte) (int, error) {
	n := min(len(b), w.room)
	w.room -= n
	if n < len(b) {
		return n, w.err
	}
	return n, nil
}

func TestWriteToCountsWhatWasAccepted(t *testing.T) {
	f := newFilter(t, 100_000, 0.01, Options{})
	full := errors.New("disk full")
	size := int(f.Layout().serializedSize())
	for _, room := range []int{0, 1, 64, 70_000, size - 1} {
		n, err := f.WriteTo(&limited{room, full})
		require.ErrorIs(t, err, full)
		require.EqualValues(t, room, n)
		n, err = f.WriteTo(&limited{room, nil})
		require.ErrorIs(t, err, io.ErrShortWrite)
		require.EqualValues(t, room, n)
	}
	// Every remainder of the buffer, for the trailer's sake.
	for blocks := uint64(505); blocks < 520; blocks++ {
		f := makeFilter(geometry(shape8x2, blocks), Options{})
		f.Add(String("x"))
		var buf bytes.Buffer
		n, err := f.WriteTo(&buf)
		require.NoError(t, err)
		require.EqualValues(t, f.Layout().serializedSize(), n)
		_, err = Open(buf.Bytes())
		require.NoError(t, err)
	}
}

func TestAppendBinaryAppends(t *testing.T) {
	f := goldenFilter(shape2x2)
	b, err := f.AppendBinary([]byte("before"))
	require.NoError(t, err)
	require.Equal(t, "before", string(b[:6]))
	_, err = Open(b[6:])
	require.NoError(t, err)
	h, err := f.Layout().AppendBinary([]byte("x"))
	require.NoError(t, err)
	require.Equal(t, b[6:70], h[1:])
}

// failingAt fails every read of the blocks.
type failingAt struct {
	io.ReaderAt
	err error
}

func (r failingAt) ReadAt(b []byte, off int64) (int, error) {
	if off >= 64 && len(b) == 64 {
		return 0, r.err
	}
	return r.ReaderAt.ReadAt(b, off)
}

func TestViewAtErrorIsNeverAbsent(t *testing.T) {
	broken := errors.New("bad sector")
	v, err := OpenAt(failingAt{bytes.NewReader(marshaled(t)), broken})
	require.NoError(t, err)
	present, err := v.Test(String("x"))
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, ErrCorrupt)
	require.True(t, present)
	present, err = ViewAt{}.Test(String("x"))
	require.NoError(t, err)
	require.False(t, present)
	v, err = OpenAt(bytes.NewReader(marshaled(t)))
	require.NoError(t, err)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = v.Test(Uint64(5)) }), 0.1)
}
