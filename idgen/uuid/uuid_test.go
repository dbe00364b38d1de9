package uuid

import (
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKnownAnswers(t *testing.T) {
	u, err := Parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F") // RFC 9562 A.6
	require.NoError(t, err)
	at, ok := u.Time()
	require.True(t, ok)
	require.Equal(t, int64(1645557742000), at.UnixMilli())
	require.Equal(t, 7, u.Version())
	require.Equal(t, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", u.String())

	four, err := Parse("919108f7-52d1-4320-9bac-f847db4148a8") // RFC 9562 A.3
	require.NoError(t, err)
	require.Equal(t, 4, four.Version())
	_, ok = four.Time()
	require.False(t, ok)

	l, err := ParseULID("01ARYZ6S41TSV4RRFFQ69G5FAV")
	require.NoError(t, err)
	require.Equal(t, int64(1469918176385), l.Time().UnixMilli())
	require.Equal(t, "01ARYZ6S41TSV4RRFFQ69G5FAV", l.String())
	top, err := ParseULID("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("ff", 16), hex.EncodeToString(top[:]))
	_, err = ParseULID("8ZZZZZZZZZZZZZZZZZZZZZZZZZ")
	require.ErrorIs(t, err, ErrSyntax)
}

func TestTypeIDSpecification(t *testing.T) {
	for _, c := range [][3]string{ // of the specification's valid list
		{"00000000000000000000000000", "", "00000000-0000-0000-0000-000000000000"},
		{"00000000000000000000000001", "", "00000000-0000-0000-0000-000000000001"},
		{"0000000000000000000000000a", "", "00000000-0000-0000-0000-00000000000a"},
		{"0000000000000000000000000g", "", "00000000-0000-0000-0000-000000000010"},
		{"00000000000000000000000010", "", "00000000-0000-0000-0000-000000000020"},
		{"7zzzzzzzzzzzzzzzzzzzzzzzzz", "", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
		{"prefix_0123456789abcdefghjkmnpqrs", "prefix", "0110c853-1d09-52d8-d73e-1194e95b5f19"},
		{"prefix_01h455vb4pex5vsknk084sn02q", "prefix", "01890a5d-ac96-774b-bcce-b302099a8057"},
		{"pre_fix_00000000000000000000000000", "pre_fix", "00000000-0000-0000-0000-000000000000"},
	} {
		u, err := ParseTypeID(c[0], c[1])
		require.NoError(t, err, c[0])
		require.Equal(t, c[2], u.String())
		s, err := u.TypeID(c[1])
		require.NoError(t, err)
		require.Equal(t, c[0], s)
	}
	const ok = "01h455vb4pex5vsknk084sn02q"
	for _, c := range [][2]string{
		{"PREFIX_" + ok, "PREFIX"},
		{"12345_" + ok, "12345"},
		{"pre.fix_" + ok, "pre.fix"},
		{"préfix_" + ok, "préfix"},
		{"  prefix_" + ok, "  prefix"},
		{strings.Repeat("a", 64) + "_" + ok, strings.Repeat("a", 64)},
		{"_" + ok, ""},
		{"_", ""},
		{"prefix_1234567890123456789012345", "prefix"},
		{"prefix_123456789012345678901234567", "prefix"},
		{"prefix_1234567890123456789012345 ", "prefix"},
		{"prefix_0123456789ABCDEFGHJKMNPQRS", "prefix"},
		{"prefix_123456789-123456789-123456", "prefix"},
		{"prefix_ooooooiiiiiiuuuuuuulllllll", "prefix"},
		{"prefix_i23456789ol23456789oi23456", "prefix"},
		{"prefix_123456789-0123456789-0123456", "prefix"},
		{"prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz", "prefix"},
		{"_prefix_" + ok, "_prefix"},
		{"prefix__" + ok, "prefix_"},
		{"", ""},
		{"prefix_", "prefix"},
		{"prefix", "prefix"},
		{"prefix" + ok, "prefix"},
		{"other_" + ok, "prefix"},
		{ok, "prefix"},
	} {
		_, err := ParseTypeID(c[0], c[1])
		require.ErrorIs(t, err, ErrSyntax, c[0])
	}
	_, err := UUID{}.TypeID("Order")
	require.ErrorIs(t, err, ErrSyntax)
}

func TestParseTakesOneFormOnly(t *testing.T) {
	const ok = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
	for _, s := range []string{
		"", "{" + ok + "}", "urn:uuid:" + ok, strings.ReplaceAll(ok, "-", ""), ok[1:], ok + "0", " " + ok[1:], ok[:35] + "g",
		"017f22e2-79b0-7cc3-98c4ddc0c0c07398f", "017f22e2079b0-7cc3-98c4-dc0c0c07398f", "017f22e-279b0-7cc3-98c4-dc0c0c07398f",
		ok[:35] + "\xff", "é17f22e2-79b0-7cc3-98c4-dc0c0c07398", strings.Repeat("x", 1<<16),
	} {
		_, err := Parse(s)
		require.ErrorIs(t, err, ErrSyntax, "%.50q", s)
		require.Less(t, len(err.Error()), 300)
	}
	for i := range len(ok) { // each byte, with each value
		for c := range 256 {
			s := ok[:i] + string([]byte{byte(c)}) + ok[i+1:]
			u, err := Parse(s)
			if err == nil {
				require.Equal(t, strings.ToLower(s), u.String())
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
	f.Add("01ARYZ6S41TSV4RRFFQ69G5FAV")
	f.Add("prefix_01h455vb4pex5vsknk084sn02q")
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := Parse(s); err == nil && u.String() != strings.ToLower(s) {
			t.Fatalf("Parse(%q) prints %q", s, u)
		}
		if l, err := ParseULID(s); err == nil && (l.String() != strings.ToUpper(s) || bigBase32(l) != strings.ToUpper(s)) {
			t.Fatalf("ParseULID(%q) prints %q", s, l)
		}
		if u, err := ParseTypeID(s, "prefix"); err == nil {
			if back, err := u.TypeID("prefix"); err != nil || back != s {
				t.Fatalf("ParseTypeID(%q) prints %q", s, back)
			}
		}
	})
}

func bigBase32(l ULID) string {
	v, d, out := new(big.Int).SetBytes(l[:]), new(big.Int), make([]byte, 26)
	for i := 25; i >= 0; i-- {
		v.DivMod(v, big.NewInt(32), d)
		out[i] = crockfordUpper[d.Int64()]
	}
	return string(out)
}

func TestULIDTextKeepsTheOrder(t *testing.T) {
	last := ULID{}
	for range 2000 {
		var l ULID
		for i := range l {
			l[i] = byte(rand.Uint32())
		}
		require.Equal(t, bigBase32(l), l.String())
		require.Equal(t, l.Compare(last), strings.Compare(l.String(), last.String()))
		back, err := ParseULID(strings.ToLower(l.String()))
		require.NoError(t, err)
		require.Equal(t, l, back)
		last = l
	}
	for _, c := range "ILOUilou-_ é" { // no aliases
		_, err := ParseULID("01ARYZ6S41TSV4RRFFQ69G5FA" + string(c))
		require.ErrorIs(t, err, ErrSyntax)
	}
}

func TestDatabasesAndJSON(t *testing.T) {
	u := NewV7()
	v, err := u.Value()
	require.NoError(t, err)
	var a, b, c UUID
	require.NoError(t, a.Scan(v))
	require.NoError(t, b.Scan(u[:]))
	require.NoError(t, c.Scan([]byte(u.String())))
	require.Equal(t, []UUID{u, u, u}, []UUID{a, b, c})
	l := ULID(u)
	v, err = l.Value()
	require.NoError(t, err)
	var x, y, z ULID
	require.NoError(t, x.Scan(v))
	require.NoError(t, y.Scan(l[:]))
	require.NoError(t, z.Scan([]byte(l.String())))
	require.Equal(t, []ULID{l, l, l}, []ULID{x, y, z})
	for _, bad := range []any{nil, 1, "x", []byte("x"), string(u[:]), time.Now()} {
		require.ErrorIs(t, a.Scan(bad), ErrSyntax)
		require.ErrorIs(t, x.Scan(bad), ErrSyntax)
	}
	var null sql.Null[UUID]
	require.NoError(t, null.Scan(nil))

	type doc struct {
		U UUID
		L ULID
		M map[UUID]ULID
	}
	in := doc{u, l, map[UUID]ULID{u: l}}
	data, err := json.Marshal(in)
	require.NoError(t, err)
	var out doc
	require.NoError(t, json.Unmarshal(data, &out))
	require.Equal(t, in, out)
	require.Error(t, json.Unmarshal([]byte(`{"U":"x"}`), &out))
	require.Error(t, json.Unmarshal([]byte(`{"L":"x"}`), &out))
	require.False(t, u.IsZero())
	require.False(t, l.IsZero())
	require.True(t, UUID{}.IsZero())
	require.True(t, ULID{}.IsZero())
}

func TestRangeCoversExactlyItsMilliseconds(t *testing.T) {
	from := time.UnixMilli(1_700_000_000_000)
	to := from.Add(time.Second)
	lo, hi := Range(from, to)
	for _, ms := range []int64{-1, 0, 500, 999, 1000} {
		for _, fill := range []byte{0, 0xff} { // the least and the largest ids of the millisecond
			var u UUID
			at := uint64(from.UnixMilli() + ms)
			for i := range 6 {
				u[i] = byte(at >> (40 - 8*i))
			}
			for i := 6; i < 16; i++ {
				u[i] = fill
			}
			require.Equal(t, ms >= 0 && ms < 1000, lo.Compare(u) <= 0 && u.Compare(hi) < 0, ms)
		}
	}
	part, _ := Range(from.Add(1), to)
	require.Equal(t, 1, part.Compare(lo), "a bound inside a millisecond rounds up")
	lo, hi = Range(to, from)
	require.Equal(t, lo, hi)
	lo, hi = Range(time.Time{}, time.Unix(1<<62, 0))
	require.Equal(t, UUID{}, lo)
	require.Equal(t, strings.Repeat("ff", 16), hex.EncodeToString(hi[:]))
}
