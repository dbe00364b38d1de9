package redisbloom

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync"
)

// reply is what the model server answers.
type reply struct {
	v   any
	err error
}

func (r reply) Result() (any, error) { return r.v, r.err }

// memory models the few commands that a filter uses, bit by bit and in the plainest way, on one server.
type memory struct {
	mu       sync.Mutex
	strings  map[string][]byte
	commands []string // names, in order
	most     int      // sub-operations of the longest BITFIELD
	fail     func(args []any) error
	bytes    bool // answer strings as []byte, as some clients do
}

func newMemory() *memory { return &memory{strings: map[string][]byte{}} }

func (m *memory) Do(ctx context.Context, args ...any) reply {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return reply{nil, err}
	}
	m.commands = append(m.commands, args[0].(string))
	if m.fail != nil {
		if err := m.fail(args); err != nil {
			return reply{nil, err}
		}
	}
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = fmt.Sprint(a)
	}
	switch key := words[1]; words[0] {
	case "SETNX":
		if _, ok := m.strings[key]; ok {
			return reply{int64(0), nil}
		}
		m.strings[key] = []byte(words[2])
		return reply{int64(1), nil}
	case "SET":
		m.strings[key] = []byte(words[2])
		return reply{"OK", nil}
	case "DEL":
		_, ok := m.strings[key]
		delete(m.strings, key)
		if ok {
			return reply{int64(1), nil}
		}
		return reply{int64(0), nil}
	case "GETRANGE":
		s := m.strings[key]
		from, _ := strconv.Atoi(words[2])
		to, _ := strconv.Atoi(words[3])
		s = s[min(from, len(s)):min(to+1, len(s))]
		if m.bytes {
			return reply{append([]byte{}, s...), nil}
		}
		return reply{string(s), nil}
	case "BITFIELD", "BITFIELD_RO":
		return m.bitfield(key, words[0] == "BITFIELD_RO", words[2:])
	}
	return reply{nil, errors.New("ERR unknown command '" + words[0] + "'")}
}

func (m *memory) bitfield(key string, readOnly bool, ops []string) reply {
	var out []any
	count := 0
	for len(ops) > 0 {
		count++
		width, _ := strconv.Atoi(ops[1][1:])
		off, _ := strconv.Atoi(ops[2])
		bit := func(i int) byte { // bit 0 is the high bit of the first byte
			s := m.strings[key]
			if i/8 >= len(s) {
				return 0
			}
			return s[i/8] >> (7 - i%8) & 1
		}
		v := new(big.Int)
		for i := range width {
			v.Lsh(v, 1).Or(v, big.NewInt(int64(bit(off+i))))
		}
		out = append(out, int64(v.Uint64())) // two's complement of 64 bits
		if ops[0] == "GET" {
			ops = ops[3:]
			continue
		}
		if readOnly || width != 1 {
			return reply{nil, errors.New("ERR BITFIELD_RO only supports the GET subcommand")}
		}
		s := m.strings[key]
		if need := off/8 + 1; len(s) < need {
			s = append(s, make([]byte, need-len(s))...)
		}
		s[off/8] |= byte(1) << (7 - off%8) // only ones are ever set
		m.strings[key] = s
		ops = ops[4:]
	}
	m.most = max(m.most, count)
	return reply{out, nil}
}

func (m *memory) take() string {
	s := strings.Join(m.commands, " ")
	m.commands = nil
	return s
}
