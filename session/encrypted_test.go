package session_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// The inner store sees no byte of the payload, and each save looks different.
func TestEncryptedStoreHidesThePayload(t *testing.T) {
	inner := newMemory(t)
	s := encrypted(t, inner, keyring(t, 'k'))
	rec := fileRecord("ann", time.Hour)
	rec.Payload = bytes.Repeat([]byte("secret"), 20)
	rec = mustSave(t, s, rec)
	first, err := inner.Load(t.Context(), rec.ID)
	if err != nil || bytes.Contains(first.Payload, []byte("secret")) || len(first.Payload) != len(rec.Payload)+44 {
		t.Fatalf("%d bytes, %v: %q", len(first.Payload), err, first.Payload)
	}
	mustSave(t, s, rec)
	second, err := inner.Load(t.Context(), rec.ID)
	if err != nil || bytes.Equal(first.Payload[4:28], second.Payload[4:28]) {
		t.Errorf("a nonce is used twice: %v", err)
	}
}

// A payload belongs to one ID, user and time of creation, and to one key.
func TestEncryptedPayloadOpensOnlyInItsPlace(t *testing.T) {
	inner := newMemory(t)
	s := encrypted(t, inner, keyring(t, 'k'))
	rec := mustSave(t, s, fileRecord("ann", time.Hour))
	whole, err := inner.Load(t.Context(), rec.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(r *session.Record){
		"another row":   func(r *session.Record) { r.ID = randomID() },
		"another user":  func(r *session.Record) { r.UserID = "bob" },
		"nobody":        func(r *session.Record) { r.UserID = "" },
		"another birth": func(r *session.Record) { r.CreatedAt = r.CreatedAt.Add(time.Millisecond) },
		"a flipped bit": func(r *session.Record) { r.Payload[40] ^= 1 },
		"cut off":       func(r *session.Record) { r.Payload = r.Payload[:20] },
		"nothing":       func(r *session.Record) { r.Payload = nil },
		"not sealed":    func(r *session.Record) { r.Payload = rec.Payload },
		"a sealed cookie": func(r *session.Record) {
			r.Payload = keyring(t, 'k').Seal(nil, []byte("x"), []byte("session v1 cookie"))
		},
	} {
		m := newMemory(t)
		moved := whole
		moved.Payload = bytes.Clone(whole.Payload)
		change(&moved)
		moved.Version = 0
		mustSave(t, m, moved)
		if _, err := encrypted(t, m, keyring(t, 'k')).Load(t.Context(), moved.ID); !errors.Is(err, session.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := encrypted(t, inner, keyring(t, 'x')).Load(t.Context(), rec.ID); !errors.Is(err, session.ErrForged) {
		t.Errorf("another key: %v", err)
	}
	if got, err := s.Load(t.Context(), rec.ID); err != nil || string(got.Payload) != "payload" {
		t.Errorf("in its place: %v", err)
	}
}

// A key change in three steps logs nobody out; a record is sealed under the first key at its next save.
func TestEncryptedStoreChangesKeys(t *testing.T) {
	inner := newMemory(t)
	rec := mustSave(t, encrypted(t, inner, keyring(t, '1')), fileRecord("ann", time.Hour))
	rec = mustSave(t, encrypted(t, inner, keyring(t, '1', '2')), rec) // step 1: known everywhere
	if _, err := encrypted(t, inner, keyring(t, '1')).Load(t.Context(), rec.ID); err != nil {
		t.Errorf("a server that is not yet restarted: %v", err)
	}
	both := encrypted(t, inner, keyring(t, '2', '1')) // step 2: used
	got, err := both.Load(t.Context(), rec.ID)
	if err != nil {
		t.Fatal(err)
	}
	mustSave(t, both, got)
	if _, err := encrypted(t, inner, keyring(t, '2')).Load(t.Context(), rec.ID); err != nil { // step 3: the old one goes
		t.Errorf("after a save under the new key: %v", err)
	}
}

// A record that does not open is no session: no 500 for ever, no access, and the cookie stays in case the key was
// wrong for a moment. It does not hide the user's other sessions either.
func TestForgedRecordIsNoSession(t *testing.T) {
	inner := newMemory(t)
	right, err := session.New[counter](encrypted(t, inner, keyring(t, 'k')), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := right.Lookup(t.Context(), "")
	if err := s.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	wrong, err := session.New[counter](encrypted(t, inner, keyring(t, 'x')), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-Http-session", Value: s.Token()})
	w := httptest.NewRecorder()
	wrong.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := wrong.Get(r.Context())
		if err != nil || s.UserID() != "" {
			t.Errorf("user %q, %v", s.UserID(), err)
		}
		w.WriteHeader(http.StatusNoContent)
	})).ServeHTTP(w, r)
	if w.Code != http.StatusNoContent || len(w.Header()["Set-Cookie"]) > 0 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	other, _ := wrong.Lookup(t.Context(), "")
	if err := other.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	listed := 0
	for _, err := range wrong.List(t.Context(), "ann") {
		if err != nil {
			t.Error(err)
		}
		listed++
	}
	if listed != 1 {
		t.Errorf("%d sessions listed, want 1", listed)
	}
	if err := wrong.Revoke(t.Context(), "ann", s.ID()); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Revoke of a record that does not open: %v", err)
	}
	if n, err := wrong.RevokeUser(t.Context(), "ann"); n != 2 || err != nil {
		t.Errorf("RevokeUser: %d, %v", n, err)
	}
}
