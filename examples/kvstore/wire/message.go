// Package wire is what nodes and clients say to each other: frames over any net.Conn, the same bytes over TCP as over a fake
// network.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

// The errors of the package.
var (
	ErrUnavailable = errors.New("wire: not enough replicas answer")
	ErrInvalid     = errors.New("wire: invalid argument")
	ErrStale       = errors.New("wire: the membership has changed")
)

const (
	frameHead = 4 + 8 + 1 + 8
	maxFrame  = 8 << 20
)

// Kind says what a message asks for, or how it was answered.
type Kind = byte

// Requests between replicas. All but View are fenced: a node of another epoch answers Stale.
const (
	Put     Kind = iota + 1 // entry → nothing; the newest stays
	Get                     // key → entries, none or one
	Keys                    // prefix, after, limit → entries without values
	Pull                    // after, ranges → entries
	View                    // a view as JSON → nothing
	Promise                 // entry without a value: key and ballot → entries, none or one, or Refused
	Accept                  // entry → nothing, or Refused
	Update                  // Change → entry, the set of versions that comes of it
	Merge                   // entry, a set of versions → nothing
)

// Quick are the requests that a replica answers from its own store.
func Quick(k Kind) bool {
	return k == Put || k == Get || k == Promise || k == Accept || k == Update || k == Merge
}

// Requests of clients, to any node.
const (
	ClientPut  Kind = iota + 11 // Change → the version that it has made, without its value, or nothing
	ClientGet                   // key → the versions of it
	ClientKeys                  // prefix, after, limit → entries without values
)

// Answers.
const (
	OK          Kind = iota + 21 // entries
	Stale                        // the other view as JSON
	Unavailable                  // why, in words
	Invalid                      // why, in words
	Conflict                     // a condition does not hold
	Refused                      // an entry with the stamp of what stands in the way
	Failed                       // why, in words
)

// A Message is one frame, in both directions:
//
//	length of the rest, 4 bytes │ request number, 8 │ kind, 1 │ epoch, 8 │ body
//
// The epoch is that of the view under which a fenced request is made, or of the view in a Stale answer. A reply carries the number of its request, so that many requests share one connection and are answered in any order.
type Message struct {
	Number uint64
	Kind   Kind
	Epoch  uint64
	Body   []byte
}

func (m Message) encode() []byte {
	b := make([]byte, 0, frameHead+len(m.Body))
	b = binary.BigEndian.AppendUint32(b, uint32(frameHead-4+len(m.Body)))
	b = binary.BigEndian.AppendUint64(b, m.Number)
	b = append(b, m.Kind)
	b = binary.BigEndian.AppendUint64(b, m.Epoch)
	return append(b, m.Body...)
}

// KindOf is the kind of an encoded message.
func KindOf(frame []byte) Kind {
	if len(frame) < frameHead {
		return 0
	}
	return frame[12]
}

func readMessage(r *bufio.Reader) (Message, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Message{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < frameHead-4 || n > maxFrame {
		return Message{}, fmt.Errorf("wire: frame of %d bytes, limit %d", n, maxFrame)
	}
	m := Message{
		Number: binary.BigEndian.Uint64(head[4:]),
		Kind:   head[12],
		Epoch:  binary.BigEndian.Uint64(head[13:]),
		Body:   make([]byte, n-(frameHead-4)),
	}
	_, err := io.ReadFull(r, m.Body)
	return m, err
}

// Result turns an answer into what a caller wants: entries, or an error that errors.Is understands.
func (m Message) Result() ([]storage.Entry, error) {
	switch m.Kind {
	case OK:
		return DecodeEntries(m.Body)
	case Stale:
		return nil, ErrStale
	case Unavailable:
		return nil, fmt.Errorf("%w: %s", ErrUnavailable, m.Body)
	case Invalid:
		return nil, fmt.Errorf("%w: %s", ErrInvalid, m.Body)
	case Conflict:
		return nil, ErrConflict
	case Refused:
		e, _, err := storage.DecodeEntry(m.Body)
		return nil, errors.Join(err, &RefusedError{By: e.Stamp})
	}
	return nil, fmt.Errorf("wire: %s", m.Body)
}

// Answer is the opposite of Result.
func Answer(entries []storage.Entry, err error) Message {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return Message{Kind: Refused, Body: storage.Entry{Stamp: refused.By}.AppendTo(nil)}
	}
	switch {
	case err == nil:
		return Message{Kind: OK, Body: EncodeEntries(entries)}
	case errors.Is(err, ErrConflict):
		return Message{Kind: Conflict}
	case errors.Is(err, ErrInvalid):
		return Message{Kind: Invalid, Body: []byte(err.Error())}
	case errors.Is(err, ErrUnavailable):
		return Message{Kind: Unavailable, Body: []byte(err.Error())}
	}
	return Message{Kind: Failed, Body: []byte(err.Error())}
}

// EncodeEntries puts entries one behind the other.
func EncodeEntries(entries []storage.Entry) (b []byte) {
	for _, e := range entries {
		b = e.AppendTo(b)
	}
	return b
}

// DecodeEntries is the opposite of EncodeEntries. The values share the memory of b.
func DecodeEntries(b []byte) (entries []storage.Entry, err error) {
	for len(b) > 0 {
		var e storage.Entry
		if e, b, err = storage.DecodeEntry(b); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// JoinKeys is the body of a request for at most limit keys.
func JoinKeys(prefix, after string, limit int) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(min(limit, PageSize))), prefix+"\x00"+after...)
}

// SplitKeys is the opposite of JoinKeys.
func SplitKeys(body []byte) (prefix, after string, limit int, err error) {
	if len(body) < 3 {
		return "", "", 0, storage.ErrCorrupt
	}
	prefix, after, _ = strings.Cut(string(body[2:]), "\x00")
	return prefix, after, int(binary.BigEndian.Uint16(body)), nil
}
