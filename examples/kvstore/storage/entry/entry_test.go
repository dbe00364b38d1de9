package entry

import (
	"bytes"
	"testing"
)

func FuzzDecode(f *testing.F) {
	f.Add(Entry{Key: "k", Stamp: Stamp{1, "n"}, Value: []byte("v")}.AppendTo(nil))
	f.Add(Entry{Key: "", Deleted: true}.AppendTo(nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, rest, err := Decode(b)
		if err != nil {
			return
		}
		if len(rest) > len(b) {
			t.Error("rest grew")
		}
		again, tail, err := Decode(e.AppendTo(nil))
		if err != nil || len(tail) != 0 || !same(again, e) {
			t.Errorf("%+v became %+v, %v", e, again, err)
		}
		again, found, err := FromState(e.Key, e.State())
		if err != nil || !found || !same(again, e) {
			t.Errorf("%+v became %+v by its state, found %v, %v", e, again, found, err)
		}
	})
}

func same(a, b Entry) bool {
	return a.Key == b.Key && a.Stamp == b.Stamp && a.Deleted == b.Deleted && bytes.Equal(a.Value, b.Value)
}

func FuzzFromState(f *testing.F) {
	f.Add(Entry{Stamp: Stamp{1, "n"}, Value: []byte("v")}.State())
	f.Add(Forgot())
	f.Add([]byte{})
	f.Add(append(Forgot(), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, found, err := FromState("k", b)
		switch {
		case err != nil && (found || e.Key != ""):
			t.Error("an error and an answer")
		case err == nil && !found && !bytes.Equal(b, Forgot()):
			t.Errorf("%x is taken for a forgotten key", b)
		case err == nil && found && e.Key != "k":
			t.Error("the key is lost")
		}
	})
}
