package hashring

// zoneWalker lists the nodes in the preference order of a token when there are zones: by rank within the zone,
// then by clockwise distance. Each round takes one node of every zone that still has one. Since each zone has
// its own table, a round costs a step in each, and no walk across the ring in search of a rare zone.
type zoneWalker struct {
	p       *placement
	nodes   int
	token   uint64
	first   uint32
	began   bool
	few     [8]zoneCursor // the cursors, when there are few zones
	many    []zoneCursor  // otherwise
	zones   int
	at, end int // of the round: cursors at … end-1 are still to be yielded
	seen    seen
}

// zoneCursor is a position in the table of one zone and the node found there.
type zoneCursor struct {
	zone     uint32
	node     uint32
	pos      int    // or unplaced: the home zone is not searched before its second turn
	left     int    // points not looked at
	distance uint64 // from the token clockwise to the point at which the node was met
}

const unplaced = -1

// start prepares the first round; owner comes first, and with it its zone.
func (w *zoneWalker) start(p *placement, nodes int, token uint64, owner uint32) {
	w.p, w.nodes, w.token, w.first = p, nodes, token, owner
	if len(p.zones) > len(w.few) {
		w.many = make([]zoneCursor, len(p.zones))
	}
}

func (w *zoneWalker) cursors() []zoneCursor {
	if w.many != nil {
		return w.many
	}
	return w.few[:len(w.p.zones)]
}

func (w *zoneWalker) next() (uint32, bool) {
	if !w.began {
		w.began = true
		w.seen.add(w.first, w.nodes)
		return w.first, true
	}
	if w.seen.n == w.nodes {
		return 0, false
	}
	cursors := w.cursors()
	switch {
	case w.zones == 0:
		w.open(cursors)
	case w.at == w.end:
		w.round(cursors)
	}
	if w.at == w.end { // the first round of a single zone is the owner alone
		w.round(cursors)
	}
	node := cursors[w.at].node
	w.at++
	w.seen.add(node, w.nodes)
	return node, true
}

// open makes the first round, without the zone of the owner, whose turn is over.
func (w *zoneWalker) open(cursors []zoneCursor) {
	home := w.p.zoneOf[w.first]
	w.zones = len(cursors)
	w.at, w.end = 0, 0
	for z := range cursors {
		c := &cursors[z]
		c.zone, c.pos = uint32(z), unplaced
		if uint32(z) != home && w.advance(c) {
			w.keep(cursors, z)
		}
	}
}

// round moves every cursor on to its next node.
func (w *zoneWalker) round(cursors []zoneCursor) {
	w.at, w.end = 0, 0
	for i := range cursors {
		if w.advance(&cursors[i]) {
			w.keep(cursors, i)
		}
	}
}

// keep moves cursor i into its place among those of the round, which stand in front, by distance. Equal points
// are met in the order of their owners.
func (w *zoneWalker) keep(cursors []zoneCursor, i int) {
	c := cursors[i]
	cursors[i] = cursors[w.end]
	j := w.end
	for ; j > 0; j-- {
		before := &cursors[j-1]
		if before.distance < c.distance || before.distance == c.distance && before.node < c.node {
			break
		}
		cursors[j] = cursors[j-1]
	}
	cursors[j] = c
	w.end++
}

// advance moves a cursor to the next unseen node of its zone; false when there is none.
func (w *zoneWalker) advance(c *zoneCursor) bool {
	t := &w.p.zones[c.zone]
	if c.pos == unplaced {
		c.pos, c.left = t.find(w.token), t.len()
	}
	for c.left > 0 {
		if c.pos >= t.len() {
			c.pos = 0
		}
		i := c.pos
		c.pos++
		c.left--
		if node := t.owners[i]; !w.seen.has(node) {
			c.node, c.distance = node, t.tokens[i]-w.token
			return true
		}
	}
	return false
}
