package idgen

import (
	"database/sql"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseIDAcceptsOneTextPerID(t *testing.T) {
	for s, want := range map[string]ID{
		"0": 0, "1": 1, "12345678": 12345678, "123456789": 123456789, "9223372036854775807": maxID,
		"219881274368000001": 219881274368000001, "1234567890123456": 1234567890123456,
	} {
		got, err := ParseID(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got)
		require.Equal(t, s, got.String())
	}
	for _, s := range []string{
		"", "+1", "-1", " 1", "1 ", "01", "00", "0x1", "1e3", "1.0", "1_000", "١٢", "12345678901234567890",
		"1234567a", "a2345678", "12345/78", "12345:78", "1234567\x80", strings.Repeat("9", 1000), "null",
	} {
		_, err := ParseID(s)
		require.ErrorIs(t, err, ErrSyntax, s)
		require.Less(t, len(err.Error()), 220, "errors quote at most 32 bytes")
	}
	for _, s := range []string{"9223372036854775808", "9999999999999999999"} {
		_, err := ParseID(s)
		require.ErrorIs(t, err, ErrRange, s)
	}
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"0", "12345678", "9223372036854775807", "9223372036854775808", "1234567/", "0000000000000000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseID(s)
		want, bad := strconv.ParseInt(s, 10, 64)
		if canonical := bad == nil && want >= 0 && strconv.FormatInt(want, 10) == s; canonical != (err == nil) {
			t.Fatalf("ParseID(%q) = %d, %v; strconv says %d, %v", s, got, err, want, bad)
		}
		if err == nil && int64(got) != want {
			t.Fatalf("ParseID(%q) = %d, want %d", s, got, want)
		}
	})
}

func TestReverseBitsIsItsOwnInverse(t *testing.T) {
	require.Equal(t, ID(4611686018427387904), ID(1).ReverseBits())
	for range 1000 {
		id := ID(rand.Int64())
		require.Equal(t, id, id.ReverseBits().ReverseBits())
		require.GreaterOrEqual(t, id.ReverseBits(), ID(0))
	}
	require.Equal(t, ID(-1), ID(-1).ReverseBits())
}

func TestJSONIsAStringAndReadsNumbers(t *testing.T) {
	type row struct {
		ID   ID        `json:"id"`
		Refs map[ID]ID `json:"refs"`
	}
	in := row{ID: 1<<53 + 1, Refs: map[ID]ID{7: 8}}
	data, err := json.Marshal(in)
	require.NoError(t, err)
	require.Equal(t, `{"id":"9007199254740993","refs":{"7":"8"}}`, string(data))
	var out row
	require.NoError(t, json.Unmarshal(data, &out))
	require.Equal(t, in, out)
	require.NoError(t, json.Unmarshal([]byte(`{"id":9007199254740993}`), &out)) // bwmarrin/snowflake#67
	require.Equal(t, ID(1<<53+1), out.ID)
	require.NoError(t, json.Unmarshal([]byte(`{"id":null}`), &out))
	require.Equal(t, ID(1<<53+1), out.ID, "null leaves the value")
	for _, bad := range []string{`1e3`, `1.0`, `-1`, `true`, `""`, `"-1"`, `"01"`, `{}`, `[1]`, `"1`, `9223372036854775808`} {
		require.Error(t, out.ID.UnmarshalJSON([]byte(bad)), bad)
	}
	require.Equal(t, ID(1<<53+1), out.ID, "a failed read leaves the value")
}

func TestNegativeIDsPrintButDoNotMarshal(t *testing.T) {
	id := ID(-5)
	require.Equal(t, "-5", id.String())
	_, err := id.MarshalText()
	require.ErrorIs(t, err, ErrRange)
	_, err = id.MarshalJSON()
	require.ErrorIs(t, err, ErrRange)
	_, err = id.Value()
	require.ErrorIs(t, err, ErrRange)
	for e := range Base62 + 1 {
		require.Equal(t, "", e.Encode(id)) // bwmarrin/snowflake panics here
	}
}

func TestScanTakesIntegersAndText(t *testing.T) {
	var id ID
	for _, src := range []any{int64(42), "42", []byte("42")} {
		id = 0
		require.NoError(t, id.Scan(src))
		require.Equal(t, ID(42), id)
	}
	for _, src := range []any{nil, int64(-1), "x", 4.2, true, ""} {
		require.Error(t, id.Scan(src), "%v", src)
	}
	var null sql.Null[ID]
	require.NoError(t, null.Scan(nil))
	require.False(t, null.Valid)
	v, err := ID(42).Value()
	require.NoError(t, err)
	require.Equal(t, int64(42), v)
}

