package hashring

import (
	"cmp"
	"math/bits"
	"slices"
)

const (
	// scan is how many points of a bucket are looked at one by one before halving. Derived points average half a
	// point a bucket, so only explicit tokens ever get further.
	scan = 8
	// crowded is the size of a bucket from which sorting by insertion would cost more than a general sort.
	crowded = 32
)

// table is a sorted list of points with an index over their top bits: bucket b begins at index[b]. The point
// after the last is a sentinel, the largest token with the owner of the first point, so that a search ends
// and wraps round without a test. Numbers of owners are positions in the membership sorted by ID, so equal
// points stand in the order of their numbers. A table is immutable once built.
type table struct {
	tokens []uint64 // ascending; one more than there are points
	owners []uint32 // by point; one more than there are points
	index  []uint32 // by bucket; one more than there are buckets
	shift  uint8    // token >> shift is the bucket
}

// newTable makes room for n > 0 points. There are 2 to 4 buckets a point: fewer cost compares, more cost cache.
func newTable(n int) table {
	width := min(bits.Len(uint(2*n-1)), 31) // 2^width is the first power of two that is at least 2n
	buckets := 1 << width
	words := make([]uint32, n+1+buckets+1)
	return table{
		tokens: make([]uint64, n+1),
		owners: words[: n+1 : n+1],
		index:  words[n+1:],
		shift:  uint8(64 - width),
	}
}

// len is the number of points.
func (t *table) len() int { return max(0, len(t.tokens)-1) }

func (t *table) bytes() int { return 8*len(t.tokens) + 4*len(t.owners) + 4*len(t.index) }

// find returns the position of the first point at or after token, or len, which stands for the first point.
func (t *table) find(token uint64) int {
	i := t.begin(token)
	if t.cached() {
		if i += t.before(i, token); t.tokens[i] >= token {
			return i
		}
	} else if t.tokens[i] >= token {
		return i
	}
	return t.seek(token, i+1)
}

// owner returns the number of the node that owns token. It is find again, since a call would be a tenth of it.
func (t *table) owner(token uint64) uint32 {
	i := t.begin(token)
	if t.cached() {
		if i += t.before(i, token); t.tokens[i] >= token {
			return t.owners[i]
		}
	} else if t.tokens[i] >= token {
		return t.owners[i]
	}
	return t.owners[t.seek(token, i+1)]
}

// stride is find for one of several tables that are searched for one token. Without a misprediction these searches
// overlap, which halves the time of a lookup by zones even where the tables are large.
func (t *table) stride(token uint64) int {
	i := t.begin(token)
	if i += t.before(i, token); t.tokens[i] >= token {
		return i
	}
	return t.seek(token, i+1)
}

// begin is where the bucket of token begins, the position from which it is searched.
func (t *table) begin(token uint64) int { return int(t.index[token>>(t.shift&63)]) }

// before is 1 if point i lies before token, and otherwise 0. One token in five passes a point: a branch on that
// would be mispredicted as often.
func (t *table) before(i int, token uint64) int {
	_, less := bits.Sub64(t.tokens[i], token, 0)
	return int(less)
}

// cached says whether the table fits the second-level cache of a core. There a misprediction costs more than a
// load, and doing without is 1.15 times as fast (100 nodes of 160 points). In a larger table a predicted branch
// lets the processor load the owner while it waits for the token; without, a lookup takes 1.4 times as long.
func (t *table) cached() bool { return len(t.tokens) <= 1<<15 }

// seek goes on from position i, all points before which lie before token.
func (t *table) seek(token uint64, i int) int {
	for end := i + scan; i < end; i++ {
		if t.tokens[i] >= token { // the sentinel at the latest
			return i
		}
	}
	// A crowded bucket is searched by halving.
	end := int(t.index[token>>(t.shift&63)+1])
	for i < end {
		if mid := int(uint(i+end) >> 1); t.tokens[mid] < token {
			i = mid + 1
		} else {
			end = mid
		}
	}
	return i
}

// seal writes the sentinel after the points are in place.
func (t *table) seal() {
	n := t.len()
	t.tokens[n] = 1<<64 - 1
	t.owners[n] = t.owners[0]
}

// reindex computes the index of sorted points.
func (t *table) reindex() {
	t.countTokens(t.tokens[:t.len()])
	sum := uint32(0)
	for b, n := range t.index {
		sum += n
		t.index[b] = sum
	}
}

