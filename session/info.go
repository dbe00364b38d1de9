package session

import "time"

// LoginOptions are what one login may choose. Zero durations mean those of the manager.
type LoginOptions struct {
	Remember        bool          // the cookie survives the end of the browser
	IdleTimeout     time.Duration // negative = no limit
	AbsoluteTimeout time.Duration // at most 400 days
	Device          string        // label for the user's list of sessions, at most 255 bytes; personal data
}

// Info describes a session. It is safe to show to the user it belongs to.
type Info struct {
	ID         ID
	UserID     string
	Device     string
	CreatedAt  time.Time
	AuthTime   time.Time // last Login; zero while anonymous
	LastSeenAt time.Time // exact to the touch interval
	ExpiresAt  time.Time // if not used again
	Deadline   time.Time // end, however busy
	Current    bool      // the session of the request in ctx
}

// info describes a stored state.
func (m *Manager[T]) info(st *state) Info {
	return Info{
		ID: st.id, UserID: st.userID, Device: st.env.device,
		CreatedAt: timeOf(st.created), AuthTime: timeOf(st.env.auth), LastSeenAt: timeOf(m.lastSeen(st)),
		ExpiresAt: timeOf(st.expires), Deadline: timeOf(st.deadline),
	}
}

// timeOf converts milliseconds; 0 is the zero time.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
