package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/lru"
	"github.com/sysblocks/sysblocks/pagination"
)

// Strategy says how posts reach their readers. It decides when a post is published, and never afterwards: lists that were filled
// under one strategy stay right under another.
type Strategy string

// The strategies.
const (
	OnWrite Strategy = "write"  // a row in the timeline of each follower
	OnRead  Strategy = "read"   // nothing; each view asks every account that the reader follows
	Hybrid  Strategy = "hybrid" // rows, but for posts of accounts with very many followers
)

// Sender takes messages for the consumers.
type Sender interface {
	Send(ctx context.Context, key string, body []byte) error
}

// Options are the parts of a Service.
type Options struct {
	Copies    Copies
	Queue     Sender
	IDs       idgen.Generator
	Strategy  Strategy
	Celebrity int           // followers from which an account is pulled, with Hybrid
	Cached    int           // posts in the cache
	CacheFor  time.Duration // which bounds how long another process shows a post that was deleted
}

// Service is one instance. Any number of them work on one primary.
type Service struct {
	Options
	posts *lru.Backed[idgen.ID, Post]
	order *pagination.Order[Post]
}

// New makes an instance with an empty cache.
func New(o Options) (*Service, error) {
	s := &Service{Options: o}
	var orderErr, cacheErr error
	s.order, orderErr = newestFirst()
	s.posts, cacheErr = lru.NewBacked(backing{s}, o.Cached, lru.BackedOptions[idgen.ID, Post]{
		Mode:  lru.WriteThrough, // a new post is what everybody is about to read
		Cache: lru.Options[idgen.ID, Post]{TTL: o.CacheFor, Jitter: 0.1, CountHits: true},
	})
	return s, errors.Join(orderErr, cacheErr)
}

// Publish stores a post and asks for its delivery. Stored is published: when the message cannot be sent the post is delivered later
// (Resend), and the author need not know. version is what he must be shown at least from now on.
func (s *Service) Publish(ctx context.Context, author, text string) (p Post, version uint64, err error) {
	if n := utf8.RuneCountInString(text); author == "" || len(author) > 100 || n == 0 || n > 500 {
		return p, 0, fmt.Errorf("%w: a post needs an author of at most 100 bytes and 1 to 500 letters", ErrInvalid)
	}
	p = Post{Author: author, Text: text}
	if p.ID, err = s.IDs.Next(ctx); err != nil {
		return p, 0, err
	}
	if p.Pulled, err = s.pulled(ctx, author); err != nil {
		return p, 0, err
	}
	if err = s.posts.Set(ctx, p.ID, p); err != nil {
		return p, 0, err
	}
	if !p.Pulled {
		_ = s.send(ctx, p) // see Resend
	}
	return p, s.Copies.Written(), nil
}

func (s *Service) pulled(ctx context.Context, author string) (bool, error) {
	if s.Strategy != Hybrid {
		return s.Strategy == OnRead, nil
	}
	n, err := s.Copies.Primary().Followers(ctx, author, s.Celebrity)
	return n >= s.Celebrity, err
}

// send addresses the message by the author, so that one consumer gets all of his, in order.
func (s *Service) send(ctx context.Context, p Post) error {
	body, err := json.Marshal(Post{ID: p.ID, Author: p.Author})
	if err != nil {
		return err
	}
	return s.Queue.Send(ctx, p.Author, body)
}

// Resend asks again for the delivery of posts older than age that have not been delivered: the table of posts is the outbox. That it
// may ask for what is under way does no harm.
func (s *Service) Resend(ctx context.Context, age time.Duration) (n int, err error) {
	below, _ := idgen.Layout{}.Range(time.Now().Add(-age), time.Now())
	unsent, err := s.Copies.Primary().Unsent(ctx, below, 1000)
	for n < len(unsent) && err == nil {
		if err = s.send(ctx, unsent[n]); err == nil {
			n++
		}
	}
	return n, err
}

// Delete removes a post of the author's, also from all timelines.
func (s *Service) Delete(ctx context.Context, author string, id idgen.ID) (version uint64, err error) {
	p, err := s.Post(ctx, id)
	if err == nil && p.Author != author {
		err = ErrNotFound // somebody else's posts are nobody's business
	}
	if err == nil {
		err = s.posts.Remove(ctx, id)
	}
	return s.Copies.Written(), err
}

