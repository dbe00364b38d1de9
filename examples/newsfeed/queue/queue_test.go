package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func send(t *testing.T, b Broker, key string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if err := b.Send(t.Context(), key, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
}

// journal notes what was handled.
type journal struct {
	mu     sync.Mutex
	bodies []string
	counts []int // of deliveries
}

func (j *journal) note(d Delivery) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.bodies, j.counts = append(j.bodies, string(d.Body)), append(j.counts, d.Deliveries)
}

func (j *journal) handled() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.bodies)
}

// consume runs a consumer until stop.
func consume(t *testing.T, b Broker, name string, o Options, handle func(context.Context, Delivery) error) (stop func(cause error)) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan struct{})
	c := NewConsumer(b, name, handle, o)
	go func() { defer close(ended); c.Run(ctx) }()
	return func(cause error) { cancel(cause); <-ended }
}

func depth(t *testing.T, b Broker) Depth {
	t.Helper()
	d, err := b.Depth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOnePartitionHasOneOwnerUntilTheLeaseRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewMemory(2)
		own := func(p int, name string, want bool) {
			t.Helper()
			if got, err := b.Own(t.Context(), p, name, time.Second); got != want || err != nil {
				t.Errorf("partition %d, %s: %v, %v", p, name, got, err)
			}
		}
		own(0, "a", true)
		own(0, "b", false)
		own(1, "b", true)
		<-time.After(900 * time.Millisecond)
		own(0, "a", true)
		<-time.After(900 * time.Millisecond)
		own(0, "b", false)
		<-time.After(200 * time.Millisecond)
		if _, err := b.Receive(t.Context(), 0, "a", 1); !errors.Is(err, ErrNotOwner) {
			t.Errorf("a reads after its lease has run out: %v", err)
		}
		own(0, "b", true)
		if _, err := b.Receive(t.Context(), 0, "a", 1); !errors.Is(err, ErrNotOwner) {
			t.Errorf("a reads what b owns: %v", err)
		}
		if err := b.Disown(t.Context(), 0, "a"); err != nil {
			t.Error(err)
		}
		own(0, "a", false) // it was not a's to give back
		if err := b.Disown(t.Context(), 0, "b"); err != nil {
			t.Error(err)
		}
		own(0, "a", true)
	})
}

func TestWhatADeadConsumerHeldComesFirstAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, j := NewMemory(1), new(journal)
		send(t, b, "k", "1", "2", "3", "4", "5", "6")
		var kill func(error)
		dies := make(chan struct{})
		kill = consume(t, b, "first", Options{TTL: time.Second, Batch: 4}, func(ctx context.Context, d Delivery) error {
			if string(d.Body) == "2" { // in mid-batch, with 2, 3 and 4 in hand
				close(dies)
				<-ctx.Done()
				return ctx.Err()
			}
			j.note(d)
			return nil
		})
		<-dies
		died := time.Now()
		kill(ErrKilled)
		if d := depth(t, b); d.Waiting != 5 || d.Pending != 3 {
			t.Errorf("%+v", d)
		}
		stop := consume(t, b, "second", Options{TTL: time.Second, Batch: 4}, func(_ context.Context, d Delivery) error {
			if time.Since(died) < 500*time.Millisecond {
				t.Error("handed over before the lease has run out")
			}
			j.note(d)
			return nil
		})
		<-time.After(3 * time.Second)
		stop(nil)
		if got := j.handled(); !slices.Equal(got, []string{"1", "2", "3", "4", "5", "6"}) {
			t.Error(got)
		}
		if want := []int{1, 2, 2, 2, 1, 1}; !slices.Equal(j.counts, want) {
			t.Errorf("deliveries %v, want %v", j.counts, want)
		}
		if d := depth(t, b); d != (Depth{}) {
			t.Errorf("%+v is left", d)
		}
	})
}

func TestAnOrderlyEndHandsOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, j := NewMemory(1), new(journal)
		o := Options{TTL: time.Hour}
		handle := func(_ context.Context, d Delivery) error { j.note(d); return nil }
		stop := consume(t, b, "first", o, handle)
		send(t, b, "k", "1")
		synctest.Wait()
		stop(nil)
		stop = consume(t, b, "second", o, handle)
		send(t, b, "k", "2")
		synctest.Wait()
		stop(nil)
		if got := j.handled(); len(got) != 2 {
			t.Error(got)
		}
	})
}

func TestPoisonIsBuriedAndPatienceIsForTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, j := NewMemory(1), new(journal)
		poison, away := errors.New("poison"), errors.New("away")
		tries := map[string]int{}
		stop := consume(t, b, "c", Options{MaxAttempts: 3, Poison: func(err error) bool { return errors.Is(err, poison) }}, func(_ context.Context, d Delivery) error {
			body := string(d.Body)
			tries[body]++
			switch {
			case body == "bad":
				return poison
			case body == "late" && tries[body] < 20:
				return away
			}
			j.note(d)
			return nil
		})
		send(t, b, "k", "1", "bad", "late", "2")
		<-time.After(time.Minute)
		stop(nil)
		if got := j.handled(); !slices.Equal(got, []string{"1", "late", "2"}) {
			t.Error(got)
		}
		if d := depth(t, b); tries["bad"] != 3 || d.Dead != 1 || d.Waiting != 0 {
			t.Errorf("tried %d times, %+v", tries["bad"], d)
		}
	})
}

func TestAMessageThatKillsItsConsumersIsBuriedAndItsNeighboursAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, j := NewMemory(1), new(journal)
		send(t, b, "k", "1", "deadly", "2", "3")
		for life := range 8 {
			deadly := make(chan struct{}, 1)
			kill := consume(t, b, strconv.Itoa(life), Options{TTL: time.Second, MaxDeliveries: 3}, func(ctx context.Context, d Delivery) error {
				if string(d.Body) == "deadly" {
					deadly <- struct{}{}
					<-ctx.Done()
					return ctx.Err()
				}
				j.note(d)
				return nil
			})
			select {
			case <-deadly:
			case <-time.After(10 * time.Second):
			}
			kill(ErrKilled)
			<-time.After(2 * time.Second)
		}
		if got := j.handled(); !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Error(got)
		}
		if d := depth(t, b); d.Dead != 1 || d.Waiting != 0 {
			t.Errorf("%+v", d)
		}
	})
}

func TestAcknowledgingFirstLosesWhatWasInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewMemory(1)
		send(t, b, "k", "1", "2", "3")
		dies := make(chan struct{})
		kill := consume(t, b, "c", Options{AckFirst: true}, func(ctx context.Context, _ Delivery) error {
			close(dies)
			<-ctx.Done()
			return ctx.Err()
		})
		<-dies
		kill(ErrKilled)
		if d := depth(t, b); d.Waiting != 0 {
			t.Errorf("%+v: nothing was acknowledged", d)
		}
	})
}

func TestAKeyHasOnePartitionAndKeysAreSpread(t *testing.T) {
	const partitions, keys = 8, 8000
	var counts [partitions]int
	for i := range keys {
		p := partition(fmt.Sprint("author-", i), partitions)
		counts[p]++
		if p != partition(fmt.Sprint("author-", i), partitions) {
			t.Fatal("a key has two partitions")
		}
	}
	for p, n := range counts { // six standard deviations of a binomial: 177
		if n < keys/partitions-177 || n > keys/partitions+177 {
			t.Errorf("partition %d has %d of %d keys", p, n, keys)
		}
	}
}
