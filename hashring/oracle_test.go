package hashring

import (
	"cmp"
	"math/big"
	"slices"
)

// oracle is placement 1 written down as in its description: a sorted list, linear scans, big integers.
type oracle struct {
	o     Options
	nodes []Node[string] // ascending by ID
	list  []oraclePoint
	arcs  []oracleArc // with a bound: who owns what
}

type oraclePoint struct {
	token uint64
	id    string
}

type oracleArc struct {
	Range
	id string
}

func oracleMix(z uint64) uint64 {
	z ^= z >> 30
	z *= 0xBF58476D1CE4E5B9
	z ^= z >> 27
	z *= 0x94D049BB133111EB
	return z ^ z>>31
}

func (o *oracle) pos(x string) uint64 {
	h := Hash
	if o.o.Hash != nil {
		h = o.o.Hash
	}
	if o.o.Seed == 0 {
		return h(x)
	}
	return oracleMix(h(x) ^ o.o.Seed)
}

func (o *oracle) q(n Node[string]) int {
	w, v := n.Weight, o.o.VNodes
	if w == 0 {
		w = 1
	}
	if v == 0 {
		v = 256
	}
	return max(1, int(w*float64(v)+0.5))
}

func newOracle(nodes []Node[string], opts Options) *oracle {
	o := &oracle{o: opts, nodes: slices.Clone(nodes)}
	slices.SortFunc(o.nodes, func(a, b Node[string]) int { return cmp.Compare(a.ID, b.ID) })
	for _, n := range o.nodes {
		tokens := map[uint64]bool{}
		if n.Tokens == nil {
			for i := range o.q(n) {
				// No set here: two derived points of one node can only be equal for equal i.
				o.list = append(o.list, oraclePoint{oracleMix(o.pos(n.ID) + uint64(i+1)*0x9E3779B97F4A7C15), n.ID})
			}
		}
		for _, t := range n.Tokens {
			if !tokens[t] {
				tokens[t] = true
				o.list = append(o.list, oraclePoint{t, n.ID})
			}
		}
	}
	slices.SortFunc(o.list, func(a, b oraclePoint) int {
		return cmp.Or(cmp.Compare(a.token, b.token), cmp.Compare(a.id, b.id))
	})
	if opts.LoadFactor != 0 {
		o.deal()
	}
	return o
}

// from returns the list rotated to begin at the owner's point.
func (o *oracle) from(token uint64) []oraclePoint {
	for i, p := range o.list {
		if p.token >= token {
			return append(slices.Clone(o.list[i:]), o.list[:i]...)
		}
	}
	return o.list
}

var twoTo64 = new(big.Int).Lsh(big.NewInt(1), 64)

// rooms is the most tokens that each node may own.
func (o *oracle) rooms() map[string]*big.Int {
	total := int64(0)
	for _, n := range o.nodes {
		total += int64(o.q(n))
	}
	rooms := map[string]*big.Int{}
	for _, n := range o.nodes {
		f := new(big.Int).SetUint64(uint64(o.o.LoadFactor * (1 << 32)))
		f.Lsh(f, 32).Mul(f, big.NewInt(int64(o.q(n))))
		f.Add(f, big.NewInt(total-1)).Div(f, big.NewInt(total))
		if f.Cmp(twoTo64) > 0 {
			f.Set(twoTo64)
		}
		rooms[n.ID] = f
	}
	return rooms
}

func (o *oracle) deal() {
	if len(o.list) == 0 {
		return
	}
	rooms := o.rooms()
	before := new(big.Int).SetUint64(o.list[len(o.list)-1].token)
	before.Sub(before, twoTo64)
	for i, p := range o.list {
		end := new(big.Int).SetUint64(p.token)
		for before.Cmp(end) < 0 {
			length := new(big.Int).Sub(end, before)
			around := append(slices.Clone(o.list[i:]), o.list[:i]...)
			taker := slices.IndexFunc(around, func(p oraclePoint) bool { return rooms[p.id].Cmp(length) >= 0 })
			if taker < 0 {
				taker = slices.IndexFunc(around, func(p oraclePoint) bool { return rooms[p.id].Sign() > 0 })
				length.Set(rooms[around[taker].id])
			}
			rooms[around[taker].id].Sub(rooms[around[taker].id], length)
			next := new(big.Int).Add(before, length)
			o.addArc(before, next, around[taker].id)
			before = next
		}
	}
}

// addArc records the arc (before, end], whose ends may be negative, as ranges that do not wrap.
func (o *oracle) addArc(before, end *big.Int, id string) {
	first := new(big.Int).Add(before, big.NewInt(1))
	wrap := func(x *big.Int) uint64 { return new(big.Int).Mod(x, twoTo64).Uint64() }
	a, b := wrap(first), wrap(end)
	if a <= b {
		o.arcs = append(o.arcs, oracleArc{Range{a, b}, id})
		return
	}
	o.arcs = append(o.arcs, oracleArc{Range{a, 1<<64 - 1}, id}, oracleArc{Range{0, b}, id})
}

func (o *oracle) owner(token uint64) string {
	for _, a := range o.arcs {
		if a.Contains(token) {
			return a.id
		}
	}
	return o.from(token)[0].id
}

// order is the preference order of a token.
func (o *oracle) order(token uint64) []string {
	if len(o.list) == 0 {
		return nil
	}
	natural := []string{o.owner(token)}
	for _, p := range o.from(token) {
		if !slices.Contains(natural, p.id) {
			natural = append(natural, p.id)
		}
	}
	zone := map[string]string{}
	for _, n := range o.nodes {
		zone[n.ID] = n.Zone
	}
	if o.nodes[0].Zone == "" {
		return natural
	}
	rank, met := map[string]int{}, map[string]int{}
	for _, id := range natural {
		rank[id] = met[zone[id]]
		met[zone[id]]++
	}
	slices.SortStableFunc(natural, func(a, b string) int { return cmp.Compare(rank[a], rank[b]) })
	return natural
}

// first is the first n of the order.
func (o *oracle) first(token uint64, n int) []string {
	all := o.order(token)
	return all[:max(0, min(n, len(all)))]
}

// probes are the tokens at which something can change, one before, one after, and the ends.
func (o *oracle) probes() []uint64 {
	probes := []uint64{0, 1, 1<<64 - 1, 1<<64 - 2, 1 << 63}
	for _, p := range o.list {
		probes = append(probes, p.token-1, p.token, p.token+1)
	}
	for _, a := range o.arcs {
		probes = append(probes, a.First-1, a.First, a.Last, a.Last+1)
	}
	slices.Sort(probes)
	return slices.Compact(probes)
}
