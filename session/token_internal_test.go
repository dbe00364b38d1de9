package session

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func TestTokenHasOneSpelling(t *testing.T) {
	for _, keys := range []*Keyring{nil, testRing(t, 1)} {
		id, s := newID(), newSecret()
		token := formatToken(id, &s, keys)
		gotID, gotSecret, state := parseToken(token, keys)
		if state != tokenGood || gotID != id || gotSecret != s {
			t.Fatalf("round trip: state %d", state)
		}
		for _, bad := range []string{
			"", token[1:], token + "=", token + "A", " " + token, token[:10] + "\n" + token[11:], token[:10] + "\n" + token[10:],
			strings.Repeat("+", len(token)), strings.Repeat("=", len(token)),
		} {
			if _, _, state := parseToken(bad, keys); state != tokenMalformed {
				t.Errorf("%q: state %d", bad, state)
			}
		}
	}
}

func TestTagsRefuseMadeUpTokens(t *testing.T) {
	ring := testRing(t, 1)
	id, s := newID(), newSecret()
	token := formatToken(id, &s, ring)
	raw, _ := base64.RawURLEncoding.DecodeString(token)
	for i := range raw {
		raw[i] ^= 1
		if _, _, state := parseToken(base64.RawURLEncoding.EncodeToString(raw), ring); state != tokenForged {
			t.Errorf("byte %d changed: state %d", i, state)
		}
		raw[i] ^= 1
	}
	if _, _, state := parseToken(formatToken(id, &s, nil), ring); state != tokenMalformed {
		t.Error("an untagged token is accepted")
	}
	if err := ring.Rotate([]byte(strings.Repeat("n", 32))); err != nil {
		t.Fatal(err)
	}
	if _, _, state := parseToken(token, ring); state != tokenGood {
		t.Error("a tag under the key before is refused")
	}
}

func FuzzParseToken(f *testing.F) {
	id, s := newID(), newSecret()
	ring := testRing(f, 1)
	f.Add(formatToken(id, &s, nil))
	f.Add(formatToken(id, &s, ring))
	f.Add(strings.Repeat("A", 63) + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		if id, s, state := parseToken(text, nil); state == tokenGood && formatToken(id, &s, nil) != text {
			t.Fatalf("%q is not the spelling of its token", text)
		}
		if id, s, state := parseToken(text, ring); state == tokenGood && formatToken(id, &s, ring) != text {
			t.Fatalf("%q is not the spelling of its token", text)
		}
	})
}

func FuzzParseID(f *testing.F) {
	f.Add(newID().String())
	f.Add("AAAAAAAAAAAAAAAAAAAAAB")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID(text)
		if err != nil {
			return
		}
		if id.String() != text {
			t.Fatalf("%q is not canonical", text)
		}
		b, _ := id.MarshalText()
		var back ID
		if err := back.UnmarshalText(b); err != nil || back != id {
			t.Fatalf("text round trip: %v", err)
		}
	})
}

// The scanner agrees with net/http on cookies of our name.
func FuzzCookieScanner(f *testing.F) {
	f.Add("session=a; session=b", "x=1;session=\"q\"")
	f.Add(" session = a;session", "session=\";\"")
	f.Add("session=a\x00b; SESSION=c", "session=é")
	f.Fuzz(func(t *testing.T, one, two string) {
		r := &http.Request{Header: http.Header{"Cookie": {one, two}}}
		want := r.CookiesNamed("session")
		c := Cookie{Insecure: true}
		for i := 0; ; i++ {
			token, ok := c.Token(r, i)
			if ok != (i < len(want)) {
				t.Fatalf("cookie %d: %v, net/http has %d", i, ok, len(want))
			}
			if !ok {
				return
			}
			if token != want[i].Value {
				t.Fatalf("cookie %d: %q, net/http %q", i, token, want[i].Value)
			}
		}
	})
}
