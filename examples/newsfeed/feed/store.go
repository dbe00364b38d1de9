// Package feed is the logic of a news feed, and what it keeps its posts in. It knows nothing of HTTP, nor of how messages travel.
//
//	publish   ids.Next ─▶ posts (write-through) ─▶ primary ─▶ queue.Send          an answer needs no follower
//	fan out   message ─▶ seen before? ─▶ primary: one row for each follower       pushed: a timeline is one list
//	home      one copy ─▶ timeline + own posts + posts of those who are pulled ─▶ merged ─▶ texts from the cache
//
// Read store.go for the words, feed.go for the three operations, fanout.go for what a consumer does with a message. memory.go is a
// copy in memory, store_sql.go the one that lasts; both take the same changes in the same order, and so end in the same state.
package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/lru"
	"github.com/sysblocks/sysblocks/pagination"
)

// The errors that callers tell apart.
var (
	ErrInvalid   = errors.New("feed: invalid")
	ErrNotFound  = fmt.Errorf("feed: no such post: %w", lru.ErrNotFound) // so that the cache understands it too
	ErrMalformed = errors.New("feed: malformed message")
	ErrGap       = errors.New("feed: a change is missing") // of a copy that was given changes out of order
)

// Post is what somebody has said. It never changes; it can be deleted.
type Post struct {
	ID     idgen.ID `db:"id" json:"id"` // in the order of time, which is the order of every list
	Author string   `db:"author" json:"author"`
	Text   string   `json:"text,omitempty"`
	Pulled bool     `json:"-"` // readers fetch it from its author; else it is written into the timelines of his followers
}

// Kind is what a change does.
type Kind string

// The kinds.
const (
	Published  Kind = "published"
	Delivered  Kind = "delivered" // into the timelines of those who follow the author at that moment
	Deleted    Kind = "deleted"
	Followed   Kind = "followed" // the author's delivered posts enter the timelines of the readers
	Unfollowed Kind = "unfollowed"
)

// Change is an entry of the log. It says what was done and not which rows that touched: a copy that takes the same changes in the
// same order finds the same followers, so ten thousand rows travel as one line.
type Change struct {
	Seq     uint64    `json:"-"` // without gaps, in the order of commits
	At      time.Time `json:"-"`
	Kind    Kind      `json:"kind"`
	Author  string    `json:"author"`
	ID      idgen.ID  `json:"id,omitempty"`
	Text    string    `json:"text,omitempty"`
	Pulled  bool      `json:"pulled,omitempty"`
	Readers []string  `json:"readers,omitempty"`
}

// Store is one copy of everything.
type Store interface {
	// Write makes a change and returns its number in the log, or 0 if it was made before and nothing was to be done.
	Write(ctx context.Context, c Change) (seq uint64, err error)
	// Changes returns those after a number that were made until a moment.
	Changes(ctx context.Context, after uint64, until time.Time, limit int) ([]Change, error)

	// Posts returns those that exist.
	Posts(ctx context.Context, ids ...idgen.ID) (map[idgen.ID]Post, error)
	// Fanned says whether a post has been delivered.
	Fanned(ctx context.Context, id idgen.ID) (bool, error)
	// Unsent returns posts below an id that wait to be delivered.
	Unsent(ctx context.Context, below idgen.ID, limit int) ([]Post, error)
	// Followers counts the followers of an author, up to a limit.
	Followers(ctx context.Context, author string, limit int) (int, error)
	// Pulled returns those accounts that a reader follows and must fetch from.
	Pulled(ctx context.Context, reader string) ([]string, error)
	// Timeline is the list of what was delivered to a reader, without texts.
	Timeline(reader string) pagination.Source[Post]
	// ByAuthor is the list of what an author has published, without texts; with pulled, only of what must be fetched from there.
	ByAuthor(author string, pulled bool) pagination.Source[Post]
}

// Copies is a primary, which takes all changes, and followers, which lag behind.
type Copies interface {
	// Write makes a change at the primary.
	Write(ctx context.Context, c Change) (seq uint64, err error)
	// Primary is the copy that knows everything.
	Primary() Store
	// Read returns a copy that has at least the change of this number.
	Read(atLeast uint64) Store
	// Written is at least the number of every change that a finished Write of this process has made.
	Written() uint64
}

// newestFirst is the order of every list.
func newestFirst() (*pagination.Order[Post], error) {
	return pagination.NewOrder("-id", pagination.ID("id", func(p *Post) int64 { return int64(p.ID) }))
}
