package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// group is the consumer group. Its place in a stream, and the list of what was handed out and not acknowledged, live in Redis and so
// outlive every consumer.
const group = "fanout"

// renew takes a lease that is free or one's own. disown gives one's own back.
const (
	renew = `local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`
	disown = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`
)

// Redis is a Broker for all processes that name one server and one prefix: a stream for each partition. Messages that are done are
// removed, so that the length of a stream is its depth.
type Redis struct {
	client     *redis.Client
	prefix     string
	partitions int
}

// NewRedis makes the streams that are not there yet.
func NewRedis(ctx context.Context, client *redis.Client, prefix string, partitions int) (*Redis, error) {
	r := &Redis{client: client, prefix: prefix, partitions: partitions}
	for p := range partitions {
		if err := r.create(ctx, p); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// create makes the stream of a partition with its group, if it is not there.
func (r *Redis) create(ctx context.Context, p int) error {
	err := r.client.XGroupCreateMkStream(ctx, r.stream(p), group, "0").Err()
	if err != nil && strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return nil
	}
	return wrap(err)
}

func (r *Redis) stream(p int) string { return r.prefix + "queue:" + strconv.Itoa(p) }
func (r *Redis) lease(p int) string  { return r.prefix + "owner:" + strconv.Itoa(p) }
func (r *Redis) graves() string      { return r.prefix + "dead" }

// Partitions implements Broker.
func (r *Redis) Partitions() int { return r.partitions }

// Send implements Broker.
func (r *Redis) Send(ctx context.Context, key string, body []byte) error {
	return wrap(r.client.XAdd(ctx, &redis.XAddArgs{
		Stream: r.stream(partition(key, r.partitions)), Values: []any{"key", key, "body", body},
	}).Err())
}

// Own implements Broker.
func (r *Redis) Own(ctx context.Context, p int, consumer string, ttl time.Duration) (bool, error) {
	owned, err := r.client.Eval(ctx, renew, []string{r.lease(p)}, consumer, ttl.Milliseconds()).Bool()
	return owned, wrap(err)
}

// Disown implements Broker.
func (r *Redis) Disown(ctx context.Context, p int, consumer string) error {
	return wrap(r.client.Eval(ctx, disown, []string{r.lease(p)}, consumer).Err())
}

// Receive implements Broker. Whoever has the lease is the only one who reads the partition, so what is pending there belongs to him
// or to a predecessor who is gone. That a predecessor does not know yet that he is gone, and works on, is possible: his work is
// recognised by the store, and only the order of two of an author's posts may suffer.
func (r *Redis) Receive(ctx context.Context, p int, consumer string, most int) ([]Delivery, error) {
	pending, err := r.client.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: r.stream(p), Group: group, Start: "-", End: "+", Count: 1}).Result()
	if err != nil && strings.HasPrefix(err.Error(), "NOGROUP") { // a server that has forgotten everything
		return nil, r.create(ctx, p)
	}
	if err != nil {
		return nil, wrap(err)
	}
	if len(pending) == 1 {
		messages, err := r.client.XClaim(ctx, &redis.XClaimArgs{
			Stream: r.stream(p), Group: group, Consumer: consumer, Messages: []string{pending[0].ID},
		}).Result()
		return deliveries(messages, int(pending[0].RetryCount)+1), wrap(err)
	}
	streams, err := r.client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: consumer, Streams: []string{r.stream(p), ">"}, Count: int64(most), Block: receiveWait,
	}).Result()
	if errors.Is(err, redis.Nil) || err == nil && len(streams) == 0 { // nothing new
		return nil, nil
	}
	if err != nil {
		return nil, wrap(err)
	}
	return deliveries(streams[0].Messages, 1), nil
}

func deliveries(messages []redis.XMessage, times int) []Delivery {
	all := make([]Delivery, len(messages))
	for i, m := range messages {
		key, _ := m.Values["key"].(string)
		body, _ := m.Values["body"].(string)
		all[i] = Delivery{ID: m.ID, Key: key, Body: []byte(body), Deliveries: times}
	}
	return all
}

// Ack implements Broker.
func (r *Redis) Ack(ctx context.Context, p int, id string) error {
	_, err := r.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.XAck(ctx, r.stream(p), group, id)
		tx.XDel(ctx, r.stream(p), id)
		return nil
	})
	return wrap(err)
}

// Bury implements Broker.
func (r *Redis) Bury(ctx context.Context, p int, d Delivery, why string) error {
	_, err := r.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.XAdd(ctx, &redis.XAddArgs{Stream: r.graves(), Values: []any{"key", d.Key, "body", d.Body, "why", why}})
		tx.XAck(ctx, r.stream(p), group, d.ID)
		tx.XDel(ctx, r.stream(p), d.ID)
		return nil
	})
	return wrap(err)
}

// Depth implements Broker.
func (r *Redis) Depth(ctx context.Context) (Depth, error) {
	lengths := make([]*redis.IntCmd, r.partitions)
	pending := make([]*redis.XPendingCmd, r.partitions)
	var dead *redis.IntCmd
	_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for p := range r.partitions {
			lengths[p] = pipe.XLen(ctx, r.stream(p))
			pending[p] = pipe.XPending(ctx, r.stream(p), group)
		}
		dead = pipe.XLen(ctx, r.graves())
		return nil
	})
	if err != nil {
		return Depth{}, wrap(err)
	}
	d := Depth{Dead: int(dead.Val())}
	for p := range r.partitions {
		d.Waiting += int(lengths[p].Val())
		d.Pending += int(pending[p].Val().Count)
	}
	return d, nil
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("queue: %w", err)
}
