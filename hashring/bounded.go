package hashring

import "math/bits"

// A share of the ring is up to 2⁶⁴ tokens, one more than a uint64 holds: full says that it is all of them.
type share struct {
	tokens uint64
	full   bool
}

// holds says whether an arc fits into the room.
func (room share) holds(arc share) bool {
	return room.full || !arc.full && room.tokens >= arc.tokens
}

// less subtracts an arc that fits.
func (room share) less(arc share) share {
	// The full share minus a part wraps to the right value; minus all of it, to zero.
	return share{tokens: room.tokens - arc.tokens}
}

// roomOf is min(2⁶⁴, ceil(F·2³²·q/Q)): the most tokens that a node of q points out of total may own.
func roomOf(bound uint64, q int, total uint64) share {
	hi, lo := bits.Mul64(bound*uint64(q), factorOne)
	if hi >= total {
		return share{full: true}
	}
	room, rest := bits.Div64(hi, lo, total)
	if rest > 0 {
		room++
		if room == 0 {
			return share{full: true}
		}
	}
	return share{tokens: room}
}

// bounded gives the arcs of ring to nodes so that none owns more than its room. Without a bound it is ring
// itself. The rooms add up to more than the ring, so every token finds an owner.
func bounded[T any](c *config, nodes []Node[T], ring table) table {
	if c.bound == 0 || ring.len() == 0 {
		return ring
	}
	var total uint64
	for i := range nodes {
		total += uint64(c.points(nodes[i].Weight))
	}
	d := dealer{ring: ring, room: make([]share, len(nodes)), owners: make([]uint32, len(ring.owners))}
	for i := range nodes {
		d.room[i] = roomOf(c.bound, c.points(nodes[i].Weight), total)
	}
	d.deal()
	return d.table()
}

// dealer deals the arcs of a ring, in list order, to the first node from there on that has room.
type dealer struct {
	ring   table
	room   []share  // what each node may still take
	owners []uint32 // by point: who takes the arc that ends there
	cuts   []pair   // where an arc had to be divided: the last token of a part and its owner
}

func (d *dealer) deal() {
	n := d.ring.len()
	before := d.ring.tokens[n-1]
	for i := range n {
		token := d.ring.tokens[i]
		arc := share{tokens: token - before}
		if i == 0 && arc.tokens == 0 {
			arc.full = true // all points are equal: one arc, the whole ring
		}
		if i == 0 || token != before {
			d.give(i, before, arc)
		} else {
			d.owners[i] = d.owners[i-1] // an equal point owns nothing; searches stop before it
		}
		before = token
	}
}

// give finds owners for the arc that ends at point i and begins after token before.
func (d *dealer) give(i int, before uint64, arc share) {
	for {
		if o, ok := d.first(i, arc); ok {
			d.room[o] = d.room[o].less(arc)
			d.owners[i] = o
			return
		}
		// No node can take it whole: the first with any room takes the beginning of the arc.
		o, _ := d.first(i, share{tokens: 1})
		part := d.room[o]
		before += part.tokens
		d.cuts = append(d.cuts, pair{before, o})
		arc = share{tokens: arc.tokens - part.tokens}
		d.room[o] = share{}
	}
}

// first finds the first node, in the order in which the list meets nodes from point i on, with room for arc.
func (d *dealer) first(i int, arc share) (uint32, bool) {
	n := d.ring.len()
	for range n {
		if o := d.ring.owners[i]; d.room[o].holds(arc) {
			return o, true
		}
		if i++; i == n {
			i = 0
		}
	}
	return 0, false
}

// table shares the points of the ring unless arcs were divided.
func (d *dealer) table() table {
	n := d.ring.len()
	if len(d.cuts) == 0 {
		t := table{tokens: d.ring.tokens, owners: d.owners, index: d.ring.index, shift: d.ring.shift}
		t.owners[n] = t.owners[0]
		return t
	}
	// Cuts were made in list order, except that those of the first arc may lie beyond the last point.
	last, wrapped := d.ring.tokens[n-1], 0
	for wrapped < len(d.cuts) && d.cuts[wrapped].token > last {
		wrapped++
	}
	cuts := append(append([]pair(nil), d.cuts[wrapped:]...), d.cuts[:wrapped]...)
	t := newTable(n + len(cuts))
	to := 0
	for i, token := range d.ring.tokens[:n] {
		for len(cuts) > 0 && cuts[0].token < token {
			t.tokens[to], t.owners[to] = cuts[0].token, cuts[0].owner
			to, cuts = to+1, cuts[1:]
		}
		t.tokens[to], t.owners[to] = token, d.owners[i]
		to++
	}
	for _, cut := range cuts {
		t.tokens[to], t.owners[to] = cut.token, cut.owner
		to++
	}
	t.seal()
	t.reindex()
	return t
}
