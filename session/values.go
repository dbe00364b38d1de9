package session

import "encoding/json"

// Values is a key-value bag, for programs that do not want a struct; read and written by Keys.
type Values map[string]json.RawMessage

// A Key names one value of type V in a bag:
//
//	const lang session.Key[string] = "lang"
type Key[V any] string

// Get returns the value of the key; false if there is none or it is not of type V.
func (k Key[V]) Get(bag Values) (V, bool) {
	var v V
	raw, ok := bag[string(k)]
	if !ok || json.Unmarshal(raw, &v) != nil {
		var zero V // Unmarshal may have filled a part
		return zero, false
	}
	return v, true
}

// Set stores v, and makes the bag if it is nil. The error is that of encoding v as JSON.
func (k Key[V]) Set(bag *Values, v V) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if *bag == nil {
		*bag = Values{}
	}
	(*bag)[string(k)] = raw
	return nil
}

// Remove deletes the key from the bag.
func (k Key[V]) Remove(bag *Values) {
	delete(*bag, string(k))
}
