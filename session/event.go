package session

import "context"

// An Event tells what has happened to one session. It holds no secret.
type Event struct {
	Kind   EventKind
	ID     ID     // zero for the EventRevoked of RevokeUser
	UserID string // "" for an anonymous session
	Err    error  // the cause, for EventDataReset and EventCommitFailed
}

// EventKind says what has happened.
type EventKind uint8

// The kinds of events.
const (
	EventCreated EventKind = iota + 1
	EventLogin
	EventRenewed
	EventLogout
	EventRevoked
	EventForged       // right form, wrong secret or tag
	EventReused       // a secret presented after its grace, see Rotation
	EventDataReset    // data could not be decoded; identity kept
	EventCommitFailed // after the handler, response already under way or replaced
)

// String is the kind in words, such as "login".
func (k EventKind) String() string {
	switch k {
	case EventCreated:
		return "created"
	case EventLogin:
		return "login"
	case EventRenewed:
		return "renewed"
	case EventLogout:
		return "logout"
	case EventRevoked:
		return "revoked"
	case EventForged:
		return "forged"
	case EventReused:
		return "reused"
	case EventDataReset:
		return "data reset"
	case EventCommitFailed:
		return "commit failed"
	}
	return "unknown"
}

// event reports to OnEvent, on the goroutine that caused it and with no lock held.
func (m *Manager[T]) event(ctx context.Context, e Event) {
	if m.opts.OnEvent != nil {
		m.opts.OnEvent(ctx, e)
	}
}
