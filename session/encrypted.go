package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"
)

// EncryptedStore seals payloads, each bound to its ID and user, before they reach inner: who reads the database, or a
// copy of it, sees who is logged in and until when, but no data and no hash. It implements Store and
// FreshLoader, and UserIndexer and Sweeper as far as inner does.
//
// A payload that was changed or moved to another row, user or time of creation does not open: Load returns ErrForged,
// the user is asked to log in again, and his cookie stays, in case it was the key that was wrong. Queries by user leave
// such a record out; removing works without opening. What the seal does not hide is that a row was put back to an
// older state of itself.
//
// A new key comes in three steps, as with any Keyring. Records are sealed under the first key at their next Save; the old
// key can go one AbsoluteTimeout later.
type EncryptedStore struct {
	inner Store
	keys  *Keyring
}

// NewEncryptedStore returns a store that seals for inner. A payload gets 44 bytes longer. An error is ErrInvalid and
// names the argument.
func NewEncryptedStore(inner Store, keys *Keyring) (*EncryptedStore, error) {
	if inner == nil {
		return nil, fmt.Errorf("%w: inner is nil", ErrInvalid)
	}
	if keys == nil {
		return nil, fmt.Errorf("%w: keys is nil", ErrInvalid)
	}
	return &EncryptedStore{inner: inner, keys: keys}, nil
}

// recordLabel keeps a payload from being taken for anything else that is sealed under the same key.
const recordLabel = "session record v1"

// recordAAD has fields of fixed size before the only one that is not: no two records have the same.
func recordAAD(rec *Record) []byte {
	aad := make([]byte, 0, len(recordLabel)+len(rec.ID)+8+len(rec.UserID))
	aad = append(aad, recordLabel...)
	aad = append(aad, rec.ID[:]...)
	aad = binary.BigEndian.AppendUint64(aad, uint64(rec.CreatedAt.UnixMilli()))
	return append(aad, rec.UserID...)
}

func (s *EncryptedStore) opened(rec Record) (Record, error) {
	plain, _, err := s.keys.Open(nil, rec.Payload, recordAAD(&rec))
	if err != nil {
		return Record{}, err
	}
	rec.Payload = plain
	return rec, nil
}

func (s *EncryptedStore) lagging() bool { return lagging(s.inner) }

// Load implements Store.
func (s *EncryptedStore) Load(ctx context.Context, id ID) (Record, error) {
	rec, err := s.inner.Load(ctx, id)
	if err != nil {
		return Record{}, err
	}
	return s.opened(rec)
}

// LoadAtLeast implements FreshLoader.
func (s *EncryptedStore) LoadAtLeast(ctx context.Context, id ID, version uint64) (Record, error) {
	rec, err := loadAtLeast(ctx, s.inner, id, version)
	if err != nil {
		return Record{}, err
	}
	return s.opened(rec)
}

// Save implements Store.
func (s *EncryptedStore) Save(ctx context.Context, rec Record) error {
	sealed := s.keys.Seal(nil, rec.Payload, recordAAD(&rec))
	if sealed == nil {
		return errors.New("session: the payload cannot be sealed")
	}
	rec.Payload = sealed
	return s.inner.Save(ctx, rec)
}

// Touch implements Store.
func (s *EncryptedStore) Touch(ctx context.Context, id ID, expiresAt time.Time) error {
	return s.inner.Touch(ctx, id, expiresAt)
}

// Remove implements Store.
func (s *EncryptedStore) Remove(ctx context.Context, id ID) error { return s.inner.Remove(ctx, id) }

// ListUser implements UserIndexer. Records that do not open are left out.
func (s *EncryptedStore) ListUser(ctx context.Context, userID string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for rec, err := range listUser(ctx, s.inner, userID) {
			if err == nil {
				if rec, err = s.opened(rec); errors.Is(err, ErrForged) {
					continue
				}
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// RemoveUser implements UserIndexer.
func (s *EncryptedStore) RemoveUser(ctx context.Context, userID string, except ...ID) (int, error) {
	return removeUser(ctx, s.inner, userID, except)
}

// Sweep implements Sweeper.
func (s *EncryptedStore) Sweep(ctx context.Context, limit int) (int, error) {
	return sweep(ctx, s.inner, limit)
}
