package feed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/pagination"
)

// Memory is a copy in memory: what a follower is, and a primary that can die.
type Memory struct {
	mu        sync.RWMutex
	log       []Change
	posts     map[idgen.ID]Post
	fanned    map[idgen.ID]bool
	byAuthor  map[string][]Post // ascending by id, like timelines, without texts
	timelines map[string][]Post
	followers map[string]map[string]bool // author, reader
	following map[string]map[string]bool // reader, author
	pulled    map[string]bool            // authors
}

// NewMemory makes an empty copy.
func NewMemory() *Memory {
	return &Memory{
		posts: make(map[idgen.ID]Post), fanned: make(map[idgen.ID]bool), byAuthor: make(map[string][]Post), timelines: make(map[string][]Post),
		followers: make(map[string]map[string]bool), following: make(map[string]map[string]bool), pulled: make(map[string]bool),
	}
}

// Write implements Store.
func (m *Memory) Write(_ context.Context, c Change) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.apply(c) {
		return 0, nil
	}
	c.Seq, c.At = uint64(len(m.log))+1, time.Now()
	m.log = append(m.log, c)
	return c.Seq, nil
}

// Follow takes changes that another copy has made. Those that it has already are skipped, so that a follower who is not sure may ask
// again; a gap is an error.
func (m *Memory) Follow(changes ...Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range changes {
		switch have := uint64(len(m.log)); {
		case c.Seq <= have:
		case c.Seq > have+1:
			return fmt.Errorf("%w: %d after %d", ErrGap, c.Seq, have)
		default:
			m.apply(c)
			m.log = append(m.log, c)
		}
	}
	return nil
}

// Applied is the number of the last change.
func (m *Memory) Applied() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return uint64(len(m.log))
}

// apply reports whether there was anything to do.
func (m *Memory) apply(c Change) bool {
	p := Post{ID: c.ID, Author: c.Author, Text: c.Text, Pulled: c.Pulled}
	switch c.Kind {
	case Published:
		m.posts[c.ID] = p
		insert(m.byAuthor, c.Author, p)
		if c.Pulled {
			m.pulled[c.Author] = true
		}
	case Delivered:
		if _, exists := m.posts[c.ID]; !exists || m.fanned[c.ID] {
			return false
		}
		m.fanned[c.ID] = true
		for reader := range m.followers[c.Author] {
			insert(m.timelines, reader, p)
		}
	case Deleted:
		if m.posts[c.ID].Author != c.Author {
			return false
		}
		delete(m.posts, c.ID)
		delete(m.fanned, c.ID)
		remove(m.byAuthor, c.Author, func(p Post) bool { return p.ID == c.ID })
		for reader := range m.followers[c.Author] {
			remove(m.timelines, reader, func(p Post) bool { return p.ID == c.ID })
		}
	case Followed:
		for _, reader := range c.Readers {
			m.follow(reader, c.Author)
		}
	case Unfollowed:
		for _, reader := range c.Readers {
			delete(m.followers[c.Author], reader)
			delete(m.following[reader], c.Author)
			remove(m.timelines, reader, func(p Post) bool { return p.Author == c.Author })
		}
	}
	return true
}

func (m *Memory) follow(reader, author string) {
	if m.followers[author] == nil {
		m.followers[author] = make(map[string]bool)
	}
	if m.following[reader] == nil {
		m.following[reader] = make(map[string]bool)
	}
	m.followers[author][reader], m.following[reader][author] = true, true
	for _, p := range m.byAuthor[author] {
		if m.fanned[p.ID] {
			insert(m.timelines, reader, p)
		}
	}
}

func byID(p Post, id idgen.ID) int { return int(min(max(p.ID-id, -1), 1)) }

// insert puts a post, without its text, into its place in a list.
func insert(lists map[string][]Post, owner string, p Post) {
	p.Text = ""
	list := lists[owner]
	at, there := slices.BinarySearchFunc(list, p.ID, byID)
	if !there {
		lists[owner] = slices.Insert(list, at, p)
	}
}

func remove(lists map[string][]Post, owner string, gone func(Post) bool) {
	lists[owner] = slices.DeleteFunc(lists[owner], gone)
}

// Changes implements Store.
func (m *Memory) Changes(_ context.Context, after uint64, until time.Time, limit int) ([]Change, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var changes []Change
	for n := after; n < uint64(len(m.log)) && len(changes) < limit && !m.log[n].At.After(until); n++ {
		changes = append(changes, m.log[n])
	}
	return changes, nil
}

// Posts implements Store.
func (m *Memory) Posts(_ context.Context, ids ...idgen.ID) (map[idgen.ID]Post, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	found := make(map[idgen.ID]Post, len(ids))
	for _, id := range ids {
		if p, exists := m.posts[id]; exists {
			found[id] = p
		}
	}
	return found, nil
}

// Fanned implements Store.
func (m *Memory) Fanned(_ context.Context, id idgen.ID) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.fanned[id], nil
}

// Unsent implements Store.
func (m *Memory) Unsent(_ context.Context, below idgen.ID, limit int) ([]Post, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var unsent []Post
	for id, p := range m.posts {
		if id < below && !p.Pulled && !m.fanned[id] {
			unsent = append(unsent, p)
		}
	}
	slices.SortFunc(unsent, func(a, b Post) int { return byID(a, b.ID) })
	return unsent[:min(limit, len(unsent))], nil
}

// Followers implements Store.
func (m *Memory) Followers(_ context.Context, author string, limit int) (int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return min(len(m.followers[author]), limit), nil
}

// Pulled implements Store.
func (m *Memory) Pulled(_ context.Context, reader string) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m.following[reader])), func(author string) bool { return !m.pulled[author] }), nil
}

// Timeline implements Store.
func (m *Memory) Timeline(reader string) pagination.Source[Post] {
	return m.list(func() []Post { return m.timelines[reader] })
}

// ByAuthor implements Store.
func (m *Memory) ByAuthor(author string, pulled bool) pagination.Source[Post] {
	return m.list(func() []Post {
		if !pulled {
			return m.byAuthor[author]
		}
		return slices.DeleteFunc(slices.Clone(m.byAuthor[author]), func(p Post) bool { return !p.Pulled })
	})
}

// list makes a source of a list that ascends, newest first: two binary searches and the rows of the page.
func (m *Memory) list(of func() []Post) pagination.Source[Post] {
	return pagination.SourceFunc[Post](func(_ context.Context, r pagination.Range[Post]) ([]Post, error) {
		m.mu.RLock()
		defer m.mu.RUnlock()
		list := of()
		if !r.Start.IsOpen() {
			list = list[:place(list, r.Start)]
		}
		if !r.End.IsOpen() {
			list = list[place(list, r.End):]
		}
		if r.Backward { // nearest to the end, which is the oldest
			list = list[min(r.Offset, len(list)):]
			list = list[:min(r.Limit, len(list))]
		} else {
			list = list[:max(len(list)-r.Offset, 0)]
			list = list[max(len(list)-r.Limit, 0):]
		}
		page := slices.Clone(list)
		slices.Reverse(page)
		return page, nil
	})
}

// place is the number of posts that lie beyond a gap, where older ones are.
func place(list []Post, g pagination.Gap) int {
	id, _ := g.Key[0].Any().(int64)
	at, there := slices.BinarySearchFunc(list, idgen.ID(id), byID)
	if there && !g.After {
		at++
	}
	return at
}
