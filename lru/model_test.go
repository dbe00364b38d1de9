package lru

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"testing/synctest"
	"time"
)

// model is the obvious cache: slices, loops, no locks.
type model struct {
	policy   Policy
	capacity int
	weighted bool
	ttl      time.Duration
	now      time.Duration
	items    []*item // cold to hot for LRU; insertion order for FIFO and SIEVE; any order for LFU
	pinned   []*item
	hand     *item // SIEVE
	clock    int
	since    int
	events   []string
}

type item struct {
	key, value, weight int
	deadline           time.Duration // 0: none
	count, at          int
	visited            bool
}

func (m *model) find(key int) *item {
	for _, it := range slices.Concat(m.items, m.pinned) {
		if it.key == key {
			return it
		}
	}
	return nil
}

func (m *model) used() (w int) {
	for _, it := range m.items {
		w += it.weight
	}
	return w
}

func (m *model) use(it *item) {
	if it.weight == 0 {
		return
	}
	switch m.policy {
	case LRU:
		i := slices.Index(m.items, it)
		m.items = append(slices.Delete(m.items, i, i+1), it)
	case LFU:
		it.count++
		m.counted(it)
	case SIEVE:
		it.visited = true
	case Adaptive, FIFO:
	}
}

func (m *model) counted(it *item) {
	m.clock++
	it.at = m.clock
	if m.since++; m.since >= 10*m.capacity {
		m.since = 0
		for _, it := range m.items {
			it.count /= 2
		}
	}
}

func (m *model) link(it *item) {
	if it.weight == 0 {
		m.pinned = append(m.pinned, it)
		return
	}
	m.items = append(m.items, it)
	it.visited = false
	if m.policy == LFU {
		it.count = 1
		m.counted(it)
	}
}

func (m *model) unlink(it *item) {
	if i := slices.Index(m.pinned, it); i >= 0 {
		m.pinned = slices.Delete(m.pinned, i, i+1)
		return
	}
	i := slices.Index(m.items, it)
	if m.hand == it {
		m.hand = nil
		if i+1 < len(m.items) {
			m.hand = m.items[i+1]
		}
	}
	m.items = slices.Delete(m.items, i, i+1)
}

func (m *model) drop(it *item, cause Cause) {
	m.unlink(it)
	m.event(it, it.value, cause)
}

func (m *model) event(it *item, value int, cause Cause) {
	m.events = append(m.events, fmt.Sprint(it.key, value, it.weight, cause))
}

// order lists the entries as they would be evicted.
func (m *model) order() []*item {
	out := slices.Clone(m.items)
	switch m.policy {
	case LFU:
		sort.Slice(out, func(i, j int) bool {
			return out[i].count < out[j].count || out[i].count == out[j].count && out[i].at < out[j].at
		})
	case Adaptive, LRU, FIFO:
	case SIEVE:
		if i := slices.Index(out, m.hand); i >= 0 {
			out = slices.Concat(out[i:], out[:i])
		}
		slices.SortStableFunc(out, func(a, b *item) int {
			switch {
			case a.visited == b.visited:
				return 0
			case b.visited:
				return -1
			}
			return 1
		})
	}
	return append(out, m.pinned...)
}

func (m *model) victim(keep *item) *item {
	if m.policy != SIEVE {
		for _, it := range m.order() {
			if it != keep && it.weight > 0 {
				return it
			}
		}
		return nil
	}
	if len(m.items) == 0 || len(m.items) == 1 && m.items[0] == keep {
		return nil
	}
	for {
		i := max(0, slices.Index(m.items, m.hand))
		it := m.items[i]
		if it != keep && !it.visited {
			m.hand = it
			return it
		}
		if it != keep {
			it.visited = false
		}
		m.hand = nil
		if i+1 < len(m.items) {
			m.hand = m.items[i+1]
		}
	}
}

func (m *model) room(w int, keep *item) (evicted bool) {
	for m.used()+w > m.capacity {
		v := m.victim(keep)
		if v == nil {
			break
		}
		m.drop(v, Evicted)
		evicted = true
	}
	return evicted
}

func (m *model) expire() {
	for _, it := range slices.Concat(m.items, m.pinned) {
		if it.deadline != 0 && it.deadline <= m.now {
			m.drop(it, Expired)
		}
	}
}

func (m *model) weight(value int) int {
	if !m.weighted {
		return 1
	}
	return value % 5
}

func (m *model) set(key, value int, ttl time.Duration) bool {
	it, w := m.find(key), m.weight(value)
	if w > m.capacity {
		if it != nil {
			m.drop(it, Replaced)
		}
		return true
	}
	deadline := time.Duration(0)
	if ttl != 0 {
		deadline = m.now + ttl
	}
	if it == nil {
		evicted := m.room(w, nil)
		m.link(&item{key: key, value: value, weight: w, deadline: deadline})
		return evicted
	}
	m.use(it)
	m.event(it, it.value, Replaced)
	it.value, it.deadline = value, deadline
	if w != it.weight && (w == 0 || it.weight == 0) {
		m.unlink(it)
		it.weight = w
		m.link(it)
		return m.room(0, it)
	}
	it.weight = w
	return m.room(0, it)
}

