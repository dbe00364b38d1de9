package sqlsession

import (
	"errors"
	"reflect"
)

// serializationFailure is the SQLSTATE of what was rolled back because of another transaction: a serialization failure
// of PostgreSQL, a deadlock of MySQL (error 1213).
const serializationFailure = "40001"

// rolledBack tells whether the database says that the statement has had no effect. PostgreSQL drivers tell the state by
// a method. go-sql-driver/mysql has a field of five bytes, which only reflection finds without importing the driver.
func rolledBack(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState() == serializationFailure
	}
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.Indirect(reflect.ValueOf(err))
		if v.Kind() != reflect.Struct {
			continue
		}
		if field := v.FieldByName("SQLState"); field.IsValid() && field.CanInterface() {
			code, ok := reflect.TypeAssert[[5]byte](field)
			return ok && string(code[:]) == serializationFailure
		}
	}
	return false
}
