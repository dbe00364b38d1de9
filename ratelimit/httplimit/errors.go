package httplimit

import "errors"

// ErrInvalid is wrapped by every error of New; the text names the argument or the field.
var ErrInvalid = errors.New("httplimit: invalid argument")