// machine runs one program on a cache and on the model.
type machine[V any] struct {
	t    testing.TB
	c    *Cache[int, V]
	m    *model
	wrap func(int) V
	open func(V) int
	got  []string
}

func newMachine[V any](tb testing.TB, policy Policy, capacity int, weighted bool, ttl time.Duration, wrap func(int) V, open func(V) int) *machine[V] {
	tb.Helper()
	x := &machine[V]{t: tb, wrap: wrap, open: open, m: &model{policy: policy, capacity: capacity, weighted: weighted, ttl: ttl}}
	opts := Options[int, V]{Policy: policy, TTL: ttl, OnRemove: func(e Entry[int, V], cause Cause) {
		x.got = append(x.got, fmt.Sprint(e.Key, open(e.Value), e.Weight, cause))
	}}
	if weighted {
		opts.Weight = func(_ int, v V) int { return open(v) % 5 }
	}
	c, err := New(capacity, opts)
	if err != nil {
		tb.Fatal(err)
	}
	x.c = c
	return x
}

// step decodes one operation from three bytes.
func (x *machine[V]) step(op, a, b byte) string {
	key, value := int(a%24), int(b)
	c, m := x.c, x.m
	switch op % 16 {
	case 0, 1, 2:
		v, ok := c.Get(key)
		it := m.find(key)
		if it != nil {
			m.use(it)
		}
		x.equal("Get", ok, it != nil)
		if ok {
			x.equal("Get", x.open(v), it.value)
		}
		return fmt.Sprintf("Get(%d)", key)
	case 3, 4, 5:
		x.equal("Set", c.Set(key, x.wrap(value)), m.set(key, value, m.ttl))
		return fmt.Sprintf("Set(%d, %d)", key, value)
	case 6:
		ttl := time.Duration(1+value%7) * time.Second
		x.equal("SetTTL", c.SetTTL(key, x.wrap(value), ttl), m.set(key, value, ttl))
		return fmt.Sprintf("SetTTL(%d, %d, %v)", key, value, ttl)
	case 7:
		v, stored := c.SetIfAbsent(key, x.wrap(value))
		it := m.find(key)
		if it != nil {
			m.use(it)
			x.equal("SetIfAbsent", x.open(v), it.value)
			x.equal("SetIfAbsent", stored, false)
		} else {
			m.set(key, value, m.ttl)
			x.equal("SetIfAbsent", stored, m.find(key) != nil)
		}
		return fmt.Sprintf("SetIfAbsent(%d, %d)", key, value)
	case 8:
		return x.compute(key, value)
	case 9:
		ttl := time.Duration(value%7) * time.Second
		it := m.find(key)
		x.equal("Expire", c.Expire(key, ttl), it != nil)
		switch {
		case it == nil:
		case ttl == 0:
			m.drop(it, Expired)
		default:
			m.use(it)
			it.deadline = m.now + ttl
		}
		return fmt.Sprintf("Expire(%d, %v)", key, ttl)
	case 10:
		_, ok := c.Remove(key)
		it := m.find(key)
		x.equal("Remove", ok, it != nil)
		if it != nil {
			m.drop(it, Removed)
		}
		return fmt.Sprintf("Remove(%d)", key)
	case 11:
		v, ok := c.Peek(key)
		it := m.find(key)
		x.equal("Peek", ok, it != nil)
		if ok {
			x.equal("Peek", x.open(v), it.value)
		}
		return fmt.Sprintf("Peek(%d)", key)
	case 12, 13:
		d := time.Duration(value) * 20 * time.Millisecond
		<-time.After(d)
		synctest.Wait() // the timer may have fired at this very moment
		m.now += d
		c.RemoveExpired()
		m.expire()
		return fmt.Sprintf("wait(%v)", d)
	case 14:
		if b < 224 {
			return x.removeFunc(value % 5)
		}
		for _, it := range m.order() {
			m.drop(it, Removed)
		}
		c.Clear()
		return "Clear()"
	default:
		return x.resize(1 + value%20)
	}
}

func (x *machine[V]) compute(key, value int) string {
	action := Action(value % 3)
	it := x.m.find(key)
	v, ok := x.c.Compute(key, func(old V, ok bool) (V, Action) {
		x.equal("Compute sees", ok, it != nil)
		if ok {
			x.equal("Compute sees", x.open(old), it.value)
		}
		return x.wrap(value), action
	})
	switch action {
	case Keep:
	case Set:
		x.m.set(key, value, x.m.ttl)
	case Remove:
		if it != nil {
			x.m.drop(it, Removed)
		}
	}
	it = x.m.find(key)
	x.equal("Compute", ok, it != nil)
	if ok {
		x.equal("Compute", x.open(v), it.value)
	}
	return fmt.Sprintf("Compute(%d, %d, %d)", key, value, action)
}

