package sessiontest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// Run checks the whole contract of Store, and of UserIndexer and Sweeper where the store has them.
// newStore returns an empty store; it registers its own clean-up. Run waits for about 0.2 s of real time and must
// not be called inside a synctest bubble, unless the store is.
func Run(t *testing.T, newStore func(t *testing.T) session.Store) {
	t.Helper()
	rules := []struct {
		name  string
		check func(t *testing.T, s session.Store)
	}{
		{"LoadReturnsWhatWasSaved", loadReturnsWhatWasSaved},
		{"PayloadsOfAnyBytes", payloadsOfAnyBytes},
		{"SaveIsConditional", saveIsConditional},
		{"SaveNeverRevives", saveNeverRevives},
		{"TouchMovesForwardOnly", touchMovesForwardOnly},
		{"TouchNeverCreates", touchNeverCreates},
		{"RemoveIsIdempotent", removeIsIdempotent},
		{"ExpiredIsMissing", expiredIsMissing},
		{"SaveMayExpire", saveMayExpire},
		{"ExpiryIsExact", expiryIsExact},
		{"NoSharedMemory", noSharedMemory},
		{"EndedContext", endedContext},
		{"HistoriesAreLinearizable", historiesAreLinearizable},
		{"OneOfManyCreates", oneOfManyCreates},
		{"UserIndexFollows", userIndexFollows},
		{"UserIDsOfAnyBytes", userIDsOfAnyBytes},
		{"ListSeesEarlierSaves", listSeesEarlierSaves},
		{"RemoveUserBesideSave", removeUserBesideSave},
		{"SweepRemovesExpiredOnly", sweepRemovesExpiredOnly},
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) { r.check(t, newStore(t)) })
	}
}

func newID() (id session.ID) {
	_, _ = rand.Read(id[:])
	return id
}

// fresh returns a record not stored yet that lives for an hour. Times have the precision that stores keep.
func fresh(userID string, payload []byte) session.Record {
	now := time.Now().Truncate(time.Millisecond)
	return session.Record{
		ID: newID(), UserID: userID, CreatedAt: now, ExpiresAt: now.Add(time.Hour), Deadline: now.Add(2 * time.Hour),
		Payload: payload,
	}
}

// save stores rec and returns it with the version it now has.
func save(t *testing.T, s session.Store, rec session.Record) session.Record {
	t.Helper()
	if err := s.Save(t.Context(), rec); err != nil {
		t.Fatalf("Save at version %d: %v", rec.Version, err)
	}
	rec.Version++
	return rec
}

func load(t *testing.T, s session.Store, id session.ID) session.Record {
	t.Helper()
	rec, err := s.Load(t.Context(), id)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return rec
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error %v, want %v", what, got, want)
	}
}

func wantRecord(t *testing.T, got, want session.Record) {
	t.Helper()
	same := got.ID == want.ID && got.Version == want.Version && got.UserID == want.UserID &&
		got.CreatedAt.Equal(want.CreatedAt) && got.ExpiresAt.Equal(want.ExpiresAt) && got.Deadline.Equal(want.Deadline) &&
		bytes.Equal(got.Payload, want.Payload)
	if !same {
		t.Errorf("record differs:\n got version %d user %q %v %v %v, %d bytes\nwant version %d user %q %v %v %v, %d bytes",
			got.Version, got.UserID, got.CreatedAt.UnixMilli(), got.ExpiresAt.UnixMilli(), got.Deadline.UnixMilli(), len(got.Payload),
			want.Version, want.UserID, want.CreatedAt.UnixMilli(), want.ExpiresAt.UnixMilli(), want.Deadline.UnixMilli(), len(want.Payload))
	}
}

func loadReturnsWhatWasSaved(t *testing.T, s session.Store) {
	t.Helper()
	_, err := s.Load(t.Context(), newID())
	wantError(t, "Load of an unknown ID", err, session.ErrNotFound)
	anonymous := save(t, s, fresh("", []byte("a")))
	user := save(t, s, fresh("user", []byte("b")))
	wantRecord(t, load(t, s, anonymous.ID), anonymous)
	wantRecord(t, load(t, s, user.ID), user)

	// Save writes all fields; an earlier expiry too.
	anonymous.UserID, anonymous.Payload = "other", []byte("longer than before")
	anonymous.ExpiresAt = anonymous.ExpiresAt.Add(-time.Minute)
	anonymous.Deadline = anonymous.Deadline.Add(time.Minute)
	anonymous = save(t, s, anonymous)
	wantRecord(t, load(t, s, anonymous.ID), anonymous)
	anonymous.UserID = ""
	anonymous = save(t, s, anonymous)
	wantRecord(t, load(t, s, anonymous.ID), anonymous)
	wantRecord(t, load(t, s, user.ID), user)
}