func bigText(e Encoding, id ID) string {
	alphabet, width := map[Encoding]string{Base58: alphabet58, Base32: alphabet32, Base62: alphabet62}[e], 11
	if e == Base32 {
		width = 13
	}
	v, base, digit := big.NewInt(int64(id)), big.NewInt(int64(len(alphabet))), new(big.Int)
	out := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		v.DivMod(v, base, digit)
		out[i] = alphabet[digit.Int64()]
	}
	return string(out)
}

func TestEncodingsAgreeWithLongDivisionAndKeepTheOrder(t *testing.T) {
	ids := []ID{0, 1, 57, 58, 61, 62, 1<<32 - 1, 1 << 32, maxID - 1, maxID}
	for range 2000 {
		ids = append(ids, ID(rand.Int64()>>rand.IntN(63)))
	}
	for e := range Base62 + 1 {
		for i, id := range ids {
			s := e.Encode(id)
			require.Equal(t, bigText(e, id), s)
			back, err := e.Decode(s)
			require.NoError(t, err)
			require.Equal(t, id, back)
			other := ids[(i*7+3)%len(ids)]
			require.Equal(t, id < other, s < e.Encode(other), "text order is numeric order")
		}
	}
	require.Equal(t, "prefix-0000000000001", string(Base32.AppendEncode([]byte("prefix-"), 1)))
}

func TestDecodeRefusesEverythingElse(t *testing.T) {
	for e := range Base62 + 1 {
		top := bigText(e, maxID)
		for _, s := range []string{"", "1", top[1:], top + "1", "-" + top[1:], top[:5] + "!" + top[6:], "é" + top[2:], strings.Repeat("z", 1<<16)} {
			_, err := e.Decode(s)
			require.ErrorIs(t, err, ErrSyntax, "%d %.20q", e, s)
			require.Less(t, len(err.Error()), 220)
		}
	}
	for e, s := range map[Encoding]string{Base58: "zzzzzzzzzzz", Base62: "zzzzzzzzzzz", Base32: "8000000000000"} {
		_, err := e.Decode(s)
		require.ErrorIs(t, err, ErrRange)
	}
	over := new(big.Int).Lsh(big.NewInt(1), 63) // 2^63: one above the largest, just before the sign bit
	for e, base := range map[Encoding]int64{Base58: 58, Base62: 62} {
		alphabet := map[Encoding]string{Base58: alphabet58, Base62: alphabet62}[e]
		v, out := new(big.Int).Set(over), make([]byte, 11)
		for i := 10; i >= 0; i-- {
			d := new(big.Int)
			v.DivMod(v, big.NewInt(base), d)
			out[i] = alphabet[d.Int64()]
		}
		_, err := e.Decode(string(out))
		require.ErrorIs(t, err, ErrRange)
	}
	for _, c := range "0OIl" {
		_, err := Base58.Decode("1111111111" + string(c))
		require.ErrorIs(t, err, ErrSyntax)
	}
	lower, err := Base32.Decode("7zzzzzzzzzzzz")
	require.NoError(t, err)
	require.Equal(t, ID(maxID), lower)
	alias, err := Base32.Decode("oOiIlL0000000")
	require.NoError(t, err)
	plain, err := Base32.Decode("0011110000000")
	require.NoError(t, err)
	require.Equal(t, plain, alias)
	_, err = Base32.Decode("U000000000000")
	require.ErrorIs(t, err, ErrSyntax)
	require.Equal(t, "", Encoding(3).Encode(1))
	_, err = Encoding(3).Decode("11111111111")
	require.ErrorIs(t, err, ErrInvalid)
}

func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), "zzzzzzzzzzz")
	f.Add(uint8(1), "7ZZZZZZZZZZZZ")
	f.Add(uint8(2), "AzL8n0Y58m7")
	f.Fuzz(func(t *testing.T, n uint8, s string) {
		e := Encoding(n % 3)
		id, err := e.Decode(s)
		if err != nil {
			return
		}
		if id < 0 {
			t.Fatalf("Decode(%q) = %d", s, id)
		}
		want := s
		if e == Base32 {
			want = strings.NewReplacer("O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(s))
		}
		if bigText(e, id) != want {
			t.Fatalf("Decode(%q) = %d, whose text is %q", s, id, bigText(e, id))
		}
	})
}

func TestTextAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 32)
	s58, s32 := Base58.Encode(maxID), Base32.Encode(maxID)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		buf = Base58.AppendEncode(buf[:0], maxID)
		buf = Base32.AppendEncode(buf[:0], maxID)
		buf = Base62.AppendEncode(buf[:0], maxID)
		_, _ = Base58.Decode(s58)
		_, _ = Base32.Decode(s32)
		_, _ = ParseID("9223372036854775807")
	}))
}
