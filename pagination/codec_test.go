package pagination

import (
	"bufio"
	"bytes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// key returns a secret of 32 bytes.
func key(c byte) []byte { return bytes.Repeat([]byte{c}, 32) }

func codec(tb testing.TB, o CodecOptions) *Codec {
	tb.Helper()
	c, err := NewCodec(o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func codecs(tb testing.TB) map[string]*Codec {
	tb.Helper()
	return map[string]*Codec{
		"plain":  codec(tb, CodecOptions{}),
		"signed": codec(tb, CodecOptions{Keys: [][]byte{key(1)}, SignOnly: true}),
		"sealed": codec(tb, CodecOptions{Keys: [][]byte{key(1)}}),
	}
}

func scope() Scope { return Scope{"/cars", "-created_at,-id", "", "alice"} }

// vectors are positions of all kinds, with the extremes of each.
func vectors() []struct {
	name   string
	kinds  []Kind
	cursor Cursor
} {
	when := time.Date(2026, 11, 24, 5, 44, 6, 123456789, time.UTC)
	one := func(name string, v Value) struct {
		name   string
		kinds  []Kind
		cursor Cursor
	} {
		return struct {
			name   string
			kinds  []Kind
			cursor Cursor
		}{name, []Kind{v.Kind()}, Cursor{Start: Gap{Key: []Value{v}, After: true}}}
	}
	two := one("time-int", TimeValue(when))
	two.kinds = append(two.kinds, KindInt)
	two.cursor.Start.Key = append(two.cursor.Start.Key, IntValue(123456))
	window := two
	window.name = "window-backward"
	window.cursor.End = Gap{Key: []Value{TimeValue(when.Add(1)), IntValue(-1)}}
	window.cursor.Backward = true
	prefix := two
	prefix.name = "prefix"
	prefix.cursor.Start = Gap{Key: []Value{TimeValue(when)}}
	null := two
	null.name = "null"
	null.cursor.Start.Key = []Value{{}, IntValue(7)}
	open := two
	open.name, open.cursor = "open-last", Cursor{Backward: true}
	shard := two
	shard.name = "shard"
	shard.cursor.Start.Shard = 300
	return []struct {
		name   string
		kinds  []Kind
		cursor Cursor
	}{
		two, window, prefix, null, open, shard,
		one("false", BoolValue(false)),
		one("true", BoolValue(true)),
		one("int-min", IntValue(math.MinInt64)),
		one("int-max", IntValue(math.MaxInt64)),
		one("int-beyond-float", IntValue(1<<53+1)), // came back as 2^53 from a peer
		one("uint-max", UintValue(math.MaxUint64)),
		one("float", FloatValue(-1.5)),
		one("float-inf", FloatValue(math.Inf(1))),
		one("float-negative-zero", FloatValue(math.Copysign(0, -1))),
		one("text-empty", StringValue("")),
		one("text", StringValue("grüße, 世界 + / =")),
		one("bytes-empty", BytesValue([]byte{})),
		one("bytes", BytesValue([]byte{0, 255, 0})),
		one("year-1", TimeValue(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))),
		one("year-9999", TimeValue(time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC))),
		one("uuid", UUIDValue([16]byte{0x01, 0x8f, 15: 0xff})),
		one("decimal", DecimalValue("-0012345678901234567890.0500")),
	}
}

// TestTokensAreFrozen compares with the recorded tokens: a change of the format
// would break the links that clients hold. Set UPDATE=1 to record new vectors.
func TestTokensAreFrozen(t *testing.T) {
	const path = "testdata/tokens.txt"
	var out strings.Builder
	for _, mode := range []string{"plain", "signed", "sealed"} {
		c := codecs(t)[mode]
		for _, v := range vectors() {
			token, err := c.Encode(v.cursor, scope())
			if err != nil {
				t.Fatalf("%s %s: %v", mode, v.name, err)
			}
			fmt.Fprintf(&out, "%s %s %s\n", mode, v.name, token)
			back, err := c.Decode(token, v.kinds, scope())
			if err != nil {
				t.Fatalf("%s %s: %v", mode, v.name, err)
			}
			if !sameCursor(back, v.cursor) {
				t.Errorf("%s %s: %+v came back as %+v", mode, v.name, v.cursor, back)
			}
			if again, _ := c.Encode(back, scope()); again != token {
				t.Errorf("%s %s: not deterministic", mode, v.name)
			}
		}
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(bytes.NewReader(golden))
	for line := range strings.Lines(out.String()) {
		if !scan.Scan() || scan.Text() != strings.TrimSpace(line) {
			t.Errorf("got  %swant %s", line, scan.Text())
		}
	}
}

func sameCursor(a, b Cursor) bool {
	gap := func(g, h Gap) bool { return slices.Equal(g.Key, h.Key) && g.After == h.After && g.Shard == h.Shard }
	return gap(a.Start, b.Start) && gap(a.End, b.End) && a.Backward == b.Backward
}

// TestFlippedBitIsRefused changes each bit of authenticated tokens, and each
// character of all tokens to another spelling.
func TestFlippedBitIsRefused(t *testing.T) {
	for mode, c := range codecs(t) {
		for _, v := range vectors() {
			token, err := c.Encode(v.cursor, scope())
			if err != nil {
				t.Fatal(err)
			}
			raw, err := base64.RawURLEncoding.DecodeString(token)
			if err != nil {
				t.Fatal(err)
			}
			for bit := range len(raw) * 8 {
				bad := slices.Clone(raw)
				bad[bit/8] ^= 1 << (bit % 8)
				got, err := c.Decode(base64.RawURLEncoding.EncodeToString(bad), v.kinds, scope())
				if err == nil && mode != "plain" {
					t.Fatalf("%s %s: bit %d flipped, and accepted", mode, v.name, bit)
				}
				if err == nil && sameCursor(got, v.cursor) {
					t.Fatalf("%s %s: bit %d flipped is a second spelling", mode, v.name, bit)
				}
				if err != nil && !errors.Is(err, ErrToken) {
					t.Fatalf("%v is no ErrToken", err)
				}
			}
			for _, bad := range []string{token + "=", token + "\n", token[:4] + "\r\n" + token[4:], token + "A", token[:len(token)-1], "", " " + token, strings.Repeat("A", maxToken+1)} {
				if _, err := c.Decode(bad, v.kinds, scope()); !errors.Is(err, ErrToken) {
					t.Fatalf("%s %s: %q: %v", mode, v.name, bad, err)
				}
			}
			if spare := 6*len(token) - 8*len(raw); spare > 0 { // the last character has bits to spare
				last := token[len(token)-1]
				for other := range byte(128) {
					if _, err := c.Decode(token[:len(token)-1]+string(rune(other)), v.kinds, scope()); other != last && err == nil && mode != "plain" {
						t.Fatalf("%s %s: %q instead of %q accepted", mode, v.name, other, last)
					}
				}
			}
		}
	}
}

// TestTokenWorksInItsScopeOnly replays a token against scopes that differ in one
// part, also by moving a character from one part to the next.
func TestTokenWorksInItsScopeOnly(t *testing.T) {
	v := vectors()[0]
	scopes := []Scope{
		{"/cars", "-created_at,-id", "color=red", "alice"},
		{"/carsx", "-created_at,-id", "color=red", "alice"},
		{"/cars", "-created_at,+id", "color=red", "alice"},
		{"/cars", "-created_at,-id", "color=blue", "alice"},
		{"/cars", "-created_at,-id", "color=red", "bob"},
		{"/cars", "-created_at,-id", "color=redalice", ""},
		{"/cars-created_at,-id", "", "color=red", "alice"},
		{},
	}
	for mode, c := range codecs(t) {
		for i, from := range scopes {
			token, err := c.Encode(v.cursor, from)
			if err != nil {
				t.Fatal(err)
			}
			for j, to := range scopes {
				_, err := c.Decode(token, v.kinds, to)
				if i == j && err != nil || i != j && (!errors.Is(err, ErrTokenScope) || !errors.Is(err, ErrToken)) {
					t.Errorf("%s: token of scope %d in scope %d: %v", mode, i, j, err)
				}
			}
		}
	}
}

func TestRotationAcceptsOldKeysUntilTheyAreRemoved(t *testing.T) {
	v := vectors()[0]
	old := codec(t, CodecOptions{Keys: [][]byte{key(1)}})
	both := codec(t, CodecOptions{Keys: [][]byte{key(2), key(1)}})
	fresh := codec(t, CodecOptions{Keys: [][]byte{key(2)}})
	token, err := old.Encode(v.cursor, scope())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.Decode(token, v.kinds, scope()); err != nil {
		t.Errorf("during rotation: %v", err)
	}
	if _, err := fresh.Decode(token, v.kinds, scope()); !errors.Is(err, ErrToken) {
		t.Errorf("after rotation: %v", err)
	}
	token, err = both.Encode(v.cursor, scope())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.Decode(token, v.kinds, scope()); err != nil {
		t.Errorf("the first key does not encode: %v", err)
	}
	// Two keys that share their id: the second must be tried as well.
	twin := func(c byte) []byte {
		want := fresh.keys[0].id
		for i := range 1 << 16 {
			secret := append(key(c), byte(i), byte(i>>8))
			if k, err := newTokenKey(secret); err == nil && k.id == want {
				return secret
			}
		}
		t.Fatal("no key with this id")
		return nil
	}
	twins := codec(t, CodecOptions{Keys: [][]byte{twin(3), key(2)}})
	if _, err := twins.Decode(token, v.kinds, scope()); err != nil {
		t.Errorf("the second of two keys with one id: %v", err)
	}
}

func TestTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := codec(t, CodecOptions{Keys: [][]byte{key(1)}, MaxAge: time.Hour})
		v := vectors()[0]
		encode := func(issued time.Time) string {
			cur := v.cursor
			cur.Issued = issued
			token, err := c.Encode(cur, scope())
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		decode := func(token string) error {
			_, err := c.Decode(token, v.kinds, scope())
			return err
		}
		token := encode(time.Time{})
		time.Sleep(time.Hour) //nolint:forbidigo // the clock of the bubble
		if err := decode(token); err != nil {
			t.Errorf("at MaxAge: %v", err)
		}
		time.Sleep(time.Second) //nolint:forbidigo // the clock of the bubble
		if err := decode(token); !errors.Is(err, ErrTokenExpired) || !errors.Is(err, ErrToken) {
			t.Errorf("beyond MaxAge: %v", err)
		}
		if err := decode(encode(time.Now().Add(4 * time.Minute))); err != nil {
			t.Errorf("of a server whose clock is ahead: %v", err)
		}
		if err := decode(encode(time.Now().Add(6 * time.Minute))); !errors.Is(err, ErrTokenExpired) {
			t.Errorf("from the future: %v", err)
		}
		ageless, err := codec(t, CodecOptions{Keys: [][]byte{key(1)}}).Encode(v.cursor, scope())
		if err != nil {
			t.Fatal(err)
		}
		if err := decode(ageless); !errors.Is(err, ErrTokenExpired) {
			t.Errorf("without a time of issue: %v", err)
		}
	})
}

