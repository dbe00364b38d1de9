package hashring

// gone marks, in a renumbering, a node whose points leave the table.
const gone = 1<<32 - 1

// delta is a change of membership, in the numbers of both sides.
type delta struct {
	renumber []uint32 // by old number: the new number, or gone
	left     []uint32 // old numbers of the nodes that leave or take another place
	joined   []uint32 // new numbers of the nodes that come or take another place
}

// merge returns old without the points of left, renumbered, with those of joined. Between two points that come
// or go, runs are copied whole, and the index is shifted by the number of points that came and went before:
// nothing is hashed, sorted or searched except the points that differ.
func merge(old table, renumber []uint32, left, joined table) table {
	n := old.len() - left.len() + joined.len()
	switch {
	case n == 0:
		return table{}
	case old.len() == 0:
		return joined
	case left.len() == 0 && joined.len() == 0:
		return old.renumbered(renumber)
	}
	m := merger{old: old, to: newTable(n), renumber: renumber}
	m.index = m.to.shift == old.shift
	m.same = true
	for i, r := range renumber {
		m.same = m.same && (r == uint32(i) || r == gone)
	}
	for i, j := 0, 0; i < left.len() || j < joined.len(); {
		if j < joined.len() {
			if at := m.place(joined.tokens[j], joined.owners[j]); i == left.len() || at <= m.position(left.tokens[i], left.owners[i]) {
				m.join(at, joined.tokens[j], joined.owners[j])
				j++
				continue
			}
		}
		m.leave(m.position(left.tokens[i], left.owners[i]), left.tokens[i])
		i++
	}
	m.finish()
	return m.to
}

// merger copies old into to, up to one event after another.
type merger struct {
	old, to  table
	renumber []uint32
	same     bool // numbers stay as they are
	index    bool // the buckets stay as they are, so the index can be shifted
	from, at int  // copied so far: of old, into to
	bucket   int  // buckets indexed so far
}

// position is where a point of old stands.
func (m *merger) position(token uint64, owner uint32) int {
	i := m.old.find(token)
	for m.old.owners[i] != owner { // only equal points are passed
		i++
	}
	return i
}

// place is where a new point goes: before the first of old that is greater.
func (m *merger) place(token uint64, owner uint32) int {
	i := m.old.find(token)
	for i < m.old.len() && m.old.tokens[i] == token {
		if o := m.renumber[m.old.owners[i]]; o != gone && o > owner {
			break
		}
		i++
	}
	return i
}

// run copies the points of old before position end.
func (m *merger) run(end int) {
	copy(m.to.tokens[m.at:], m.old.tokens[m.from:end])
	from := m.old.owners[m.from:end]
	to := m.to.owners[m.at:][:len(from)]
	if m.same {
		copy(to, from)
	} else {
		for i, o := range from {
			to[i] = m.renumber[o]
		}
	}
	m.at += end - m.from
	m.from = end
}

// shift writes the index of the buckets before end. The points of these have been copied.
func (m *merger) shift(end int) {
	if !m.index {
		return
	}
	delta := uint32(m.at - m.from) // wraps for a shrinking table, and wraps back in the sum
	from := m.old.index[m.bucket:end]
	to := m.to.index[m.bucket:end][:len(from)]
	if delta == 0 {
		copy(to, from)
	} else {
		for i, at := range from {
			to[i] = at + delta
		}
	}
	m.bucket = end
}

func (m *merger) join(at int, token uint64, owner uint32) {
	m.run(at)
	m.shift(max(m.bucket, int(token>>(m.old.shift&63))+1))
	m.to.tokens[m.at], m.to.owners[m.at] = token, owner
	m.at++
}

func (m *merger) leave(at int, token uint64) {
	m.run(at)
	m.shift(max(m.bucket, int(token>>(m.old.shift&63))+1))
	m.from++
}

func (m *merger) finish() {
	m.run(m.old.len())
	m.to.seal()
	if m.index {
		m.shift(len(m.old.index))
	} else {
		m.to.reindex()
	}
}

// renumbered shares the points and the index with t.
func (t *table) renumbered(renumber []uint32) table {
	owners := make([]uint32, len(t.owners))
	for i, o := range t.owners {
		owners[i] = renumber[o]
	}
	return table{tokens: t.tokens, owners: owners, index: t.index, shift: t.shift}
}
