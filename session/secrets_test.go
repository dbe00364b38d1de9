package session_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/session"
)

func TestNothingPrintsASecret(t *testing.T) {
	var events []session.Event
	store := memory(t, session.MemoryOptions{})
	ring := keyring(t, 'k')
	m, err := session.New[Data](store, session.Options{Keys: ring, OnEvent: func(_ context.Context, e session.Event) { events = append(events, e) }})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := m.Lookup(t.Context(), "")
	if err := s.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	rec, err := store.Load(t.Context(), s.ID())
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	things := []any{m, s, store, ring, rec, &rec, s.Info(), m.Stats(), events, session.Cookie{}, s.ID()}
	for _, thing := range things {
		fmt.Fprintf(&text, "%v %+v %#v %s\n", thing, thing, thing, thing)
		for _, h := range []slog.Handler{slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&text, nil)} {
			slog.New(h).Info("x", "thing", thing)
		}
	}
	raw := decodeBase64(t, s.Token())
	secret := raw[16:48]
	for name, needle := range map[string]string{
		"token": s.Token(), "secret": string(secret), "secret in hex": hex.EncodeToString(secret), "key": strings.Repeat("k", 8),
		"secret in decimal": decimal(secret[:5]),
		"payload":           decimal(rec.Payload[:12]),
	} {
		if strings.Contains(text.String(), needle) {
			t.Errorf("%s is printed", name)
		}
	}
}

func decimal(b []byte) string { return strings.Trim(fmt.Sprintf("%v", b), "[]") }