func payloadsOfAnyBytes(t *testing.T, s session.Store) {
	t.Helper()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	big := bytes.Repeat(all, 256)
	for _, payload := range [][]byte{nil, {}, {0}, []byte("'\"\\%_\x00;--"), all, big} {
		rec := save(t, s, fresh("u", payload))
		wantRecord(t, load(t, s, rec.ID), rec)
		rec.Payload = append([]byte{1}, payload...)
		rec = save(t, s, rec)
		wantRecord(t, load(t, s, rec.ID), rec)
	}
}

func saveIsConditional(t *testing.T, s session.Store) {
	t.Helper()
	rec := save(t, s, fresh("u", []byte("first")))
	stale := rec
	rec.Payload = []byte("second")
	rec = save(t, s, rec)
	for _, version := range []uint64{0, stale.Version, rec.Version + 1} {
		stale.Version, stale.Payload, stale.UserID = version, []byte("stale"), "thief"
		wantError(t, "Save at another version", s.Save(t.Context(), stale), session.ErrConflict)
		wantRecord(t, load(t, s, rec.ID), rec)
	}
}

func saveNeverRevives(t *testing.T, s session.Store) {
	t.Helper()
	unknown := fresh("u", []byte("x"))
	unknown.Version = 1
	wantError(t, "Save at version 1 of an unknown ID", s.Save(t.Context(), unknown), session.ErrNotFound)
	_, err := s.Load(t.Context(), unknown.ID)
	wantError(t, "Load after it", err, session.ErrNotFound)

	rec := save(t, s, fresh("u", []byte("x")))
	if err := s.Remove(t.Context(), rec.ID); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Save after Remove", s.Save(t.Context(), rec), session.ErrNotFound)
	_, err = s.Load(t.Context(), rec.ID)
	wantError(t, "Load after Remove and Save", err, session.ErrNotFound)
}

func touchMovesForwardOnly(t *testing.T, s session.Store) {
	t.Helper()
	rec := save(t, s, fresh("u", []byte("x")))
	touch := func(to time.Time) {
		t.Helper()
		if err := s.Touch(t.Context(), rec.ID, to); err != nil {
			t.Fatalf("Touch: %v", err)
		}
	}
	later := rec.ExpiresAt.Add(time.Minute)
	touch(later)
	rec.ExpiresAt = later
	wantRecord(t, load(t, s, rec.ID), rec)
	touch(later) // again: "not forward" is success
	touch(later.Add(-30 * time.Minute))
	touch(time.Now().Add(-time.Hour))
	wantRecord(t, load(t, s, rec.ID), rec)
	touch(rec.Deadline.Add(time.Minute))
	rec.ExpiresAt = rec.Deadline
	wantRecord(t, load(t, s, rec.ID), rec)
	touch(rec.Deadline.Add(time.Hour))
	wantRecord(t, load(t, s, rec.ID), rec)
	save(t, s, rec) // the version is as before
}

func touchNeverCreates(t *testing.T, s session.Store) {
	t.Helper()
	id := newID()
	wantError(t, "Touch of an unknown ID", s.Touch(t.Context(), id, time.Now().Add(time.Hour)), session.ErrNotFound)
	_, err := s.Load(t.Context(), id)
	wantError(t, "Load after it", err, session.ErrNotFound)
	rec := save(t, s, fresh("u", nil))
	if err := s.Remove(t.Context(), rec.ID); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Touch after Remove", s.Touch(t.Context(), rec.ID, time.Now().Add(time.Hour)), session.ErrNotFound)
	_, err = s.Load(t.Context(), rec.ID)
	wantError(t, "Load after Remove and Touch", err, session.ErrNotFound)
}

func removeIsIdempotent(t *testing.T, s session.Store) {
	t.Helper()
	keep := save(t, s, fresh("u", []byte("keep")))
	rec := save(t, s, fresh("u", nil))
	for range 2 {
		if err := s.Remove(t.Context(), rec.ID); err != nil {
			t.Errorf("Remove: %v", err)
		}
		_, err := s.Load(t.Context(), rec.ID)
		wantError(t, "Load after Remove", err, session.ErrNotFound)
	}
	if err := s.Remove(t.Context(), newID()); err != nil {
		t.Errorf("Remove of an unknown ID: %v", err)
	}
	wantRecord(t, load(t, s, keep.ID), keep)
}

func expiredIsMissing(t *testing.T, s session.Store) {
	t.Helper()
	rec := fresh("u", []byte("x"))
	rec.ExpiresAt = time.Now().Add(-time.Millisecond).Truncate(time.Millisecond)
	if err := s.Save(t.Context(), rec); err != nil && !errors.Is(err, session.ErrNotFound) {
		t.Fatalf("Save of an expired record: %v", err)
	}
	rec.Version = 1
	_, err := s.Load(t.Context(), rec.ID)
	wantError(t, "Load of an expired record", err, session.ErrNotFound)
	wantError(t, "Touch of an expired record", s.Touch(t.Context(), rec.ID, time.Now().Add(time.Hour)), session.ErrNotFound)
	rec.ExpiresAt = time.Now().Add(time.Hour)
	wantError(t, "Save over an expired record", s.Save(t.Context(), rec), session.ErrNotFound)
	_, err = s.Load(t.Context(), rec.ID)
	wantError(t, "Load after Touch and Save of an expired record", err, session.ErrNotFound)
}