// buildAll sorts the points of all nodes.
func buildAll[T any](c *config, nodes []Node[T]) table {
	return build(c, nodes, len(nodes), func(i int) uint32 { return uint32(i) })
}

// buildSome sorts the points of the picked nodes, which ascend; of none, if none are picked.
func buildSome[T any](c *config, nodes []Node[T], picked []uint32) table {
	return build(c, nodes, len(picked), func(i int) uint32 { return picked[i] })
}

// build sorts the points of n nodes, of which at gives the numbers. Points are computed twice, once to count the
// buckets and once to scatter, which is cheaper than to store and sort them.
func build[T any](c *config, nodes []Node[T], n int, at func(i int) uint32) table {
	count := 0
	for i := range n {
		count += pointsOf(c, &nodes[at(i)])
	}
	if count == 0 {
		return table{}
	}
	t := newTable(count)
	for i := range n {
		if node := &nodes[at(i)]; node.Tokens != nil {
			t.countTokens(node.Tokens)
		} else {
			t.countPoints(c.pos(node.ID), c.points(node.Weight))
		}
	}
	full := t.sum()
	for i := range n {
		if node := &nodes[at(i)]; node.Tokens != nil {
			t.placeTokens(node.Tokens, at(i))
		} else {
			t.placePoints(c.pos(node.ID), c.points(node.Weight), at(i))
		}
	}
	t.sortBuckets(full)
	t.seal()
	return t
}

// pointsOf is the number of points of a node.
func pointsOf[T any](c *config, n *Node[T]) int {
	if n.Tokens != nil {
		return len(n.Tokens)
	}
	return c.points(n.Weight)
}

// While a table is built, index[b+1] counts bucket b, and after sum it is where the next point of b goes. At
// the end of that pass it is where b ends, that is, where b+1 begins: the index is ready.

func (t *table) countPoints(start uint64, q int) {
	index, shift := t.index[1:], t.shift&63
	for i := range q {
		index[point(start, i)>>shift]++
	}
}

func (t *table) countTokens(tokens []uint64) {
	for _, token := range tokens {
		t.index[token>>(t.shift&63)+1]++
	}
}

// sum turns the counts into beginnings and returns the largest count.
func (t *table) sum() uint32 {
	var sum, full uint32
	for b := range t.index[1:] {
		n := t.index[b+1]
		t.index[b+1] = sum
		sum += n
		full = max(full, n)
	}
	return full
}

func (t *table) placePoints(start uint64, q int, owner uint32) {
	for i := range q {
		t.place(point(start, i), owner)
	}
}

func (t *table) placeTokens(tokens []uint64, owner uint32) {
	for _, token := range tokens {
		t.place(token, owner)
	}
}

func (t *table) place(token uint64, owner uint32) {
	slot := &t.index[token>>(t.shift&63)+1]
	t.tokens[*slot], t.owners[*slot] = token, owner
	*slot++
}

// sortBuckets sorts the points of each bucket. Owners were placed in ascending order and insertion is stable,
// so equal tokens end in the order of their owners.
func (t *table) sortBuckets(full uint32) {
	if full <= crowded {
		t.insertionSort(0, t.len())
		return
	}
	var pairs []pair
	for b := range len(t.index) - 1 {
		from, to := int(t.index[b]), int(t.index[b+1])
		if to-from <= crowded {
			t.insertionSort(from, to)
			continue
		}
		pairs = pairs[:0]
		for i := from; i < to; i++ {
			pairs = append(pairs, pair{t.tokens[i], t.owners[i]})
		}
		slices.SortFunc(pairs, pair.compare)
		for i, p := range pairs {
			t.tokens[from+i], t.owners[from+i] = p.token, p.owner
		}
	}
}

func (t *table) insertionSort(from, to int) {
	tokens, owners := t.tokens[from:to], t.owners[from:to]
	for i := 1; i < len(tokens); i++ {
		token, owner := tokens[i], owners[i]
		j := i
		for ; j > 0 && tokens[j-1] > token; j-- {
			tokens[j], owners[j] = tokens[j-1], owners[j-1]
		}
		tokens[j], owners[j] = token, owner
	}
}

// pair is a point and its owner.
type pair struct {
	token uint64
	owner uint32
}

func (p pair) compare(q pair) int {
	return cmp.Or(cmp.Compare(p.token, q.token), cmp.Compare(p.owner, q.owner))
}
