// Package links is the logic of a link shortener, and what it keeps its links in. It knows nothing of HTTP.
//
//	create   codes.Next ─▶ filter.Add ─▶ store.Add            the cache is left alone: write-around
//	resolve  cache ─▶ one load per code ─▶ filter ─▶ store    cache-aside
package links

import (
	"context"
	"errors"
	"fmt"

	"github.com/sysblocks/sysblocks/lru"
	"github.com/sysblocks/sysblocks/pagination"
)

// The errors that callers tell apart.
var (
	ErrInvalid  = errors.New("links: invalid")
	ErrNotFound = fmt.Errorf("links: no such link: %w", lru.ErrNotFound) // so that the cache understands it too
	ErrGone     = errors.New("links: the link was deleted")
	ErrTaken    = errors.New("links: the code is taken")
)

// Link is what a code stands for. Apart from being deleted it never changes, which is what makes caching easy.
type Link struct {
	Code      string `db:"code" json:"code"`
	URL       string `db:"url" json:"url"`
	Owner     string `db:"owner" json:"-"`
	Created   int64  `db:"created" json:"created"`     // Unix milliseconds
	Permanent bool   `db:"permanent" json:"permanent"` // 301 instead of 302
	Deleted   bool   `db:"deleted" json:"-"`           // stays as a tombstone: a code is never used twice
}

// Store keeps links.
type Store interface {
	// Add stores a link, or returns ErrTaken.
	Add(ctx context.Context, l Link) error
	// Get returns a link, deleted or not, or ErrNotFound.
	Get(ctx context.Context, code string) (Link, error)
	// Delete leaves a tombstone, or returns ErrNotFound if the owner has no such link.
	Delete(ctx context.Context, owner, code string) error
	// Mine pages through the links of the owner in the context, newest first.
	Mine() *pagination.Pager[Link]
}

type ownerKey struct{}

// WithOwner says in whose name a call is made.
func WithOwner(ctx context.Context, owner string) context.Context {
	return context.WithValue(ctx, ownerKey{}, owner)
}

// Owner is whom WithOwner named.
func Owner(ctx context.Context) string {
	owner, _ := ctx.Value(ownerKey{}).(string)
	return owner
}
