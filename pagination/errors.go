package pagination

import (
	"errors"
	"strconv"
)

// The errors of the package. Those about the request are wrapped in a
// [ParamError] that names the parameter; all answer [errors.Is].
var (
	// ErrToken says that a token is damaged, forged or not ours.
	ErrToken = errors.New("pagination: the token is damaged, forged or not ours")
	// ErrTokenScope says that a token belongs to another resource, order, filter or principal. It is an ErrToken.
	ErrTokenScope error = &tokenError{"pagination: the token belongs to another resource, order, filter or principal"}
	// ErrTokenExpired says that a token is older than CodecOptions.MaxAge, or from the future. It is an ErrToken.
	ErrTokenExpired error = &tokenError{"pagination: the token has expired"}

	// ErrLimit says that the limit is negative or no number.
	ErrLimit = errors.New("pagination: bad limit")
	// ErrOffset says that a page number or offset is negative, zero where it counts from one, or too deep.
	ErrOffset = errors.New("pagination: bad offset")
	// ErrSort says that the request names a key that does not exist or is not allowed, or too many.
	ErrSort = errors.New("pagination: bad sort")
	// ErrFilter says that a filter's key, operator or value is not allowed.
	ErrFilter = errors.New("pagination: bad filter")
	// ErrFields says that a field is asked for that is not offered.
	ErrFields = errors.New("pagination: bad fields")
	// ErrParams says that parameters contradict each other, are repeated, or belong to a convention that is not accepted.
	ErrParams = errors.New("pagination: bad parameters")

	// ErrOrder says that an order has no identifying key, or an unknown or duplicate one, or that a source returned rows out of order.
	ErrOrder = errors.New("pagination: bad order")
	// ErrNullKey says that a row has no position: NULL in a NotNull key, NaN, a malformed decimal,
	// text that is not UTF-8 or holds a NUL byte, or a time outside the years 1 to 9999.
	ErrNullKey = errors.New("pagination: a key without a position")
	// ErrKeySize says that a key is too long for a token.
	ErrKeySize = errors.New("pagination: a key is too long for a token")
	// ErrInvalid says that an argument or a field of an Options value is out of its range.
	ErrInvalid = errors.New("pagination: invalid argument")
	// ErrUnsupported says that the source cannot do what is asked.
	ErrUnsupported = errors.New("pagination: not supported by the source")

	// Static, so that refusing a hostile token allocates nothing.
	errTokenLength   error = &tokenError{"pagination: bad token: longer than 2048 characters"}
	errTokenEncoding error = &tokenError{"pagination: bad token: not base64url, or not its only spelling"}
	errTokenVersion  error = &tokenError{"pagination: bad token: unknown version or mode"}
	errTokenTag      error = &tokenError{"pagination: bad token: not authentic"}
	errTokenPayload  error = &tokenError{"pagination: bad token: malformed position"}
	errTokenKind     error = &tokenError{"pagination: bad token: does not fit the order"}
	errTokenOpen     error = &tokenError{"pagination: bad token: it names no row, as after and before must"}
)

// tokenError is an ErrToken with its own sentence.
type tokenError struct{ text string }

func (e *tokenError) Error() string { return e.text }

// Is makes every token error an ErrToken.
func (e *tokenError) Is(target error) bool { return target == ErrToken }

// ParamError is an error about one parameter of a request. Param is the
// parameter's name, or that of the key; Err wraps one of the package's errors.
// Neither ever holds a token.
type ParamError struct {
	Param string
	Err   error
}

// Error returns the text of Err, followed by the name of the parameter.
func (e *ParamError) Error() string {
	name := e.Param
	if len(name) > 64 {
		name = name[:64] + "…"
	}
	return e.Err.Error() + " (parameter " + strconv.QuoteToASCII(name) + ")"
}

// Unwrap returns Err.
func (e *ParamError) Unwrap() error { return e.Err }
