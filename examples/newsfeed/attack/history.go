package attack

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/pagination"
)

// book is what should be: who follows whom, and which posts there are.
type book struct {
	follows map[string]map[string]bool // reader, author
	posts   []feed.Post                // in order
}

func (b *book) home(reader string) (texts []string) {
	for _, p := range slices.Backward(b.posts) {
		if b.follows[reader][p.Author] {
			texts = append(texts, p.Text)
		}
	}
	return texts
}

// History makes a history of posts, deletions, follows and unfollows, and keeps the book. One account is a star from the beginning; another becomes one: it has one follower
// too few until the last reader joins, so its first posts are pushed and later ones pulled.
type History struct {
	s                       *local.System
	rng                     *rand.Rand
	crowd, authors, readers []string
	book                    book
}

// NewHistory lets the crowd follow the star, and all but some of it the rising one. readers follow the star and half of the authors.
func NewHistory(ctx context.Context, s *local.System, seed int64, crowd int) (*History, error) {
	h := &History{s: s, rng: workload.Rand(seed, 10), crowd: People("fan", crowd), authors: People("author", 40), readers: People("reader", 20)}
	h.book.follows = make(map[string]map[string]bool)
	popular := append([]string{"star"}, h.authors[:len(h.authors)/2]...)
	for _, reader := range h.readers {
		h.book.follows[reader] = make(map[string]bool)
		for _, author := range popular {
			h.book.follows[reader][author] = true
		}
	}
	return h, errors.Join(
		Follow(ctx, s, []string{"star"}, h.crowd),
		Follow(ctx, s, []string{"rising"}, h.crowd[len(h.readers)/2:]),
		Follow(ctx, s, popular, h.readers),
	)
}

func (h *History) follow(ctx context.Context, reader, author string) error {
	h.book.follows[reader][author] = true
	_, err := h.s.Service.Follow(ctx, reader, author)
	return err
}

// Publish posts and notes it.
func (h *History) Publish(ctx context.Context, author, text string) error {
	p, _, err := h.s.Service.Publish(ctx, author, text)
	h.book.posts = append(h.book.posts, p)
	return err
}

// Author is one of the ordinary ones.
func (h *History) Author(i int) string { return h.authors[i%len(h.authors)] }

// Event is a post, mostly.
func (h *History) Event(ctx context.Context, i int) error {
	reader, author := h.readers[h.rng.IntN(len(h.readers))], h.authors[h.rng.IntN(len(h.authors))]
	switch draw := h.rng.IntN(100); {
	case i%200 == 0:
		return h.Publish(ctx, "star", strconv.Itoa(i))
	case i == 10 || i == 35 || i%250 == 60:
		return h.Publish(ctx, "rising", strconv.Itoa(i))
	case i%5 == 1:
		return h.follow(ctx, h.readers[i/5%len(h.readers)], "rising")
	case draw < 10:
		return h.follow(ctx, reader, author)
	case draw < 15:
		delete(h.book.follows[reader], author)
		_, err := h.s.Service.Unfollow(ctx, reader, author)
		return err
	case draw < 20 && len(h.book.posts) > 0:
		n := h.rng.IntN(len(h.book.posts))
		p := h.book.posts[n]
		h.book.posts = slices.Delete(h.book.posts, n, n+1)
		_, err := h.s.Service.Delete(ctx, p.Author, p.ID)
		return err
	}
	return h.Publish(ctx, author, strconv.Itoa(i))
}

// Compare reads every feed to its end, and counts those that differ from the book.
func (h *History) Compare(ctx context.Context) (compared, differing int, err error) {
	for _, reader := range h.readers {
		pager, err := h.s.Service.Home(ctx, reader, h.s.Copies.Written())
		if err != nil {
			return 0, 0, err
		}
		var texts []string
		for p, err := range pager.All(ctx, pagination.Request{}) {
			if err != nil {
				return 0, 0, err
			}
			texts = append(texts, p.Text)
		}
		compared++
		if !slices.Equal(texts, h.book.home(reader)) {
			differing++
		}
	}
	return compared, differing, nil
}
