// Package engine says which engines an example runs on: embedded by default, real servers when a flag names one.
//
// An example states what it supports; asking for more is wrong use and ends the program with exit code 2. There is never a
// silent fall-back to the embedded engine: a demo that claims to have run on a server has run on it.
package engine

import (
	"errors"
	"flag"
	"fmt"
	"strings"
)

var (
	// ErrUnsupported is returned when a flag asks for an engine that the example does not have.
	ErrUnsupported = errors.New("engine: not supported by this example")
	// ErrUnreachable is returned when an engine that a flag asks for does not answer.
	ErrUnreachable = errors.New("engine: no answer")
)

// Engines holds what the flags ask for. The zero value is embedded.
type Engines struct {
	Redis    string // host:port or a URL; "" means embedded
	Postgres string // a DSN; "" means embedded
}

// Support lists the real engines that an example can run on.
type Support struct {
	Redis, Postgres bool
}

// Flags registers -redis and -postgres. Every example parses both, so that the answer to an unsupported one is a sentence.
func (e *Engines) Flags(fs *flag.FlagSet) {
	fs.StringVar(&e.Redis, "redis", "", "use the Redis server at `ADDR` (host:port or URL)")
	fs.StringVar(&e.Postgres, "postgres", "", "use the PostgreSQL server at `DSN`")
}

// Check reports the first engine that is asked for and not supported. The text names the flag and never its value, which may
// hold a password.
func (e Engines) Check(example string, s Support) error {
	if e.Redis != "" && !s.Redis {
		return fmt.Errorf("%w: %s has no Redis engine, run it without -redis", ErrUnsupported, example)
	}
	if e.Postgres != "" && !s.Postgres {
		return fmt.Errorf("%w: %s has no PostgreSQL engine, run it without -postgres", ErrUnsupported, example)
	}
	return nil
}

// String names the engines in use, without addresses: "embedded", "redis", "redis and postgres".
func (e Engines) String() string {
	var names []string
	if e.Redis != "" {
		names = append(names, "redis")
	}
	if e.Postgres != "" {
		names = append(names, "postgres")
	}
	if names == nil {
		return "embedded"
	}
	return strings.Join(names, " and ")
}
