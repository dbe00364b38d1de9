package sqlpage

import (
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/sysblocks/sysblocks/pagination"
)

// field is a field of a row with a db tag.
type field struct {
	column string
	typ    reflect.Type
	offset uintptr
}

// fieldsOf lists the tagged fields of T, those of embedded structs included.
func fieldsOf[T any]() ([]field, error) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%w: the db tags of %s, which is no struct", pagination.ErrInvalid, t)
	}
	fields := appendFields(nil, t, 0)
	if len(fields) == 0 {
		return nil, fmt.Errorf("%w: %s has no db tags", pagination.ErrInvalid, t)
	}
	for i := range fields {
		for j := range i {
			if fields[i].column == fields[j].column {
				return nil, fmt.Errorf("%w: %s has two fields with the db tag %q", pagination.ErrInvalid, t, fields[i].column)
			}
		}
	}
	return fields, nil
}

func appendFields(fields []field, t reflect.Type, offset uintptr) []field {
	for f := range t.Fields() {
		tag, tagged := f.Tag.Lookup("db")
		column, _, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct:
			fields = appendFields(fields, f.Type, offset+f.Offset)
		case f.IsExported() && tagged && column != "" && column != "-":
			fields = append(fields, field{column, f.Type, offset + f.Offset})
		}
	}
	return fields
}

// scanner returns a function that scans the fields in their order, for the rows of
// one result. They are read into one row, whose pointers are made once, and copied.
func scanner[T any](fields []field) func(rows *sql.Rows, row *T) error {
	read, zero := new(T), *new(T)
	dest := make([]any, len(fields))
	for i := range fields {
		dest[i] = reflect.NewAt(fields[i].typ, unsafe.Add(unsafe.Pointer(read), fields[i].offset)).Interface()
	}
	return func(rows *sql.Rows, row *T) error {
		*read = zero
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		*row = *read
		return nil
	}
}

// Keys returns a key per db tag of T whose type a key can have, in the order of
// the fields. id names those that identify a row: "id", or "order_id,line".
// Pointers and the Null types of database/sql may be NULL, which stands where the
// engine puts it, so that an ordinary index serves.
func Keys[T any](d Dialect, id string) ([]pagination.Key[T], error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	fields, err := fieldsOf[T]()
	if err != nil {
		return nil, err
	}
	var ids []string
	for name := range strings.SplitSeq(id, ",") {
		ids = append(ids, strings.TrimSpace(name))
	}
	var keys []pagination.Key[T]
	for _, f := range fields {
		kind, value, nullable := valueAt(f.typ)
		if value == nil {
			continue // selected, but nothing that rows can be ordered by
		}
		offset := f.offset
		k := pagination.Key[T]{
			Column: f.column, Kind: kind,
			Of: func(row *T) pagination.Value { return value(unsafe.Add(unsafe.Pointer(row), offset)) },
		}
		if nullable {
			k.Nulls = d.nulls()
		}
		k.Name = strings.Trim(f.column[strings.LastIndexByte(f.column, '.')+1:], "`\"[]")
		if i := slices.Index(ids, k.Name); i >= 0 {
			ids = slices.Delete(ids, i, i+1)
			k.ID = true
		}
		keys = append(keys, k)
	}
	if len(ids) > 0 {
		return nil, fmt.Errorf("%w: %s has no field of the identity %q that can be a key", pagination.ErrOrder, reflect.TypeFor[T](), ids[0])
	}
	return keys, nil
}

// valueAt returns how to read a key from a field of type t; nil if it is no key.
func valueAt(t reflect.Type) (kind pagination.Kind, value func(unsafe.Pointer) pagination.Value, nullable bool) {
	switch {
	case t.Kind() == reflect.Pointer:
		kind, inner, nested := valueAt(t.Elem())
		if inner == nil || nested {
			return 0, nil, false
		}
		return kind, func(p unsafe.Pointer) pagination.Value {
			if q := *(*unsafe.Pointer)(p); q != nil {
				return inner(q)
			}
			return pagination.Value{}
		}, true
	case t.Kind() == reflect.Struct && t.PkgPath() == "database/sql" && strings.HasPrefix(t.Name(), "Null") && t.NumField() == 2:
		kind, inner, nested := valueAt(t.Field(0).Type)
		if inner == nil || nested {
			return 0, nil, false
		}
		valid := t.Field(1).Offset
		return kind, func(p unsafe.Pointer) pagination.Value {
			if *(*bool)(unsafe.Add(p, valid)) {
				return inner(p)
			}
			return pagination.Value{}
		}, true
	}
	kind, value = scalarAt(t)
	return kind, value, false
}

// scalarAt reads a field whose underlying type the reflected kind has established.
func scalarAt(t reflect.Type) (pagination.Kind, func(unsafe.Pointer) pagination.Value) {
	type ptr = unsafe.Pointer
	type val = pagination.Value
	switch {
	case t == reflect.TypeFor[time.Time]():
		return pagination.KindTime, func(p ptr) val { return pagination.TimeValue(*(*time.Time)(p)) }
	case t == reflect.TypeFor[pagination.Decimal]():
		return pagination.KindDecimal, func(p ptr) val { return pagination.DecimalValue(*(*pagination.Decimal)(p)) }
	}
	switch t.Kind() { //nolint:exhaustive // other kinds are no keys
	case reflect.Bool:
		return pagination.KindBool, func(p ptr) val { return pagination.BoolValue(*(*bool)(p)) }
	case reflect.Int:
		return pagination.KindInt, func(p ptr) val { return pagination.IntValue(int64(*(*int)(p))) }
	case reflect.Int8:
		return pagination.KindInt, func(p ptr) val { return pagination.IntValue(int64(*(*int8)(p))) }
	case reflect.Int16:
		return pagination.KindInt, func(p ptr) val { return pagination.IntValue(int64(*(*int16)(p))) }
	case reflect.Int32:
		return pagination.KindInt, func(p ptr) val { return pagination.IntValue(int64(*(*int32)(p))) }
	case reflect.Int64:
		return pagination.KindInt, func(p ptr) val { return pagination.IntValue(*(*int64)(p)) }
	case reflect.Uint:
		return pagination.KindUint, func(p ptr) val { return pagination.UintValue(uint64(*(*uint)(p))) }
	case reflect.Uint8:
		return pagination.KindUint, func(p ptr) val { return pagination.UintValue(uint64(*(*uint8)(p))) }
	case reflect.Uint16:
		return pagination.KindUint, func(p ptr) val { return pagination.UintValue(uint64(*(*uint16)(p))) }
	case reflect.Uint32:
		return pagination.KindUint, func(p ptr) val { return pagination.UintValue(uint64(*(*uint32)(p))) }
	case reflect.Uint64:
		return pagination.KindUint, func(p ptr) val { return pagination.UintValue(*(*uint64)(p)) }
	case reflect.Float32:
		return pagination.KindFloat, func(p ptr) val { return pagination.FloatValue(float64(*(*float32)(p))) }
	case reflect.Float64:
		return pagination.KindFloat, func(p ptr) val { return pagination.FloatValue(*(*float64)(p)) }
	case reflect.String:
		return pagination.KindString, func(p ptr) val { return pagination.StringValue(*(*string)(p)) }
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return pagination.KindBytes, func(p ptr) val {
				if b := *(*[]byte)(p); b != nil {
					return pagination.BytesValue(b)
				}
				return val{}
			}
		}
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Len() == 16 {
			return pagination.KindUUID, func(p ptr) val { return pagination.UUIDValue(*(*[16]byte)(p)) }
		}
	}
	return 0, nil
}
