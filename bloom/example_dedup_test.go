package bloom_test

import (
	"fmt"
	"time"

	"github.com/sysblocks/sysblocks/bloom"
)

// message is what an at-least-once queue delivers, some of it twice.
type message struct {
	tenant string
	id     uint64
}

// ledger remembers every message that was handled, for ever, and is slow to ask.
type ledger struct {
	done    map[message]bool
	queries int
}

func (l *ledger) processed(m message) bool {
	l.queries++
	return l.done[m]
}

// consumer drops duplicates. The window answers for most messages that they are new; only for the few that were probably
// seen is the ledger asked. A false positive costs one query, and no message is lost by it.
type consumer struct {
	seen   *bloom.Window
	ledger *ledger
}

func (c *consumer) handle(m message) (handled bool) {
	key := bloom.Join(bloom.String(m.tenant), bloom.Uint64(m.id)) // one key of two parts
	if c.seen.TestAndAdd(key) && c.ledger.processed(m) {
		return false
	}
	c.ledger.done[m] = true
	return true
}

// A consumer that drops duplicates of a queue that delivers within ten minutes of the first time.
func Example_consumer() {
	seen, err := bloom.NewWindow(1_000_000, 0.001, 10*time.Minute, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := &consumer{seen, &ledger{done: map[message]bool{}}}
	handled, dropped := 0, 0
	for i := range uint64(20_000) {
		m := message{"acme", i}
		deliveries := 1
		if i%10 == 0 { // every tenth message comes again
			deliveries = 2
		}
		for range deliveries {
			if c.handle(m) {
				handled++
			} else {
				dropped++
			}
		}
	}
	fmt.Println("handled", handled, "dropped", dropped)
	fmt.Println("queries for new messages below 0.1 %:", c.ledger.queries-dropped < 20)
	// Output:
	// handled 20000 dropped 2000
	// queries for new messages below 0.1 %: true
}
