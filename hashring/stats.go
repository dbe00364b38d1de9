package hashring

import "math"

// Stats describes a snapshot. The shares are exact, not sampled.
type Stats struct {
	Nodes, Points, Zones int
	Bytes                int                // memory of the tables
	Peak                 float64            // the largest share divided by the fair share of its node; 1 is perfect
	StdDev               float64            // root mean square of that quotient minus 1, over the nodes; 0 is perfect
	Share                map[string]float64 // exact share of the tokens by node ID; the sum is 1
}

// Stats computes the statistics in one pass over the points. The fair share of a node is its part of the
// points that the weights ask for. An empty ring has zero Stats.
func (s *Snapshot[T]) Stats() Stats {
	if len(s.nodes) == 0 {
		return Stats{}
	}
	st := Stats{
		Nodes:  len(s.nodes),
		Points: s.ring.len(),
		Zones:  len(s.zones),
		Bytes:  s.bytes(),
		Share:  make(map[string]float64, len(s.nodes)),
	}
	total := 0.0
	for i := range s.nodes {
		total += float64(s.points(s.nodes[i].Weight))
	}
	squares := 0.0
	for i, owned := range s.owned(len(s.nodes)) {
		n := &s.nodes[i]
		part := math.Ldexp(float64(owned.tokens), -64)
		if owned.full {
			part = 1
		}
		st.Share[n.ID] = part
		ratio := part * total / float64(s.points(n.Weight))
		st.Peak = max(st.Peak, ratio)
		squares += (ratio - 1) * (ratio - 1)
	}
	st.StdDev = math.Sqrt(squares / float64(len(s.nodes)))
	return st
}

// owned returns how many tokens each node owns.
func (p *placement) owned(nodes int) []share {
	owned := make([]share, nodes)
	n := p.own.len()
	before := p.own.tokens[n-1]
	whole := true // no arc has an inner border: one node owns the whole ring
	for i, token := range p.own.tokens[:n] {
		owned[p.own.owners[i]].tokens += token - before
		before = token
	}
	for i := range owned {
		whole = whole && owned[i].tokens == 0 // the whole ring, 2⁶⁴, wraps to 0
	}
	if whole {
		owned[p.own.owner(0)].full = true
	}
	return owned
}

// bytes is the memory of the tables; arrays that two tables share count once.
func (p *placement) bytes() int {
	n := p.ring.bytes() + 4*len(p.zoneOf)
	switch {
	case p.own.len() != p.ring.len():
		n += p.own.bytes()
	case p.own.len() > 0 && &p.own.owners[0] != &p.ring.owners[0]:
		n += 4 * len(p.own.owners)
	}
	for z := range p.zones {
		n += p.zones[z].bytes()
	}
	return n
}
