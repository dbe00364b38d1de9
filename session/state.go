package session

import "time"

// state is one version of a session, decoded as far as its identity goes.
type state struct {
	id       ID
	version  uint64
	userID   string
	created  int64 // milliseconds since 1970, as all times here
	expires  int64
	deadline int64
	env      envelope
	data     string // encoded T; empty = zero T
}

func now() int64 { return time.Now().UnixMilli() }

// stateOf decodes a record; false if its envelope is not one of ours.
func stateOf(rec *Record) (st state, ok bool) {
	st = state{
		id: rec.ID, version: rec.Version, userID: rec.UserID,
		created: rec.CreatedAt.UnixMilli(), expires: rec.ExpiresAt.UnixMilli(), deadline: rec.Deadline.UnixMilli(),
	}
	return st, st.decode(string(rec.Payload))
}

// decode takes the payload apart; the rest of st is filled in, the envelope is zero.
func (st *state) decode(payload string) (ok bool) {
	st.data, ok = st.env.decode(payload)
	return ok && !st.env.sealed
}

func (st *state) record() Record {
	payload := make([]byte, 0, maxEnvelope+len(st.env.device)+len(st.data))
	payload = append(st.env.append(payload), st.data...)
	return Record{
		ID: st.id, Version: st.version, UserID: st.userID,
		CreatedAt: time.UnixMilli(st.created), ExpiresAt: time.UnixMilli(st.expires), Deadline: time.UnixMilli(st.deadline),
		Payload: payload,
	}
}

// idle is the idle limit of this session in milliseconds; negative = none.
func (m *Manager[T]) idle(env *envelope) int64 {
	if env.idle != 0 {
		return env.idle
	}
	if m.opts.IdleTimeout < 0 {
		return -1
	}
	return m.opts.IdleTimeout.Milliseconds()
}

// expiry is the end of a session used now: never beyond the deadline.
func (m *Manager[T]) expiry(st *state, now int64) int64 {
	idle := m.idle(&st.env)
	if idle < 0 {
		return st.deadline
	}
	return min(now+idle, st.deadline)
}

// touchPeriod is how far the expiry may lag behind: a tenth of the idle limit, at most a minute. It is what an
// idle session may end too early, and it turns a write per request into one per minute.
func (m *Manager[T]) touchPeriod(env *envelope) int64 {
	return min(m.idle(env)/10, maxTouchPeriod.Milliseconds())
}

// lastSeen is derived from the expiry, which the last touch or save moved; a clamped expiry tells less.
func (m *Manager[T]) lastSeen(st *state) int64 {
	idle := m.idle(&st.env)
	if idle < 0 {
		return st.env.saved
	}
	return max(st.env.saved, st.expires-idle)
}

// due tells whether a use now has to move the expiry, and to when.
func (m *Manager[T]) due(st *state, now int64) (expires int64, due bool) {
	expires = m.expiry(st, now)
	return expires, expires > st.expires && expires-st.expires >= m.touchPeriod(&st.env)
}

// start fills in what a session gets when it is first stored.
func (m *Manager[T]) start(st *state, now int64) {
	st.created = now
	st.env.rotated = now
	st.deadline = now + m.opts.AbsoluteTimeout.Milliseconds()
}

// equalData compares encoded data; zero is the encoding of the zero T, which no data stands for.
func equalData(stored string, fresh []byte, zero string) bool {
	if stored == "" {
		stored = zero
	}
	return stored == string(fresh)
}