// saveMayExpire: a Save whose expiry is past ends the record, on condition of its version: so a manager removes a
// session only if it has not changed.
func saveMayExpire(t *testing.T, s session.Store) {
	t.Helper()
	rec := save(t, s, fresh("u", []byte("x")))
	stale := rec
	rec = save(t, s, rec)
	stale.ExpiresAt = time.Now().Add(-time.Second).Truncate(time.Millisecond)
	wantError(t, "Save with a past expiry at another version", s.Save(t.Context(), stale), session.ErrConflict)
	wantRecord(t, load(t, s, rec.ID), rec)
	stale.Version = rec.Version
	if err := s.Save(t.Context(), stale); err != nil {
		t.Fatalf("Save with a past expiry: %v", err)
	}
	_, err := s.Load(t.Context(), rec.ID)
	wantError(t, "Load after a Save with a past expiry", err, session.ErrNotFound)
	rec.Version++
	wantError(t, "Save after it", s.Save(t.Context(), rec), session.ErrNotFound)
	if users, ok := indexer(t, s); ok {
		wantUser(t, users, "u", nil)
	}
	if err := s.Remove(t.Context(), rec.ID); err != nil {
		t.Errorf("Remove after it: %v", err)
	}
}

// expiryIsExact loads around the moment of expiry: found if the call ended before it, missing if it began after.
func expiryIsExact(t *testing.T, s session.Store) {
	t.Helper()
	rec := fresh("u", nil)
	rec.ExpiresAt = time.Now().Add(150 * time.Millisecond).Truncate(time.Millisecond)
	save(t, s, rec)
	after := 0
	for after < 3 {
		began := time.Now()
		_, err := s.Load(t.Context(), rec.ID)
		ended := time.Now()
		switch {
		case err != nil && !errors.Is(err, session.ErrNotFound):
			t.Fatalf("Load: %v", err)
		case err != nil && ended.Before(rec.ExpiresAt):
			t.Fatalf("missing %v before its expiry", rec.ExpiresAt.Sub(ended))
		case err == nil && !began.Before(rec.ExpiresAt):
			t.Fatalf("found %v after its expiry", began.Sub(rec.ExpiresAt))
		case !began.Before(rec.ExpiresAt):
			after++
		}
		if left := time.Until(rec.ExpiresAt); left > 20*time.Millisecond {
			<-time.After(left - 20*time.Millisecond)
		}
	}
	rec.Version, rec.ExpiresAt = 1, time.Now().Add(time.Hour)
	wantError(t, "Save after the expiry", s.Save(t.Context(), rec), session.ErrNotFound)
	wantError(t, "Touch after the expiry", s.Touch(t.Context(), rec.ID, rec.ExpiresAt), session.ErrNotFound)
}

func noSharedMemory(t *testing.T, s session.Store) {
	t.Helper()
	payload := []byte("payload")
	rec := save(t, s, fresh("u", payload))
	copy(payload, "XXXXXXX")
	rec.Payload = []byte("payload")
	got := load(t, s, rec.ID)
	wantRecord(t, got, rec)
	copy(got.Payload, "YYYYYYY")
	wantRecord(t, load(t, s, rec.ID), rec)
	users, ok := s.(session.UserIndexer)
	if !ok {
		return
	}
	for got, err := range users.ListUser(t.Context(), "u") {
		if err == nil {
			copy(got.Payload, "ZZZZZZZ")
		}
	}
	wantRecord(t, load(t, s, rec.ID), rec)
}

func endedContext(t *testing.T, s session.Store) {
	t.Helper()
	rec := save(t, s, fresh("u", []byte("x")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Load(ctx, rec.ID)
	wantError(t, "Load", err, context.Canceled)
	changed := rec
	changed.Payload = []byte("y")
	wantError(t, "Save", s.Save(ctx, changed), context.Canceled)
	wantError(t, "Touch", s.Touch(ctx, rec.ID, rec.Deadline), context.Canceled)
	wantError(t, "Remove", s.Remove(ctx, rec.ID), context.Canceled)
	if users, ok := indexer(t, s); ok {
		_, err := users.RemoveUser(ctx, "u")
		wantError(t, "RemoveUser", err, context.Canceled)
		err = nil
		for _, e := range users.ListUser(ctx, "u") {
			err = e
		}
		wantError(t, "ListUser", err, context.Canceled)
	}
	wantRecord(t, load(t, s, rec.ID), rec)
}
