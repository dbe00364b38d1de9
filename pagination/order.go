package pagination

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

const (
	// maxNames bounds the keys that a request may sort by: more never help a
	// reader, and each pair of lists is a statement to prepare.
	maxNames = 4
	// cachedOrders bounds the re-sorted orders that are kept.
	cachedOrders = 64
)

// Order is a total order of rows: terms, of which the last ones identify a row.
// It also knows the keys that rows may be re-sorted and filtered by. It is
// immutable and safe for concurrent use.
type Order[T any] struct {
	terms  []Term[T]
	text   string
	family *family[T]
}

// Term is one key of an order, with its direction.
type Term[T any] struct {
	Key  Key[T]
	Desc bool
}

// family is what an order shares with its re-sorted versions.
type family[T any] struct {
	keys   []Key[T]
	byName map[string]int

	mu     sync.Mutex
	sorted map[string]*Order[T] // by the text that was parsed
}

// NewOrder returns the order of sort, a list like "-created_at,+title" or
// "created_at desc, title", over the keys. The ID keys that it does not name
// follow in the direction of the last name, so that rows are never tied and one
// index can serve; "" orders by them alone. Names after the last ID key decide
// nothing and are dropped. Without an ID key, with a nullable one, or with an
// unknown or duplicate name, NewOrder returns ErrOrder.
func NewOrder[T any](sort string, keys ...Key[T]) (*Order[T], error) {
	f := &family[T]{byName: make(map[string]int, len(keys)), sorted: make(map[string]*Order[T])}
	ids := 0
	for _, k := range keys {
		if k.Name == "" {
			k.Name = lastPart(k.Column)
		}
		if err := checkKey(k); err != nil {
			return nil, err
		}
		if _, ok := f.byName[k.Name]; ok {
			return nil, fmt.Errorf("%w: the key %q stands there twice", ErrOrder, k.Name)
		}
		if k.ID {
			ids++
		}
		f.byName[k.Name] = len(f.keys)
		f.keys = append(f.keys, k)
	}
	if ids == 0 {
		return nil, fmt.Errorf("%w: no key identifies a row; make one with ID", ErrOrder)
	}
	o, err := f.parse(sort)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOrder, err.Err)
	}
	return o, nil
}

func checkKey[T any](k Key[T]) error {
	switch {
	case !isName(k.Name):
		return fmt.Errorf("%w: %q is no name for a key; set Name to letters, digits and underscores", ErrOrder, k.Name)
	case k.Of == nil:
		return fmt.Errorf("%w: the key %q has no Of", ErrOrder, k.Name)
	case k.Kind < KindBool || k.Kind > KindDecimal:
		return fmt.Errorf("%w: the key %q has no kind", ErrOrder, k.Name)
	case k.Nulls > NullsLast:
		return fmt.Errorf("%w: the key %q has no known place for NULL", ErrOrder, k.Name)
	case k.ID && k.Nulls != NotNull:
		return fmt.Errorf("%w: the key %q identifies rows, and so cannot be NULL", ErrOrder, k.Name)
	}
	return nil
}

// isName admits what the grammar of sort and filter parameters can name.
func isName(s string) bool {
	for i, c := range s {
		switch {
		case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80:
		case (c == '-' || c == '.' || c >= '0' && c <= '9') && i > 0:
		default:
			return false
		}
	}
	return s != ""
}

// Sort returns the same keys in another order. The grammar is that of
// [NewOrder]; a name that is unknown, empty or repeated, or a fifth one, is a
// ParamError with ErrSort. Results are cached.
func (o *Order[T]) Sort(sort string) (*Order[T], error) {
	f := o.family
	f.mu.Lock()
	cached := f.sorted[sort]
	f.mu.Unlock()
	if cached != nil {
		return cached, nil
	}
	if n := strings.Count(sort, ",") + 1; n > maxNames {
		return nil, &ParamError{"sort", fmt.Errorf("%w: %d names, at most %d", ErrSort, n, maxNames)}
	}
	sorted, bad := f.parse(sort)
	if bad != nil {
		return nil, &ParamError{bad.Param, fmt.Errorf("%w: %w", ErrSort, bad.Err)}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sorted) >= cachedOrders {
		clear(f.sorted)
	}
	f.sorted[strings.Clone(sort)] = sorted
	return sorted, nil
}

// parse builds the order of a sort text.
func (f *family[T]) parse(sort string) (*Order[T], *ParamError) {
	o := &Order[T]{family: f}
	missing := 0
	for _, k := range f.keys {
		missing += boolInt(k.ID)
	}
	named := make(map[string]bool)
	desc := false
	if sort != "" {
		for item := range strings.SplitSeq(sort, ",") {
			var name string
			name, desc = parseItem(item)
			i, ok := f.byName[name]
			switch {
			case name == "":
				return nil, &ParamError{"sort", errors.New("an empty name")}
			case !ok:
				return nil, &ParamError{name, fmt.Errorf("unknown key %s", quote(name))}
			case named[name]:
				return nil, &ParamError{name, fmt.Errorf("the key %s stands there twice", quote(name))}
			}
			named[name] = true
			if missing == 0 {
				continue // the row is identified: nothing is left to decide
			}
			o.terms = append(o.terms, Term[T]{f.keys[i], desc})
			missing -= boolInt(f.keys[i].ID)
		}
		if missing == 0 {
			desc = false // unused
		}
	}
	for _, k := range f.keys {
		if k.ID && !named[k.Name] {
			o.terms = append(o.terms, Term[T]{k, desc})
		}
	}
	var text strings.Builder
	for i, t := range o.terms {
		if i > 0 {
			text.WriteByte(',')
		}
		if t.Desc {
			text.WriteByte('-')
		} else {
			text.WriteByte('+')
		}
		text.WriteString(t.Key.Name)
	}
	o.text = text.String()
	return o, nil
}