// Follow lets a reader see an author's posts, those of the past too.
func (s *Service) Follow(ctx context.Context, reader, author string) (version uint64, err error) {
	if reader == "" || author == "" || reader == author || max(len(reader), len(author)) > 100 {
		return 0, fmt.Errorf("%w: one follows another", ErrInvalid)
	}
	_, err = s.Copies.Write(ctx, Change{Kind: Followed, Author: author, Readers: []string{reader}})
	return s.Copies.Written(), err
}

// Unfollow ends that.
func (s *Service) Unfollow(ctx context.Context, reader, author string) (version uint64, err error) {
	_, err = s.Copies.Write(ctx, Change{Kind: Unfollowed, Author: author, Readers: []string{reader}})
	return s.Copies.Written(), err
}

// Post returns a post, from the cache or else from the primary.
func (s *Service) Post(ctx context.Context, id idgen.ID) (Post, error) { return s.posts.Fetch(ctx, id) }

// Home pages through what a reader is to see, newest first, as known to a copy that has at least the given version. A page costs one
// look into the timeline, one into the reader's own posts, and one for each account that he pulls from. The lists have no post in
// common, since each post is either pushed or pulled.
func (s *Service) Home(ctx context.Context, reader string, version uint64) (*pagination.Pager[Post], error) {
	from := s.Copies.Read(version)
	pulled, err := from.Pulled(ctx, reader)
	if err != nil {
		return nil, err
	}
	lists := []pagination.Source[Post]{from.Timeline(reader), from.ByAuthor(reader, false)}
	for _, author := range pulled {
		lists = append(lists, from.ByAuthor(author, true))
	}
	merged, err := pagination.NewMerge(lists, pagination.MergeOptions{Concurrency: 4})
	if err != nil {
		return nil, err
	}
	return s.pager(merged)
}

// Profile pages through what an author has published.
func (s *Service) Profile(author string, version uint64) (*pagination.Pager[Post], error) {
	return s.pager(s.Copies.Read(version).ByAuthor(author, false))
}

// pager adds the texts to a list. A post without one was deleted a moment ago, and is left out.
func (s *Service) pager(list pagination.Source[Post]) (*pagination.Pager[Post], error) {
	filled := pagination.SourceFunc[Post](func(ctx context.Context, r pagination.Range[Post]) ([]Post, error) {
		posts, err := list.Fetch(ctx, r)
		if err != nil {
			return nil, err
		}
		ids := make([]idgen.ID, len(posts))
		for i, p := range posts {
			ids[i] = p.ID
		}
		found, err := s.posts.FetchMany(ctx, ids)
		for i := range posts {
			posts[i].Text = found[posts[i].ID].Text
		}
		return posts, err
	})
	return pagination.New(filled, s.order, pagination.Options[Post]{Keep: func(_ context.Context, posts []Post) ([]bool, error) {
		keep := make([]bool, len(posts))
		for i, p := range posts {
			keep[i] = p.Text != ""
		}
		return keep, nil
	}})
}

// Stats counts reads of posts.
func (s *Service) Stats() lru.Stats { return s.posts.Cache().Stats() }

// Close ends the loads under way.
func (s *Service) Close(ctx context.Context) error { return s.posts.Close(ctx) }

// backing is the primary as the cache sees it.
type backing struct{ s *Service }

func (b backing) Load(ctx context.Context, id idgen.ID) (Post, error) {
	found, err := b.LoadMany(ctx, []idgen.ID{id})
	p, exists := found[id]
	if err == nil && !exists {
		err = ErrNotFound
	}
	return p, err
}

func (b backing) LoadMany(ctx context.Context, ids []idgen.ID) (map[idgen.ID]Post, error) {
	return b.s.Copies.Primary().Posts(ctx, ids...)
}

func (b backing) Save(ctx context.Context, id idgen.ID, p Post) error {
	_, err := b.s.Copies.Write(ctx, Change{Kind: Published, ID: id, Author: p.Author, Text: p.Text, Pulled: p.Pulled})
	return err
}

// SaveMany is for caches that write back.
func (b backing) SaveMany(context.Context, []lru.Write[idgen.ID, Post]) error {
	return errors.ErrUnsupported
}

func (b backing) Remove(ctx context.Context, id idgen.ID) error {
	p, err := b.Load(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		_, err = b.s.Copies.Write(ctx, Change{Kind: Deleted, ID: id, Author: p.Author})
	}
	return err
}
