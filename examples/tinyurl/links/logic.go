package links

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/lru"
	"github.com/sysblocks/sysblocks/pagination"
)

// Filter knows which codes may exist. All instances share one, so that a link made by one of them is known to all when its
// creation is acknowledged.
type Filter interface {
	Add(ctx context.Context, code bloom.Key) error
	Test(ctx context.Context, code bloom.Key) (bool, error) // false means certainly absent
}

// Options are the parts of a Service.
type Options struct {
	Store    Store
	Codes    *Codes
	Filter   Filter
	CacheFor time.Duration // lifetime of a cached link, which bounds how long another process can miss a deletion
	Cached   int           // links in the cache
}

// Service is one instance. Any number of them work on one store.
type Service struct {
	Options
	cache *lru.Cache[string, Link]
}

// New makes an instance with an empty cache.
func New(o Options) (*Service, error) {
	s := &Service{Options: o}
	var err error
	s.cache, err = lru.New(o.Cached, lru.Options[string, Link]{
		TTL: o.CacheFor, Jitter: 0.1, // links that were cached together do not expire together
		Load: s.load, CountHits: true,
	})
	return s, err
}

// Resolve returns the link of a code: from the cache or else, once for all who ask at the same time, from the store.
func (s *Service) Resolve(ctx context.Context, code string) (Link, error) {
	l, err := s.cache.Fetch(ctx, code)
	if err == nil && l.Deleted {
		return l, ErrGone
	}
	return l, err
}

// load is asked for codes that are not in the cache. The filter stands before the store, so that inventing codes costs the store
// next to nothing. It only saves work: when it cannot be asked the store is.
func (s *Service) load(ctx context.Context, code string) (Link, error) {
	if may, err := s.Filter.Test(ctx, bloom.String(code)); err == nil && !may {
		return Link{}, ErrNotFound
	}
	return s.Store.Get(ctx, code)
}

// Create stores a new link under a code of its own or, if one is wished for, under that.
func (s *Service) Create(ctx context.Context, wish Link) (Link, error) {
	wish.Created, wish.Deleted = time.Now().UnixMilli(), false
	if err := validate(wish); err != nil {
		return Link{}, err
	}
	if wish.Code != "" {
		return wish, s.add(ctx, wish)
	}
	for range 3 { // a code that somebody has wished for before it came up is skipped
		code, err := s.Codes.Next(ctx)
		if err != nil {
			return Link{}, err
		}
		wish.Code = code
		if err := s.add(ctx, wish); !errors.Is(err, ErrTaken) {
			return wish, err
		}
	}
	return Link{}, fmt.Errorf("%w: three codes in a row", ErrTaken)
}

// add tells the filter first. The other way round a crash in between would leave a link that the filter denies; this way it leaves
// a code that the filter admits and the store does not have, which is harmless.
func (s *Service) add(ctx context.Context, l Link) error {
	if err := s.Filter.Add(ctx, bloom.String(l.Code)); err != nil {
		return err
	}
	return s.Store.Add(ctx, l)
}

func validate(l Link) error {
	target, err := url.Parse(l.URL)
	switch {
	case err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" || len(l.URL) > 2000:
		return fmt.Errorf("%w: url must be http or https, with a host, at most 2000 bytes", ErrInvalid)
	case l.Code != "" && (l.Code == "api" || len(l.Code) < 3 || len(l.Code) > 32 || strings.ContainsFunc(l.Code, foreign)):
		return fmt.Errorf("%w: alias must be 3 to 32 letters, digits, - or _, and not api", ErrInvalid)
	case l.Owner == "":
		return fmt.Errorf("%w: a link needs an owner", ErrInvalid)
	}
	return nil
}

// foreign reports whether a letter is neither of base 62 nor one of the two more that need no escape in a URL.
func foreign(r rune) bool {
	return !strings.ContainsRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_", r)
}

// Delete ends a link of the owner's. Other instances hear of it by Forget, or when what they have cached expires.
func (s *Service) Delete(ctx context.Context, owner, code string) error {
	err := s.Store.Delete(ctx, owner, code)
	s.Forget(code) // also after an error: it may have been deleted
	return err
}

// Forget drops what is cached of a code.
func (s *Service) Forget(code string) { s.cache.Remove(code) }

// Mine pages through the links of the owner in the context.
func (s *Service) Mine() *pagination.Pager[Link] { return s.Store.Mine() }

// Stats counts reads.
func (s *Service) Stats() lru.Stats { return s.cache.Stats() }

// Close ends the loads under way and gives back what codes are made from.
func (s *Service) Close(ctx context.Context) error {
	return errors.Join(s.cache.Close(ctx), s.Codes.Close(ctx))
}
