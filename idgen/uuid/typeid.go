package uuid

import (
	"fmt"
	"strings"
)

// TypeID returns the TypeID text prefix_01h455vb4pex5vsknk084sn02q; with an empty prefix, the suffix alone. A prefix is up
// to 63 characters of a-z and _, without _ at either end; else ErrSyntax.
func (u UUID) TypeID(prefix string) (string, error) {
	if err := checkPrefix(prefix); err != nil {
		return "", err
	}
	var suffix [26]byte
	encode32(&suffix, (*[16]byte)(&u), crockfordLower)
	if prefix == "" {
		return string(suffix[:]), nil
	}
	return prefix + "_" + string(suffix[:]), nil
}

// ParseTypeID reads the TypeID of exactly this prefix: small letters only, and a suffix up to 7zzz. The error is
// ErrSyntax.
func ParseTypeID(s, prefix string) (UUID, error) {
	if err := checkPrefix(prefix); err != nil {
		return UUID{}, err
	}
	suffix := s
	if prefix != "" {
		rest, found := strings.CutPrefix(s, prefix)
		if !found || !strings.HasPrefix(rest, "_") {
			return UUID{}, fmt.Errorf("%w: %s does not have the prefix %s", ErrSyntax, quote(s), quote(prefix))
		}
		suffix = rest[1:]
	}
	var u UUID
	if !decode32((*[16]byte)(&u), suffix, lowerCase) {
		return UUID{}, fmt.Errorf("%w: %s is not a TypeID suffix of 26 characters up to 7zzz", ErrSyntax, quote(suffix))
	}
	return u, nil
}

func checkPrefix(p string) error {
	bad := len(p) > 63 || strings.HasPrefix(p, "_") || strings.HasSuffix(p, "_")
	for i := range len(p) {
		bad = bad || p[i] != '_' && (p[i] < 'a' || p[i] > 'z')
		if bad {
			break
		}
	}
	if bad {
		return fmt.Errorf("%w: prefix %s, want up to 63 of a-z and _, no _ at either end", ErrSyntax, quote(p))
	}
	return nil
}