func TestBadCodecOptionsAreRefused(t *testing.T) {
	for name, o := range map[string]CodecOptions{
		"short key":     {Keys: [][]byte{make([]byte, 31)}},
		"duplicate key": {Keys: [][]byte{key(1), key(2), key(1)}},
		"sign only":     {SignOnly: true},
		"plain age":     {MaxAge: time.Hour},
		"negative age":  {Keys: [][]byte{key(1)}, MaxAge: -1},
	} {
		if _, err := NewCodec(o); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnstorablePositionsAreNotEncoded covers what Decode would refuse.
func TestUnstorablePositionsAreNotEncoded(t *testing.T) {
	for name, v := range map[string]Value{
		"NaN":      FloatValue(math.NaN()),
		"NUL":      StringValue("a\x00b"),
		"UTF-8":    StringValue("\xff"),
		"year 0":   TimeValue(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)),
		"decimal":  DecimalValue("1e5"),
		"decimal2": DecimalValue("."),
	} {
		if _, err := (*Codec)(nil).Encode(Cursor{Start: Gap{Key: []Value{v}}}, Scope{}); !errors.Is(err, ErrNullKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := Cursor{Start: Gap{Key: []Value{StringValue(strings.Repeat("x", 1536))}}}
	for mode, c := range codecs(t) {
		if _, err := c.Encode(long, scope()); !errors.Is(err, ErrKeySize) {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

// TestSealedHidesTheKey and is CTR, as the standard library computes it.
func TestSealedHidesTheKey(t *testing.T) {
	secret := strings.Repeat("secret-", 20)
	cur := Cursor{Start: Gap{Key: []Value{StringValue(secret)}}}
	c := codecs(t)["sealed"]
	token, err := c.Encode(cur, scope())
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(token)
	if bytes.Contains(raw, []byte("secret")) {
		t.Error("a sealed token shows its key")
	}
	plain := appendPayload(nil, &cur)
	body := raw[2+tagSize+hintSize:]
	cipher.NewCTR(c.keys[0].block, raw[2:2+tagSize]).XORKeyStream(body, body)
	if !bytes.Equal(body, plain) {
		t.Error("the cipher is not AES-CTR with the tag as first counter block")
	}
}

func TestSipHashMatchesItsPaper(t *testing.T) {
	m := make([]byte, 15)
	for i := range m {
		m[i] = byte(i)
	}
	// Appendix A of the paper: key 00 01 … 0f, message 00 01 … 0e.
	if got := sipHash(0x0706050403020100, 0x0f0e0d0c0b0a0908, m); got != 0xa129ca6149be45e5 {
		t.Errorf("%x", got)
	}
}

func TestCodecAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	v := vectors()[0]
	for mode, c := range codecs(t) {
		token, err := c.Encode(v.cursor, scope())
		if err != nil {
			t.Fatal(err)
		}
		bad := token[:len(token)-2]
		s := scope()
		if n := testing.AllocsPerRun(200, func() { _, _ = c.Encode(v.cursor, s) }); n > 1 {
			t.Errorf("%s: encode allocates %v times", mode, n)
		}
		if n := testing.AllocsPerRun(200, func() { _, _ = c.Decode(token, v.kinds, s) }); n > 2 {
			t.Errorf("%s: decode allocates %v times", mode, n)
		}
		if n := testing.AllocsPerRun(200, func() { _, _ = c.Decode(bad, v.kinds, s) }); n > 0 {
			t.Errorf("%s: refusing allocates %v times", mode, n)
		}
	}
}
