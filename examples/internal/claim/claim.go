// Package claim is the common grammar of the examples: a program states claims, attacks the system, counts, and lets the counted
// facts decide. Each claim has a control, the naive way of doing the same, and the control must show the damage that the claim
// denies; a claim whose control survives the attack is no evidence and counts as failed.
//
//	no flags, -demo   run the claims; exit code 0 when all hold and all controls break, else 1
//	-serve            run the system until interrupted
//	-estimate         print the arithmetic behind the design
//
// Exit code 2 is wrong use, or an engine that was asked for and cannot be had.
package claim

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/estimate"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
)

// Claim is a sentence that can be false, with the attack that would show it.
type Claim struct {
	ID, Text    string
	Run         func(ctx context.Context, env Env) (Facts, error)
	Holds       func(f Facts) bool // pure: the verdict follows from the printed facts and nothing else
	ControlText string
	Control     func(ctx context.Context, env Env) (Facts, error)
	Breaks      func(f Facts) bool // pure: the control shows the anomaly
	Show        []string           // the order in which facts are printed; others follow by name
}

// Facts are what was counted, by lower-case-with-hyphens names. The names are an interface: tests and the README read them.
type Facts map[string]float64

// Is reports whether the fact was counted and has this value. A verdict asks in this way, so that a missing fact never passes.
func (f Facts) Is(name string, value float64) bool {
	got, counted := f[name]
	return counted && got == value
}

// Over reports whether the fact was counted and is greater than the limit.
func (f Facts) Over(name string, limit float64) bool {
	got, counted := f[name]
	return counted && got > limit
}

// AtMost reports whether the fact was counted and is not greater than the limit.
func (f Facts) AtMost(name string, limit float64) bool {
	got, counted := f[name]
	return counted && got <= limit
}

// text lists the facts, first those of the order, then the rest by name. Numbered ones become one line of bars.
func (f Facts) text(order []string) string {
	lines, f := sparks(f)
	names := slices.AppendSeq(slices.Collect(maps.Keys(f)), maps.Keys(lines))
	rank := func(name string) int {
		if i := slices.Index(order, name); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		if line, ok := lines[name]; ok {
			names[i] = name + "=" + line
		} else {
			names[i] = name + "=" + number(f[name])
		}
	}
	return strings.Join(names, " ")
}

func number(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// Env is what a claim runs in.
type Env struct {
	Seed     int64
	Quick    bool // a tenth of the work
	Engines  engine.Engines
	Progress io.Writer // one Write is one line of progress; it is throttled, so write as often as you like
}

// Size is n, or a tenth of it with -quick.
func (e Env) Size(n int) int {
	if e.Quick {
		return max(n/10, 1)
	}
	return n
}

// Note writes a line of progress. A terminal that has gone away must not end a demo, so errors are dropped.
func (e Env) Note(format string, args ...any) {
	if e.Progress != nil {
		_, _ = fmt.Fprintf(e.Progress, format, args...)
	}
}

// Example is one program.
type Example struct {
	Name      string                                          // kvstore
	Title     func() string                                   // what runs, after the flags are parsed: "5 nodes in 3 zones"
	Flags     func(fs *flag.FlagSet)                          // its own flags; may be nil
	Check     func() error                                    // of its own flags; an error is wrong use; may be nil
	Supports  engine.Support                                  // real engines it can run on
	Reach     func(context.Context, engine.Engines) error     // finds out whether they answer, before anything is printed; may be nil
	Claims    []Claim                                         // in the order in which they run
	Bytes     float64                                         // default of -bytes
	Estimate  func(estimate.Assumptions) []estimate.Figure    // what follows the common figures; may be nil
	Exchanges []exchange.Exchange                             // its HTTP interface
	Serve     func(ctx context.Context, site Site) error      // runs the system until ctx ends
	Commands  map[string]func(context.Context, Command) error // what the first argument may name instead of flags
}

// Command is a call such as "kvstore files ls".
type Command struct {
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Main runs the program and exits.
func Main(e Example) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, e, os.Args[1:], Command{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	stop()
	os.Exit(code)
}
