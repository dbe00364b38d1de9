package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/fakenet"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

func FuzzReadMessage(f *testing.F) {
	f.Add(Message{Number: 7, Kind: Put, Epoch: 3, Body: []byte("body")}.encode())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readMessage(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		if again := m.encode(); !bytes.Equal(again, b[:len(again)]) {
			t.Errorf("%x became %x", b, again)
		}
	})
}

func TestAnswersKeepTheirMeaning(t *testing.T) {
	entries := []storage.Entry{{Key: "a", Stamp: storage.Stamp{Time: 1, Node: "n"}, Value: []byte("v")}, {Key: "b", Deleted: true, Value: []byte{}}}
	got, err := Answer(entries, nil).Result()
	if err != nil || !reflect.DeepEqual(got, entries) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Answer(nil, fmt.Errorf("%w: two away", ErrUnavailable)).Result(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := Answer(nil, errors.New("disk full")).Result(); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v", err)
	}
	if _, err := (Message{Kind: Stale}).Result(); !errors.Is(err, ErrStale) {
		t.Errorf("got %v", err)
	}
	if prefix, after, limit, err := SplitKeys(JoinKeys("p", "q", 9)); prefix != "p" || after != "q" || limit != 9 || err != nil {
		t.Errorf("got %q, %q, %d, %v", prefix, after, limit, err)
	}
	if _, _, _, err := SplitKeys([]byte{1}); err == nil {
		t.Error("a byte is no request")
	}
}