// parseItem reads "-a", "+a", "a", "a desc" or "a asc". A plus sign that was not
// escaped in a URL arrives as a space, and is trimmed with the others.
func parseItem(item string) (name string, desc bool) {
	item = strings.TrimSpace(item)
	if rest, ok := strings.CutPrefix(item, "-"); ok {
		return rest, true
	}
	if rest, ok := strings.CutPrefix(item, "+"); ok {
		return rest, false
	}
	if name, word, ok := strings.Cut(item, " "); ok {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "desc":
			return name, true
		case "asc":
			return name, false
		}
	}
	return item, false
}

// quote shows a name from a request in an error.
func quote(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return fmt.Sprintf("%+q", s)
}

// Terms returns the keys that decide, with their directions, the identifying ones last.
func (o *Order[T]) Terms() []Term[T] { return append([]Term[T](nil), o.terms...) }

// Kinds returns the kinds of the terms, as [Codec.Decode] takes them.
func (o *Order[T]) Kinds() []Kind {
	kinds := make([]Kind, len(o.terms))
	for i := range o.terms {
		kinds[i] = o.terms[i].Key.Kind
	}
	return kinds
}

// Keys returns all keys, whether they are terms or not.
func (o *Order[T]) Keys() []Key[T] { return append([]Key[T](nil), o.family.keys...) }

// Key returns the key of that name, whether it is a term or not.
func (o *Order[T]) Key(name string) (Key[T], bool) {
	if i, ok := o.family.byName[name]; ok {
		return o.family.keys[i], true
	}
	return Key[T]{}, false
}

// String returns the terms, such as "-created_at,-id".
func (o *Order[T]) String() string { return o.text }

// Compare returns −1, 0 or +1 as a comes before b, is the same row, or comes after it.
func (o *Order[T]) Compare(a, b *T) int {
	for i := range o.terms {
		t := &o.terms[i]
		if c := t.compare(t.Key.Of(a), t.Key.Of(b)); c != 0 {
			return c
		}
	}
	return 0
}

// compare orders two values of the term's key.
func (t *Term[T]) compare(a, b Value) int {
	if a.IsNull() || b.IsNull() {
		if a.IsNull() && b.IsNull() {
			return 0
		}
		if a.IsNull() == t.nullsFirst() {
			return -1
		}
		return 1
	}
	compare := t.Key.Compare
	if compare == nil {
		compare = Value.Compare
	}
	c := compare(a, b)
	if t.Desc {
		return -c
	}
	return c
}

// nullsFirst reports whether NULL precedes all other values in the term's direction.
func (t *Term[T]) nullsFirst() bool { return t.Key.Nulls.First(t.Desc) }

// First reports whether NULL precedes the values of a key that is read in the
// given direction. It serves those who write a [Source]; for a read in reverse,
// the answer is reversed as well.
func (n Nulls) First(desc bool) bool {
	switch n {
	case NullsHigh:
		return desc
	case NullsFirst:
		return true
	case NullsLast:
		return false
	case NotNull, NullsLow:
	}
	return !desc
}

// Before returns the gap just before a row, and ErrNullKey, with the name of the
// key, if the row has no position.
func (o *Order[T]) Before(row *T) (Gap, error) { return o.beside(row, false) }

// After returns the gap just after a row; errors are those of Before.
func (o *Order[T]) After(row *T) (Gap, error) { return o.beside(row, true) }

func (o *Order[T]) beside(row *T, after bool) (Gap, error) {
	if err := o.check(row); err != nil {
		return Gap{}, err
	}
	g := Gap{Key: make([]Value, len(o.terms)), After: after}
	for i := range o.terms {
		g.Key[i] = o.terms[i].Key.Of(row)
	}
	return g, nil
}

// check reports why a row has no position.
func (o *Order[T]) check(row *T) error {
	for i := range o.terms {
		k := &o.terms[i].Key
		v := k.Of(row)
		switch {
		case v.IsNull() && k.Nulls == NotNull:
			return fmt.Errorf("%w: NULL in %s, which is NotNull", ErrNullKey, k.Name)
		case v.IsNull():
		case v.kind != k.Kind:
			return fmt.Errorf("%w: %s returned a %s, its Kind is %s", ErrNullKey, k.Name, v.kind, k.Kind)
		case !v.hasPosition():
			return fmt.Errorf("%w: %s holds a %s that cannot be compared", ErrNullKey, k.Name, v.kind)
		}
	}
	return nil
}

// accepts reports whether g can be a position of the order: not longer, of the
// same kinds, NULL only where it may stand.
func (o *Order[T]) accepts(g Gap) bool {
	if len(g.Key) > len(o.terms) {
		return false
	}
	for i, v := range g.Key {
		k := &o.terms[i].Key
		if v.IsNull() && k.Nulls == NotNull || !v.IsNull() && (v.kind != k.Kind || !v.hasPosition()) {
			return false
		}
	}
	return true
}

// compareGap returns −1 if the row stands before the gap, +1 if it stands after it.
func (o *Order[T]) compareGap(row *T, g Gap) int {
	for i, v := range g.Key {
		t := &o.terms[i]
		if c := t.compare(t.Key.Of(row), v); c != 0 {
			return c
		}
	}
	if g.After {
		return -1
	}
	return 1
}

// sameKey reports whether a row's key is the gap's, in full.
func (o *Order[T]) sameKey(row *T, g Gap) bool {
	if len(g.Key) != len(o.terms) {
		return false
	}
	for i, v := range g.Key {
		t := &o.terms[i]
		if t.compare(t.Key.Of(row), v) != 0 {
			return false
		}
	}
	return true
}
