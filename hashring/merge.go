package hashring

// gone marks, in a renumbering, a node whose points leave the table.
const gone = 1<<32 - 1

// merge returns the table of the points of old whose owners stay, renumbered, together with those of joined.
// Renumbering keeps the order of the nodes, so both inputs are sorted and one pass does it; nothing is hashed.
func merge(old table, renumber []uint32, joined table) table {
	kept := 0
	for _, o := range old.owners[:old.len()] {
		if renumber[o] != gone {
			kept++
		}
	}
	if kept == old.len() && joined.len() == 0 {
		return old.renumbered(renumber)
	}
	if kept+joined.len() == 0 {
		return table{}
	}
	t := newTable(kept + joined.len())
	to, next := 0, 0
	for i, o := range old.owners[:old.len()] {
		owner := renumber[o]
		if owner == gone {
			continue
		}
		token := old.tokens[i]
		for next < joined.len() && (joined.tokens[next] < token ||
			joined.tokens[next] == token && joined.owners[next] < owner) {
			t.tokens[to], t.owners[to] = joined.tokens[next], joined.owners[next]
			to, next = to+1, next+1
		}
		t.tokens[to], t.owners[to] = token, owner
		to++
	}
	copy(t.tokens[to:], joined.tokens[next:joined.len()])
	copy(t.owners[to:], joined.owners[next:joined.len()])
	t.seal()
	t.reindex()
	return t
}

// renumbered shares the points and the index with t.
func (t *table) renumbered(renumber []uint32) table {
	owners := make([]uint32, len(t.owners))
	for i, o := range t.owners {
		owners[i] = renumber[o]
	}
	return table{tokens: t.tokens, owners: owners, index: t.index, shift: t.shift}
}