func TestErrorsKeepTheirMeaningOnTheWire(t *testing.T) {
	by := storage.Stamp{Time: 7, Node: "n3"}
	refused, ok := errors.AsType[*RefusedError](second(Answer(nil, &RefusedError{By: by}).Result()))
	if !ok || refused.By != by {
		t.Errorf("got %v", refused)
	}
	for _, err := range []error{ErrConflict, ErrInvalid, ErrUnavailable} {
		if got := second(Answer(nil, fmt.Errorf("context: %w", err)).Result()); !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
}

func second(_ []storage.Entry, err error) error { return err }

func TestChangesSurviveTheWire(t *testing.T) {
	c := Change{How: SetIf, ID: 1 << 60, Entry: storage.Entry{Key: "k", Stamp: storage.Stamp{Time: 1, Node: "n"}, Value: []byte("v")}}
	b := c.Encode()
	got, err := DecodeChange(b)
	if err != nil || got.How != c.How || got.ID != c.ID || got.Entry.Key != "k" || got.Entry.Stamp != c.Entry.Stamp || string(got.Entry.Value) != "v" {
		t.Errorf("got %+v, %v", got, err)
	}
	b[0] = 99
	for _, bad := range [][]byte{nil, b, c.Encode()[:12]} {
		if _, err := DecodeChange(bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

// echo answers a request with its own body; requests of kind Keys wait until all others have been answered.
func echo(release <-chan struct{}) *Server {
	return &Server{
		Quick: func(k Kind) bool { return k == Get },
		Handle: func(ctx context.Context, m Message) Message {
			if m.Kind == Keys {
				select {
				case <-release:
				case <-ctx.Done():
				}
			}
			return Message{Kind: OK, Epoch: m.Epoch + 1, Body: m.Body}
		},
	}
}

func TestRequestsShareAConnectionAndAreAnsweredInAnyOrder(t *testing.T) {
	for name, connect := range map[string]func(t *testing.T) (net.Listener, Dial){"fakenet": overFakenet, "tcp": overTCP} {
		t.Run(name, func(t *testing.T) {
			listener, dial := connect(t)
			dials := 0
			peers := NewPeers(func(ctx context.Context, to string) (net.Conn, error) {
				dials++ // guarded by the peer's lock
				return dial(ctx, to)
			})
			defer peers.Close()
			release := make(chan struct{})
			ctx, stop := context.WithCancel(t.Context())
			var server sync.WaitGroup
			server.Go(func() { echo(release).Serve(ctx, listener) })
			var slow, fast sync.WaitGroup
			call := func(k Kind, i uint64) {
				body := binary.BigEndian.AppendUint64(nil, i)
				m, err := peers.Call(t.Context(), "b", Message{Kind: k, Epoch: i, Body: body})
				if err != nil || m.Epoch != i+1 || !bytes.Equal(m.Body, body) {
					t.Errorf("request %d: got %+v, %v", i, m, err)
				}
			}
			for i := range uint64(100) {
				slow.Go(func() { call(Keys, i) })
				fast.Go(func() { call(Get, 1000+i) })
			}
			fast.Wait() // while the slow ones wait
			close(release)
			slow.Wait()
			if dials != 1 {
				t.Errorf("%d connections", dials)
			}
			stop()
			server.Wait()
		})
	}
}

func overFakenet(t *testing.T) (net.Listener, Dial) {
	t.Helper()
	n := fakenet.New(1)
	t.Cleanup(n.Close)
	l, err := n.Listen("b")
	if err != nil {
		t.Fatal(err)
	}
	return l, func(ctx context.Context, to string) (net.Conn, error) { return n.Dial(ctx, "a", to) }
}

func overTCP(t *testing.T) (net.Listener, Dial) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
}

func TestEveryCallerLearnsThatTheConnectionBroke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fakenet.New(1)
		defer n.Close()
		l, err := n.Listen("b")
		if err != nil {
			t.Fatal(err)
		}
		var server sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		server.Go(func() { echo(nil).Serve(ctx, l) })
		peers := NewPeers(func(ctx context.Context, to string) (net.Conn, error) { return n.Dial(ctx, "a", to) })
		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() {
				if _, err := peers.Call(t.Context(), "b", Message{Kind: Keys}); err == nil {
					t.Error("answered by a dead node")
				}
			})
		}
		synctest.Wait()
		n.Kill("b")
		callers.Wait()
		stop()
		server.Wait()
		if _, err := peers.Call(t.Context(), "b", Message{Kind: Get}); !errors.Is(err, fakenet.ErrRefused) {
			t.Fatalf("got %v", err)
		}
		peers.Close()
		if _, err := peers.Call(t.Context(), "b", Message{Kind: Get}); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestAMutePeerIsNotDialledForEachRequestARefusingOneIs(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		dials int // in 100 requests, half a second apart
	}{"refuses": {0, 100}, "slow": {10 * time.Millisecond, 100}, "mute": {5 * time.Second, 50}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dials := 0
				peers := NewPeers(func(context.Context, string) (net.Conn, error) {
					dials++
					<-time.After(c.takes)
					return nil, fakenet.ErrRefused
				})
				for range 100 {
					if _, err := peers.Call(t.Context(), "b", Message{Kind: Get}); !errors.Is(err, fakenet.ErrRefused) {
						t.Fatalf("got %v", err)
					}
					<-time.After(time.Second / 2)
				}
				if dials != c.dials {
					t.Errorf("%d dials", dials)
				}
			})
		})
	}
}

func TestCallObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fakenet.New(1)
		defer n.Close()
		l, err := n.Listen("b")
		if err != nil {
			t.Fatal(err)
		}
		var server sync.WaitGroup
		serving, stop := context.WithCancel(t.Context())
		server.Go(func() { echo(nil).Serve(serving, l) })
		peers := NewPeers(func(ctx context.Context, to string) (net.Conn, error) { return n.Dial(ctx, "a", to) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := peers.Call(ctx, "b", Message{Kind: Keys}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		peers.Close()
		stop()
		server.Wait()
	})
}

func TestClientRefusesWhatNodesCannotStore(t *testing.T) {
	c := NewClient([]string{"b"}, func(context.Context, string) (net.Conn, error) {
		t.Error("asked a node")
		return nil, errors.New("no network")
	})
	for name, err := range map[string]error{
		"empty key":   c.Put(t.Context(), "", nil),
		"long key":    c.Put(t.Context(), strings.Repeat("k", MaxKey+1), nil),
		"zero byte":   c.Delete(t.Context(), "a\x00b"),
		"large value": c.Put(t.Context(), "k", make([]byte, MaxValue+1)),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
