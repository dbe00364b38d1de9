package redissession

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// asText reads a string in one of the forms in which clients deliver it.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}

// decodeRecord reads the fields v, u, c, e, d, p. All of them missing is no session; anything else that is not a
// whole record is an error.
func decodeRecord(id session.ID, reply any) (session.Record, error) {
	fields, ok := reply.([]any)
	if !ok || len(fields) != 6 {
		return session.Record{}, fmt.Errorf("%w: %T with %d fields to load", ErrReply, reply, len(fields))
	}
	var text [6]string
	missing := 0
	for i, f := range fields {
		if f == nil {
			missing++
		} else if text[i], ok = asText(f); !ok {
			return session.Record{}, fmt.Errorf("%w: %T for a field", ErrReply, f)
		}
	}
	if missing == len(fields) {
		return session.Record{}, session.ErrNotFound
	}
	if missing > 0 {
		return session.Record{}, fmt.Errorf("%w: a record without %d of its fields", ErrReply, missing)
	}
	version, err := strconv.ParseUint(text[0], 10, 64)
	if err != nil || version == 0 {
		return session.Record{}, fmt.Errorf("%w: version %.40q", ErrReply, text[0])
	}
	var times [3]time.Time
	for i := range times {
		ms, err := strconv.ParseInt(text[2+i], 10, 64)
		if err != nil {
			return session.Record{}, fmt.Errorf("%w: time %.40q", ErrReply, text[2+i])
		}
		times[i] = time.UnixMilli(ms)
	}
	return session.Record{
		ID: id, Version: version, UserID: text[1],
		CreatedAt: times[0], ExpiresAt: times[1], Deadline: times[2], Payload: []byte(text[5]),
	}, nil
}
