package fakenet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// connect returns both ends of a connection from a to b.
func connect(t *testing.T, n *Network) (a, b net.Conn) {
	t.Helper()
	t.Cleanup(n.Close)
	l, err := n.Listen("b")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	a, err = n.Dial(t.Context(), "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	return a, <-accepted
}

func TestBytesArriveInOrderUnderDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		n.SetDelay(time.Second, time.Hour)
		a, b := connect(t, n)
		rng := rand.New(rand.NewPCG(1, 1))
		var sent []byte
		go func() {
			for range 300 {
				p := make([]byte, 1+rng.IntN(2000))
				for i := range p {
					p[i] = byte(rng.Uint32())
				}
				sent = append(sent, p...)
				if _, err := a.Write(p); err != nil {
					t.Error(err)
				}
				p[0]++ // the caller may reuse its buffer
			}
			_ = a.Close()
		}()
		start := time.Now()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d bytes of %d, err %v", len(got), len(sent), err)
		}
		if took := time.Since(start); took < time.Second || took > 300*time.Hour {
			t.Errorf("took %v", took)
		}
	})
}

func TestBothEndsMayWriteAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // over a bare net.Pipe this deadlocks
		a, b := connect(t, New(1))
		for _, c := range []net.Conn{a, b} {
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []net.Conn{a, b} {
			if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestFaultsBreakConnectionsAndHealing(t *testing.T) {
	for name, fault := range map[string]func(n *Network){
		"kill":      func(n *Network) { n.Kill("b") },
		"partition": func(n *Network) { n.Partition([]string{"a"}, []string{"b"}) },
		"close":     func(n *Network) { n.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := New(1)
				n.SetDelay(time.Minute, time.Minute)
				a, b := connect(t, n)
				if _, err := a.Write([]byte("in flight")); err != nil {
					t.Fatal(err)
				}
				fault(n)
				if got, _ := io.ReadAll(b); len(got) > 0 { // any error is right here
					t.Errorf("%q arrived through a fault", got)
				}
				if _, err := a.Write([]byte("x")); !errors.Is(err, ErrBroken) {
					t.Errorf("write: got %v", err)
				}
				_, err := n.Dial(t.Context(), "a", "b")
				want := ErrRefused
				if name == "partition" {
					want = ErrUnreachable
				}
				if !errors.Is(err, want) {
					t.Errorf("dial: got %v", err)
				}
				n.Heal()
				n.Kill("b")
				n.SetDelay(0, 0)
				connect(t, n) // the host is back
			})
		})
	}
}

func TestPartitionSparesConnectionsOnOneSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		a, b := connect(t, n)
		n.Partition([]string{"a", "b"}, []string{"c"})
		if _, err := a.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
			t.Error(err)
		}
		if _, err := n.Dial(t.Context(), "c", "b"); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestLossBreaksTheSameWriteForTheSameSeed(t *testing.T) {
	survived := func(seed int64) (writes int) {
		synctest.Test(t, func(t *testing.T) {
			n := New(seed)
			a, b := connect(t, n)
			n.SetLoss(0.01)
			go func() {
				_, _ = io.Copy(io.Discard, b) // ends when a breaks
				_ = b.Close()
			}()
			for {
				if _, err := a.Write([]byte("x")); err != nil {
					break
				}
				writes++
			}
		})
		return writes
	}
	first := survived(5)
	if first == 0 || first != survived(5) {
		t.Errorf("survived %d, then %d writes", first, survived(5))
	}
	if first == survived(6) && first == survived(7) {
		t.Error("the seed is ignored")
	}
}

func TestDialObeysContextAndListenIsExclusive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		if _, err := n.Listen("b"); err != nil { // never accepts
			t.Fatal(err)
		}
		if _, err := n.Listen("b"); !errors.Is(err, ErrInUse) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Dial(ctx, "a", "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnHTTPServerRunsOverIt(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 50_000)
	client, stop := HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	}))
	defer stop()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://web/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes of %d, err %v", len(got), len(body), err)
	}
}

func TestAScriptHoldsWhatItNamesAndWhatStandsBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		a, b := connect(t, n)
		n.SetScript(func(from, to string, p []byte) Action {
			if from == "a" && to == "b" && p[0] == 'h' {
				return Hold
			}
			return Deliver
		})
		var got [3]byte
		for _, text := range []string{"1", "h", "2"} {
			if _, err := a.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.ReadFull(b, got[:1]); err != nil || got[0] != '1' {
			t.Errorf("%q, %v", got[:1], err)
		}
		if err := b.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Read(got[1:]); err == nil {
			t.Error("a held write arrived")
		}
		if _, err := b.Write([]byte("h")); err != nil { // the other way is free
			t.Error(err)
		}
		n.SetScript(nil)
		if err := b.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(b, got[1:]); err != nil || string(got[:]) != "1h2" {
			t.Errorf("%q, %v", got, err)
		}
		n.SetScript(func(string, string, []byte) Action { return Cut })
		if _, err := a.Write([]byte("x")); !errors.Is(err, ErrBroken) {
			t.Errorf("cut: %v", err)
		}
	})
}
