package pagination

import (
	"errors"
	"strings"
	"testing"
)

// FuzzDecode: nothing panics, every refusal is an ErrToken, and what is accepted
// encodes to the very same token.
func FuzzDecode(f *testing.F) {
	cs := codecs(f)
	for _, c := range cs {
		for _, v := range vectors() {
			token, err := c.Encode(v.cursor, scope())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(token)
		}
	}
	for _, peer := range []string{"", "eyJpZCI6MX0", "WzEsMl0", "MTA", "EP////////////8", strings.Repeat("E", 3000), "EA\n", "=", "NULL"} {
		f.Add(peer)
	}
	kinds := [][]Kind{nil, {KindTime, KindInt}, {KindString}, {KindFloat, KindDecimal, KindBytes}, {KindBool, KindUUID, KindUint}}
	f.Fuzz(func(t *testing.T, token string) {
		for mode, c := range cs {
			for _, k := range kinds {
				cur, err := c.Decode(token, k, scope())
				if err != nil {
					if !errors.Is(err, ErrToken) {
						t.Fatalf("%s: %v", mode, err)
					}
					continue
				}
				again, err := c.Encode(cur, scope())
				if err != nil || again != token {
					t.Fatalf("%s: %q became %q, %v", mode, token, again, err)
				}
			}
		}
	})
}

// FuzzPayload reaches the parser behind the hint, which random tokens rarely pass.
func FuzzPayload(f *testing.F) {
	for _, v := range vectors() {
		f.Add(appendPayload(nil, &v.cursor))
	}
	kinds := [][]Kind{nil, {KindTime, KindInt}, {KindString}, {KindFloat, KindDecimal, KindBytes}, {KindBool, KindUUID, KindUint}}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range kinds {
			cur, ok := parsePayload(b, k)
			if !ok {
				continue
			}
			if again := appendPayload(nil, &cur); string(again) != string(b) {
				t.Fatalf("%x became %x", b, again)
			}
		}
	})
}

// FuzzSort: an accepted text names only keys, and its order sorts to itself.
func FuzzSort(f *testing.F) {
	for _, s := range []string{"-a,+b", " a", "a desc, b", "id", "-c,-id,a", "a,a", "", ",", "a;drop"} {
		f.Add(s)
	}
	o := itemOrder(f, "-a", NullsLow)
	f.Fuzz(func(t *testing.T, sort string) {
		got, err := o.Sort(sort)
		if err != nil {
			if !errors.Is(err, ErrSort) {
				t.Fatal(err)
			}
			return
		}
		terms := got.Terms()
		if last := terms[len(terms)-1]; !last.Key.ID {
			t.Fatalf("%q ends with %s", sort, last.Key.Name)
		}
		if len(terms) <= maxNames {
			again, err := o.Sort(got.String())
			if err != nil || again.String() != got.String() {
				t.Fatalf("%q is %s, which is %v, %v", sort, got, again, err)
			}
		}
	})
}

// FuzzSince: no text makes a page one out of a bad position.
func FuzzSince(f *testing.F) {
	p := pagerOf(f, numbered(5), "a", Options[item]{})
	for _, s := range []string{"1", "-1", "EAAA", "E", "2026-01-01", "18446744073709551615"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, since string) {
		_, err := p.Page(t.Context(), Request{Since: since})
		if err != nil && !errors.Is(err, ErrToken) && !errors.Is(err, ErrParams) {
			t.Fatal(err)
		}
	})
}
