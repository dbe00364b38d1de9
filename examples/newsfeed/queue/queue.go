// Package queue carries messages from producers to consumers, at least once and, for one key, in order.
//
//	Send(key) ─▶ partition hash(key) mod n ─▶ one owner at a time, who holds a lease ─▶ handle ─▶ Ack
//	                  │                            dies: the lease runs out, the next owner begins with
//	                  │                            what was handed out and not acknowledged
//	                  └─ a message that cannot be handled ─▶ dead letters, and the next one has its turn
//
// Read queue.go for the contract, consumer.go for what a consumer does. broker.go keeps the messages in the memory of the process,
// queue_redis.go in streams of Redis, one for each partition, with a consumer group.
package queue

import (
	"context"
	"errors"
	"hash/fnv"
	"time"
)

// The errors that callers tell apart.
var (
	ErrNotOwner = errors.New("queue: the partition has another owner")
	ErrKilled   = errors.New("queue: killed") // the cause of a context: end without saying good-bye, as a crash does
)

// Delivery is a message in the hands of a consumer.
type Delivery struct {
	ID         string // within its partition
	Key        string // messages with one key are handled in the order in which they were sent
	Body       []byte
	Deliveries int // 1, or more if consumers were given it before and did not acknowledge it
}

// Depth is what lies in the queue.
type Depth struct {
	Waiting int // sent and not acknowledged
	Pending int // of those, handed out
	Dead    int // given up
}

// Broker keeps messages until they are acknowledged.
type Broker interface {
	// Partitions is how many there are, and how many consumers can work at the same time.
	Partitions() int
	// Send adds a message to the partition of its key. When it returns nil the message will be delivered.
	Send(ctx context.Context, key string, body []byte) error
	// Own takes or renews the lease of a partition, and reports whether the consumer has it.
	Own(ctx context.Context, partition int, consumer string, ttl time.Duration) (bool, error)
	// Disown gives a lease back, so that the next owner need not wait for its end.
	Disown(ctx context.Context, partition int, consumer string) error
	// Receive returns, in order, what was handed out before and not acknowledged, one at a time, so that a message which kills its
	// consumers is found out; then new messages, at most so many. It waits a moment for one and may return none.
	Receive(ctx context.Context, partition int, consumer string, most int) ([]Delivery, error)
	// Ack ends a message.
	Ack(ctx context.Context, partition int, id string) error
	// Bury ends a message and keeps it among the dead letters.
	Bury(ctx context.Context, partition int, d Delivery, why string) error
	// Depth counts.
	Depth(ctx context.Context) (Depth, error)
}

// receiveWait is how long Receive waits for a new message.
const receiveWait = 100 * time.Millisecond

// partition is the place of a key. It changes with the number of partitions, so that one is chosen for good.
func partition(key string, partitions int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // never fails
	return int(h.Sum32() % uint32(partitions))
}
