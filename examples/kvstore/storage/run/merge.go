package run

// Item is a key with its value.
type Item struct {
	Key   string
	Value []byte
}

// Cursor yields items in ascending order of their keys, until ok is false.
type Cursor interface {
	Next() (it Item, ok bool, err error)
}

// Merge is a cursor over several layers, the newest first. Of a key that several layers have, the newest one counts; the others are
// passed over. With k layers an item costs k comparisons, which for the dozen layers of a store is as fast as a heap.
type Merge struct {
	layers []Cursor
	heads  []Item
	live   []bool // the layer has a head
	begun  bool
}

// NewMerge unites the layers.
func NewMerge(layers ...Cursor) *Merge {
	return &Merge{layers: layers, heads: make([]Item, len(layers)), live: make([]bool, len(layers))}
}

// Next implements Cursor.
func (m *Merge) Next() (Item, bool, error) {
	if !m.begun {
		m.begun = true
		for i := range m.layers {
			if err := m.advance(i); err != nil {
				return Item{}, false, err
			}
		}
	}
	newest := -1
	for i, live := range m.live {
		if live && (newest < 0 || m.heads[i].Key < m.heads[newest].Key) {
			newest = i
		}
	}
	if newest < 0 {
		return Item{}, false, nil
	}
	it := m.heads[newest]
	for i := newest; i < len(m.layers); i++ { // no newer layer has this key
		if m.live[i] && m.heads[i].Key == it.Key {
			if err := m.advance(i); err != nil {
				return Item{}, false, err
			}
		}
	}
	return it, true, nil
}

func (m *Merge) advance(i int) (err error) {
	m.heads[i], m.live[i], err = m.layers[i].Next()
	return err
}
