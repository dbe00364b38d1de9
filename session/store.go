package session

import (
	"context"
	"iter"
	"log/slog"
	"time"
)

// Record is one row of the session table.
type Record struct {
	ID        ID
	Version   uint64    // 0 = not stored yet; a store adds 1 at each Save
	UserID    string    // "" = anonymous
	CreatedAt time.Time // times have millisecond precision
	ExpiresAt time.Time // moved by Touch
	Deadline  time.Time // ExpiresAt never passes it
	Payload   []byte    // opaque to stores
}

// String hides the payload, which holds the hash of a secret and a user's data, from every verb of fmt.
func (r Record) String() string { return "session.Record(" + r.ID.String() + ")" }

// GoString hides the payload from %#v.
func (r Record) GoString() string { return r.String() }

// LogValue hides the payload from package slog.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Store keeps records. Methods are safe for concurrent use, linearizable per ID, and obey ctx. A store
// neither keeps nor returns memory that its caller can change. Package sessiontest checks all of it.
type Store interface {
	// Load returns the record; ErrNotFound if it is missing or expired.
	Load(ctx context.Context, id ID) (Record, error)
	// Save stores rec under Version+1 if the stored version equals rec.Version (0: nothing is stored).
	// Otherwise ErrConflict, or ErrNotFound if rec.Version > 0 and the record is gone. It never re-creates.
	Save(ctx context.Context, rec Record) error
	// Touch moves the expiry forward, never back and never past the deadline, and leaves the version.
	// ErrNotFound if missing or expired.
	Touch(ctx context.Context, id ID, expiresAt time.Time) error
	// Remove is idempotent.
	Remove(ctx context.Context, id ID) error
}

// UserIndexer is implemented by stores that can find the sessions of a user. A wrapper whose inner store cannot
// yields or returns errors.ErrUnsupported.
type UserIndexer interface {
	// ListUser yields the records that belong to the user and have not expired, in no order. A record saved
	// before the call and not removed since is yielded.
	ListUser(ctx context.Context, userID string) iter.Seq2[Record, error]
	// RemoveUser removes the records of the user but those of the given IDs and returns how many it removed.
	RemoveUser(ctx context.Context, userID string, except ...ID) (int, error)
}

// Sweeper is implemented by stores in which expired records stay until they are removed.
type Sweeper interface {
	// Sweep removes at most limit expired records and returns how many it removed.
	Sweep(ctx context.Context, limit int) (int, error)
}
