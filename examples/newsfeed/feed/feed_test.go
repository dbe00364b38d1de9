package feed_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/engine/connect"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// alone is a primary without followers. Its log feeds a copy in memory, which must end in the same state.
type alone struct {
	feed.Store
	written uint64
}

func (a *alone) Write(ctx context.Context, c feed.Change) (uint64, error) {
	seq, err := a.Store.Write(ctx, c)
	a.written = max(a.written, seq)
	return seq, err
}
func (a *alone) Primary() feed.Store    { return a.Store }
func (a *alone) Read(uint64) feed.Store { return a.Store }
func (a *alone) Written() uint64        { return a.written }

// pile is a queue that delivers when it is told to.
type pile struct{ messages [][]byte }

func (p *pile) Send(_ context.Context, _ string, body []byte) error {
	p.messages = append(p.messages, body)
	return nil
}

func sqlite(t *testing.T) *feed.SQL {
	t.Helper()
	engines, err := connect.Open(t.Context(), engine.Engines{}, connect.Options{Name: "feed", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engines.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	for _, statement := range feed.Schema(feed.SQLOptions{}) {
		if _, err := engines.SQL.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	s, err := feed.OpenSQL(engines.SQL, sqlpage.SQLite, feed.SQLOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// system is a service with a book beside it.
type system struct {
	*feed.Service
	t       *testing.T
	copies  *alone
	queue   *pile
	fanout  *feed.Fanout
	posts   []feed.Post
	follows map[string]map[string]bool // reader, author
}

func newSystem(t *testing.T, store feed.Store) *system {
	t.Helper()
	ids, err := idgen.NewSnowflake(1, idgen.SnowflakeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, copies: &alone{Store: store}, queue: new(pile), follows: make(map[string]map[string]bool)}
	s.Service, err = feed.New(feed.Options{Copies: s.copies, Queue: s.queue, IDs: ids, Strategy: feed.Hybrid, Celebrity: 3, Cached: 100, CacheFor: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if s.fanout, err = feed.NewFanout(s.copies); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// step does something at random.
func (s *system) step(rng *rand.Rand, names []string) {
	s.t.Helper()
	ctx := s.t.Context()
	a, b := names[rng.IntN(len(names))], names[rng.IntN(len(names))]
	switch draw := rng.IntN(10); {
	case draw < 4:
		p, _, err := s.Publish(ctx, a, fmt.Sprint(len(s.posts), rng.Uint64()))
		s.must(err)
		s.posts = append(s.posts, p)
	case draw < 6 && a != b:
		_, err := s.Follow(ctx, a, b)
		s.must(err)
		if s.follows[a] == nil {
			s.follows[a] = make(map[string]bool)
		}
		s.follows[a][b] = true
	case draw < 7:
		_, err := s.Unfollow(ctx, a, b)
		s.must(err)
		delete(s.follows[a], b)
	case draw < 8 && len(s.posts) > 0:
		n := rng.IntN(len(s.posts))
		_, err := s.Delete(ctx, s.posts[n].Author, s.posts[n].ID)
		s.must(err)
		s.posts = slices.Delete(s.posts, n, n+1)
	case draw < 9 && len(s.queue.messages) > 0: // any message, and it stays: it will come again
		s.must(s.fanout.Handle(ctx, s.queue.messages[rng.IntN(len(s.queue.messages))], rng.IntN(2) == 0))
	default:
		s.Strategy = []feed.Strategy{feed.OnWrite, feed.OnRead, feed.Hybrid}[rng.IntN(3)]
	}
}

func (s *system) home(reader string) (texts []string) {
	for _, p := range slices.Backward(s.posts) {
		if p.Author == reader || s.follows[reader][p.Author] {
			texts = append(texts, p.Text)
		}
	}
	return texts
}

// read pages through a list with pages of three.
func read(t *testing.T, pager *pagination.Pager[feed.Post]) (texts []string) {
	t.Helper()
	for token := ""; ; {
		page, err := pager.Page(t.Context(), pagination.Request{Limit: 3, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Items {
			texts = append(texts, p.Text)
		}
		if token = page.Next; token == "" {
			return texts
		}
	}
}

// TestEveryHomeIsWhatTheBookSays runs random programs, in which the strategy changes and messages come several times, in any order,
// and compares every list of every copy with a book.
func TestEveryHomeIsWhatTheBookSays(t *testing.T) {
	names := []string{"ada", "bob", "cyd", "dan", "eve", "fay"}
	for seed := range uint64(24) {
		kind, store := "memory", feed.Store(feed.NewMemory())
		if seed%6 == 0 { // which is slower
			kind, store = "sqlite", sqlite(t)
		}
		t.Run(fmt.Sprintf("seed=%d/%s", seed, kind), func(t *testing.T) {
			rng, s, copied := rand.New(rand.NewPCG(seed, 1)), newSystem(t, store), feed.NewMemory()
			for range 5 {
				for range 40 {
					s.step(rng, names)
				}
				for _, body := range s.queue.messages {
					s.must(s.fanout.Handle(t.Context(), body, true))
				}
				changes, err := store.Changes(t.Context(), copied.Applied(), time.Now().Add(time.Second), 1_000_000)
				s.must(err)
				s.must(copied.Follow(changes...))
				for _, from := range []feed.Store{store, copied} {
					s.copies.Store = from
					s.compare(names)
				}
				s.copies.Store = store
			}
		})
	}
}

func (s *system) compare(names []string) {
	s.t.Helper()
	for _, name := range names {
		home, err := s.Home(s.t.Context(), name, 0)
		s.must(err)
		if got, want := read(s.t, home), s.home(name); !slices.Equal(got, want) {
			s.t.Errorf("%T: home of %s is %v, want %v", s.copies.Store, name, got, want)
		}
		profile, err := s.Profile(name, 0)
		s.must(err)
		if got := read(s.t, profile); len(got) != len(slices.DeleteFunc(slices.Clone(s.posts), func(p feed.Post) bool { return p.Author != name })) {
			s.t.Errorf("%T: profile of %s is %v", s.copies.Store, name, got)
		}
	}
}

func TestACopyTakesRepeatsOnceAndRefusesGaps(t *testing.T) {
	primary, copied := feed.NewMemory(), feed.NewMemory()
	for i := range 5 {
		if _, err := primary.Write(t.Context(), feed.Change{Kind: feed.Published, ID: idgen.ID(i + 1), Author: "ada", Text: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	log, err := primary.Changes(t.Context(), 0, time.Now(), 100)
	if err != nil || len(log) != 5 {
		t.Fatal(log, err)
	}
	for _, part := range [][]feed.Change{log[:2], log[:3], log[1:2], log[2:4]} {
		if err := copied.Follow(part...); err != nil {
			t.Error(err)
		}
	}
	if err := copied.Follow(feed.Change{Seq: 6, Kind: feed.Deleted}); !errors.Is(err, feed.ErrGap) || copied.Applied() != 4 {
		t.Errorf("%v, applied %d", err, copied.Applied())
	}
	if log, err := primary.Changes(t.Context(), 2, log[3].At, 100); err != nil || len(log) < 2 || log[0].Seq != 3 {
		t.Errorf("%v, %v", log, err)
	}
	if log, err := primary.Changes(t.Context(), 0, time.Now(), 3); err != nil || len(log) != 3 {
		t.Errorf("a limit of 3 gives %v, %v", log, err)
	}
}

// TestListsInMemoryPageLikeAnyOther compares with the source of the package.
func TestListsInMemoryPageLikeAnyOther(t *testing.T) {
	m, rng := feed.NewMemory(), rand.New(rand.NewPCG(1, 1))
	var rows []feed.Post
	for _, n := range rng.Perm(50) {
		p := feed.Post{ID: idgen.ID(2*n + 2), Author: "ada"}
		rows = append(rows, p)
		if _, err := m.Write(t.Context(), feed.Change{Kind: feed.Published, ID: p.ID, Author: p.Author, Text: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	order, err := pagination.NewOrder("-id", pagination.ID("id", func(p *feed.Post) int64 { return int64(p.ID) }))
	if err != nil {
		t.Fatal(err)
	}
	gap := func() pagination.Gap {
		if rng.IntN(4) == 0 {
			return pagination.Gap{}
		}
		return pagination.Gap{Key: []pagination.Value{pagination.IntValue(rng.Int64N(104))}, After: rng.IntN(2) == 0}
	}
	want, got := pagination.NewSlice(rows), m.ByAuthor("ada", false)
	for range 2000 {
		r := pagination.Range[feed.Post]{Order: order, Start: gap(), End: gap(), Limit: 1 + rng.IntN(10), Offset: rng.IntN(4), Backward: rng.IntN(2) == 0}
		if !r.Start.IsOpen() && !r.End.IsOpen() && r.Start.Key[0].Compare(r.End.Key[0]) <= 0 {
			continue // the wrong way round
		}
		a, err := want.Fetch(t.Context(), r)
		b, err2 := got.Fetch(t.Context(), r)
		if err != nil || err2 != nil || !slices.Equal(a, b) {
			t.Fatalf("%+v: got %v, want %v (%v, %v)", r, b, a, err, err2)
		}
	}
}

func TestTheMarkAndNotTheFilterDecides(t *testing.T) {
	s := newSystem(t, sqlite(t))
	for _, reader := range []string{"bob", "cyd"} {
		_, err := s.Follow(t.Context(), reader, "ada")
		s.must(err)
	}
	_, _, err := s.Publish(t.Context(), "ada", "once")
	s.must(err)
	for i := range 3 {
		if i == 2 { // another consumer, whose filter has seen nothing
			s.fanout, err = feed.NewFanout(s.copies)
			s.must(err)
		}
		s.must(s.fanout.Handle(t.Context(), s.queue.messages[0], false))
	}
	if s.fanout.Looked() != 0 {
		t.Error("asked for a message that is certainly new")
	}
	home, err := s.Home(t.Context(), "bob", 0)
	s.must(err)
	if got := read(t, home); !slices.Equal(got, []string{"once"}) {
		t.Error(got)
	}
	if s.copies.Written() != 4 { // two follows, the post, one delivery
		t.Errorf("%d changes", s.copies.Written())
	}
	for _, body := range []string{"", "{}", "not a message", `{"id":"-1","author":"ada"}`, `{"id":"1"}`} {
		if err := s.fanout.Handle(t.Context(), []byte(body), false); !errors.Is(err, feed.ErrMalformed) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// deaf is a queue that is away.
type deaf struct{}

func (deaf) Send(context.Context, string, []byte) error { return errors.New("no answer") }

func TestAPostWhoseMessageIsLostIsSentAgain(t *testing.T) {
	for _, store := range []feed.Store{feed.NewMemory(), sqlite(t)} {
		s := newSystem(t, store)
		s.Queue = deaf{}
		_, err := s.Follow(t.Context(), "bob", "ada")
		s.must(err)
		_, _, err = s.Publish(t.Context(), "ada", "lost on the way")
		s.must(err)
		s.Strategy = feed.OnRead
		_, _, err = s.Publish(t.Context(), "ada", "fetched")
		s.must(err)
		s.Queue = s.queue
		if n, err := s.Resend(t.Context(), time.Hour); n != 0 || err != nil {
			t.Errorf("sent %d again that may be under way, %v", n, err)
		}
		if n, err := s.Resend(t.Context(), -time.Second); n != 1 || err != nil {
			t.Errorf("sent %d again, %v", n, err)
		}
		s.must(s.fanout.Handle(t.Context(), s.queue.messages[0], false))
		if n, err := s.Resend(t.Context(), -time.Second); n != 0 || err != nil {
			t.Errorf("sent %d again that are delivered, %v", n, err)
		}
		home, err := s.Home(t.Context(), "bob", 0)
		s.must(err)
		if got := read(t, home); !slices.Equal(got, []string{"fetched", "lost on the way"}) {
			t.Error(got)
		}
	}
}

func TestBadInputIsRefused(t *testing.T) {
	s := newSystem(t, feed.NewMemory())
	for _, bad := range [][2]string{{"", "x"}, {"ada", ""}, {"ada", strings.Repeat("x", 501)}, {strings.Repeat("x", 101), "x"}} {
		if _, _, err := s.Publish(t.Context(), bad[0], bad[1]); !errors.Is(err, feed.ErrInvalid) {
			t.Errorf("%.10q %.10q: %v", bad[0], bad[1], err)
		}
	}
	if _, _, err := s.Publish(t.Context(), "ada", strings.Repeat("ж", 500)); err != nil {
		t.Errorf("500 letters: %v", err)
	}
	for _, bad := range [][2]string{{"", "ada"}, {"ada", ""}, {"ada", "ada"}, {"ada", strings.Repeat("x", 101)}} {
		if _, err := s.Follow(t.Context(), bad[0], bad[1]); !errors.Is(err, feed.ErrInvalid) {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
	if _, err := s.Delete(t.Context(), "bob", s.mustPost("ada").ID); !errors.Is(err, feed.ErrNotFound) {
		t.Errorf("somebody else's post: %v", err)
	}
	if _, err := s.Delete(t.Context(), "ada", 42); !errors.Is(err, feed.ErrNotFound) {
		t.Errorf("no such post: %v", err)
	}
	if _, err := sqlite(t).Write(t.Context(), feed.Change{Kind: "?"}); !errors.Is(err, feed.ErrInvalid) {
		t.Error(err)
	}
}

func (s *system) mustPost(author string) feed.Post {
	s.t.Helper()
	p, _, err := s.Publish(s.t.Context(), author, "x")
	s.must(err)
	return p
}

func TestAPostIsReadFromTheCacheItWasWrittenThrough(t *testing.T) {
	s := newSystem(t, feed.NewMemory())
	p := s.mustPost("ada")
	s.copies.Store = feed.NewMemory() // which knows nothing
	if got, err := s.Post(t.Context(), p.ID); err != nil || got != p {
		t.Errorf("%v, %v", got, err)
	}
	if stats := s.Stats(); stats.Hits != 1 || stats.Misses != 0 {
		t.Errorf("%+v", stats)
	}
}
