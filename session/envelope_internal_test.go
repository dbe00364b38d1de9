package session

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/envelope.golden")

func goldenEnvelopes() map[string]envelope {
	var hash, prev [32]byte
	for i := range hash {
		hash[i], prev[i] = byte(i), byte(255-i)
	}
	return map[string]envelope{
		"anonymous": {hash: hash, saved: 1_800_000_000_000, rotated: 1_800_000_000_000},
		"login": {
			remember: true, generation: 300, hash: hash, auth: 1_800_000_000_001, saved: 1_800_000_000_002,
			rotated: 1_800_000_000_003, idle: -1, absolute: 2_592_000_000, device: "Firefox on Linux",
		},
		"previous": {
			generation: 1, hash: hash, auth: 1_800_000_000_000, saved: 1_800_000_000_000, rotated: 1_800_000_000_000,
			previous: &previous{hash: prev, grace: 1_800_000_030_000},
		},
		"sealed": {sealed: true, generation: 2, auth: 1_800_000_000_000, saved: 1_800_000_000_000, idle: 60_000},
	}
}

// What is stored today must be readable by every later release.
func TestEnvelopeGolden(t *testing.T) {
	const path = "testdata/envelope.golden"
	names := []string{"anonymous", "login", "previous", "sealed"}
	if *update {
		var text strings.Builder
		for _, name := range names {
			e := goldenEnvelopes()[name]
			text.WriteString(name + " " + hex.EncodeToString(append(e.append(nil), `{"n":1}`...)) + "\n")
		}
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(golden)), "\n")
	if len(lines) != len(names) {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		name, text, _ := strings.Cut(line, " ")
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		want := goldenEnvelopes()[name]
		var got envelope
		data, ok := got.decode(string(raw))
		if !ok || !reflect.DeepEqual(got, want) || data != `{"n":1}` {
			t.Errorf("%s: %+v %q %v, want %+v", name, got, data, ok, want)
		}
		if again := append(want.append(nil), data...); !bytes.Equal(again, raw) {
			t.Errorf("%s encodes as %x, want %x", name, again, raw)
		}
	}
}

func TestEnvelopeIsStrict(t *testing.T) {
	e := goldenEnvelopes()["login"]
	good := e.append(nil)
	for n := range good {
		if _, ok := new(envelope).decode(string(good[:n])); ok {
			t.Errorf("%d of %d bytes decode", n, len(good))
		}
	}
	for name, change := range map[string]func(b []byte) []byte{
		"format":       func(b []byte) []byte { b[0] = 2; return b },
		"unknown flag": func(b []byte) []byte { b[1] |= 0x80; return b },
		"long varint":  func(b []byte) []byte { return append([]byte{b[0], b[1], 0x80, 0x00}, b[4:]...) },
		"varint beyond 64 bits": func(b []byte) []byte {
			return slices.Concat(b[:2], bytes.Repeat([]byte{0xff}, 9), []byte{2}, b[4:])
		},
		"varint of eleven bytes": func(b []byte) []byte {
			return slices.Concat(b[:2], bytes.Repeat([]byte{0xff}, 10), []byte{1}, b[4:])
		},
	} {
		if _, ok := new(envelope).decode(string(change(bytes.Clone(good)))); ok {
			t.Errorf("%s: decodes", name)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	for _, e := range goldenEnvelopes() {
		f.Add(append(e.append(nil), "data"...))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var e envelope
		data, ok := e.decode(string(payload))
		if !ok {
			return
		}
		if again := append(e.append(nil), data...); !bytes.Equal(again, payload) {
			t.Fatalf("%x decodes and encodes as %x", payload, again)
		}
	})
}

func FuzzSealed(f *testing.F) {
	st := state{id: newID(), userID: "ann", created: 1, expires: 2, deadline: 3, data: "{}"}
	f.Add(st.appendSealed(nil))
	f.Fuzz(func(t *testing.T, plain []byte) {
		st, ok := decodeSealed(string(plain))
		if ok && !bytes.Equal(st.appendSealed(nil), plain) {
			t.Fatalf("%x decodes and encodes as %x", plain, st.appendSealed(nil))
		}
	})
}