func (x *machine[V]) removeFunc(mod int) string {
	n := 0
	for _, it := range x.m.order() {
		if it.key%5 == mod {
			x.m.drop(it, Removed)
			n++
		}
	}
	x.equal("RemoveFunc", x.c.RemoveFunc(func(key int, _ V) bool { return key%5 == mod }), n)
	return fmt.Sprintf("RemoveFunc(%d)", mod)
}

func (x *machine[V]) resize(capacity int) string {
	x.m.capacity = capacity
	before := len(x.m.events)
	x.m.room(0, nil)
	n, err := x.c.Resize(capacity)
	if err != nil {
		x.t.Fatal(err)
	}
	x.equal("Resize", n, len(x.m.events)-before)
	return fmt.Sprintf("Resize(%d)", capacity)
}

func (x *machine[V]) equal(what string, got, want any) {
	x.t.Helper()
	if got != want {
		x.t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// compare checks everything that can be seen.
func (x *machine[V]) compare() {
	x.t.Helper()
	synctest.Wait()                                 // an entry filed behind a wheel that has stood still lets the timer fire at once
	expired := func(list []string) (out []string) { // those of one moment come in any order
		out = slices.Clone(list)
		sort.Strings(out)
		return out
	}
	if got, want := expired(x.got), expired(x.m.events); !slices.Equal(got, want) {
		x.t.Fatalf("events\n got %v\nwant %v", x.got, x.m.events)
	}
	x.got, x.m.events = nil, nil
	var got, want []string
	show := func(key, value, weight int) string { return fmt.Sprintf("%d:%d/%d", key, value, weight) }
	for e := range x.c.Coldest() {
		got = append(got, show(e.Key, x.open(e.Value), e.Weight))
	}
	for _, it := range x.m.order() {
		want = append(want, show(it.key, it.value, it.weight))
	}
	if !slices.Equal(got, want) {
		x.t.Fatalf("Coldest\n got %v\nwant %v", got, want)
	}
	var back []string
	for e := range x.c.Hottest() {
		back = append(back, show(e.Key, x.open(e.Value), e.Weight))
	}
	slices.Reverse(back)
	if !slices.Equal(back, want) {
		x.t.Fatalf("Hottest is not the reverse of Coldest: %v", back)
	}
	x.equal("Len", x.c.Len(), len(want))
	x.equal("Weight", x.c.Weight(), x.m.used())
	check(x.t, x.c)
}

func runProgram[V any](tb testing.TB, policy Policy, program []byte, wrap func(int) V, open func(V) int) {
	tb.Helper()
	if len(program) < 2 {
		return
	}
	ttl := time.Duration(program[1]%3) * 3 * time.Second
	x := newMachine(tb, policy, 1+int(program[0]%16), program[1]&4 != 0, ttl, wrap, open)
	var log []string
	defer func() {
		if tb.Failed() {
			tb.Logf("%v, capacity %d, weighted %v, ttl %v: %v", policy, 1+program[0]%16, program[1]&4 != 0, ttl, log)
		}
	}()
	for p := program[2:]; len(p) >= 3; p = p[3:] {
		log = append(log, x.step(p[0], p[1], p[2]))
		x.compare()
	}
}

func identity(v int) int { return v }

type wide struct{ a, b, c int }

func widen(v int) wide   { return wide{v, v, v} }
func narrow(v wide) int  { return v.b }
func pointTo(v int) *int { return new(v) }
func pointAt(v *int) int { return *v }

var exactPolicies = []Policy{LRU, LFU, FIFO, SIEVE}

func TestExactPoliciesEqualTheModelAfterEveryStep(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	seed := rand.Uint64()
	for _, policy := range exactPolicies {
		t.Run(policy.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, uint64(policy)))
			for round := range rounds {
				program := make([]byte, 3*200+2)
				for i := range program {
					program[i] = byte(rng.Uint32())
				}
				synctest.Test(t, func(t *testing.T) {
					switch round % 3 {
					case 0:
						runProgram(t, policy, program, identity, identity)
					case 1:
						runProgram(t, policy, program, widen, narrow)
					default:
						runProgram(t, policy, program, pointTo, pointAt)
					}
				})
				if t.Failed() {
					t.Fatalf("seed %d, round %d", seed, round)
				}
			}
		})
	}
}

func FuzzModel(f *testing.F) {
	f.Add(uint8(1), []byte{3, 4, 3, 1, 2, 3, 2, 4, 0, 1, 0, 3, 3, 9})
	f.Add(uint8(2), []byte{1, 1, 6, 1, 2, 12, 0, 255, 3, 1, 3, 15, 0, 9})
	f.Fuzz(func(t *testing.T, policy uint8, program []byte) {
		if len(program) > 600 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			runProgram(t, exactPolicies[policy%4], program, identity, identity)
		})
	})
}
