package claim

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/estimate"
)

// The exit codes.
const (
	exitHolds = 0
	exitFails = 1
	exitUsage = 2
)

// ErrUsage is wrapped by errors of commands and Check that are the caller's mistake.
var ErrUsage = errors.New("wrong use")

// settings are the parsed common flags.
type settings struct {
	mode        string // demo, serve or estimate
	seed        int64
	quick       bool
	only        string
	format      string
	addr, data  string
	engines     engine.Engines
	assumptions estimate.Assumptions
}

// modes lists, for each common flag, the modes in which it means something.
func modes(name string) string {
	switch name {
	case "seed", "quick", "only":
		return "demo"
	case "format":
		return "demo estimate"
	case "addr", "data":
		return "serve"
	case "redis", "postgres":
		return "demo serve"
	case "dau", "reads", "writes", "bytes", "years":
		return "estimate"
	}
	return "demo serve estimate" // the modes themselves, and the example's own flags
}

// Run parses the arguments and runs the program with the given streams. It returns the exit code.
func Run(ctx context.Context, e Example, args []string, std Command) int {
	err := run(ctx, e, args, std)
	var failed *failedError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitHolds
	case errors.As(err, &failed):
		return exitFails // the verdicts have been printed
	}
	_, _ = fmt.Fprintf(std.Stderr, "%s: %v\n", e.Name, err) // nobody is left to tell
	for _, usage := range []error{ErrUsage, engine.ErrUnsupported, engine.ErrUnreachable, estimate.ErrInvalid} {
		if errors.Is(err, usage) {
			return exitUsage
		}
	}
	return exitFails
}

func run(ctx context.Context, e Example, args []string, std Command) error {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, ok := e.Commands[args[0]]
		if !ok {
			return fmt.Errorf("%w: unknown command %q", ErrUsage, args[0])
		}
		std.Args = args[1:]
		return command(ctx, std)
	}
	s, err := parse(e, args, std.Stderr)
	if err != nil {
		return err
	}
	if err := s.engines.Check(e.Name, e.Supports); err != nil {
		return err
	}
	if e.Reach != nil && s.mode != "estimate" {
		if err := e.Reach(ctx, s.engines); err != nil {
			return err
		}
	}
	switch s.mode {
	case "serve":
		return serve(ctx, e, s, std.Stdout)
	case "estimate":
		figures := s.assumptions.Figures()
		if e.Estimate != nil {
			figures = append(figures, e.Estimate(s.assumptions)...)
		}
		return estimate.Write(std.Stdout, s.format, e.Name, s.assumptions, figures)
	}
	return demo(ctx, e, s, std)
}

func parse(e Example, args []string, stderr io.Writer) (settings, error) {
	s := settings{assumptions: estimate.Defaults(e.Bytes)}
	fs := flag.NewFlagSet(e.Name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	modeFlags := map[string]*bool{
		"demo":     fs.Bool("demo", false, "run the claims (default)"),
		"serve":    fs.Bool("serve", false, "run the system until interrupted"),
		"estimate": fs.Bool("estimate", false, "print the arithmetic behind the design"),
	}
	fs.Int64Var(&s.seed, "seed", 1, "demo: decides every random choice")
	fs.BoolVar(&s.quick, "quick", false, "demo: a tenth of the work")
	fs.StringVar(&s.only, "only", "", "demo: these `claims`, as a,c")
	fs.StringVar(&s.format, "format", "text", "demo, estimate: text, md or json")
	fs.StringVar(&s.addr, "addr", "127.0.0.1:8080", "serve: `HOST:PORT`; port 0 takes a free one")
	fs.StringVar(&s.data, "data", "", "serve: keep the data in `DIR`")
	s.engines.Flags(fs)
	s.assumptions.Flags(fs)
	if e.Flags != nil {
		e.Flags(fs)
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return s, err
		}
		return s, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	s.mode = "demo"
	chosen := 0
	for mode, on := range modeFlags {
		if *on {
			s.mode = mode
			chosen++
		}
	}
	if chosen > 1 {
		return s, fmt.Errorf("%w: choose one of -demo, -serve and -estimate", ErrUsage)
	}
	return s, s.check(e, fs)
}

func (s settings) check(e Example, fs *flag.FlagSet) error {
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected argument %q", ErrUsage, fs.Arg(0))
	}
	var misplaced string
	fs.Visit(func(f *flag.Flag) {
		if !strings.Contains(modes(f.Name), s.mode) {
			misplaced = f.Name
		}
	})
	if misplaced != "" {
		return fmt.Errorf("%w: -%s has no meaning with -%s", ErrUsage, misplaced, s.mode)
	}
	if !slices.Contains([]string{"text", "md", "json"}, s.format) {
		return fmt.Errorf("%w: -format %s, want text, md or json", ErrUsage, s.format)
	}
	if s.mode == "serve" && e.Serve == nil {
		return fmt.Errorf("%w: %s has nothing to serve", ErrUsage, e.Name)
	}
	if e.Check != nil {
		if err := e.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrUsage, err)
		}
	}
	return s.assumptions.Validate()
}

// selected returns the claims that -only names, all without it.
func (s settings) selected(e Example) ([]Claim, error) {
	if s.only == "" {
		return e.Claims, nil
	}
	var chosen []Claim
	ids := strings.Split(s.only, ",")
	for _, c := range e.Claims {
		if slices.Contains(ids, c.ID) {
			chosen = append(chosen, c)
			ids = slices.DeleteFunc(ids, func(id string) bool { return id == c.ID })
		}
	}
	if len(ids) > 0 {
		return nil, fmt.Errorf("%w: -only names an unknown claim %q", ErrUsage, ids[0])
	}
	return chosen, nil
}

// serve gives the example a folder and runs it. A folder that nobody asked to keep is removed.
func serve(ctx context.Context, e Example, s settings, out io.Writer) (err error) {
	if s.data == "" {
		s.data, err = os.MkdirTemp("", "sysblocks-"+e.Name+"-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.data)) }()
	} else if err := os.MkdirAll(s.data, 0o750); err != nil {
		return err
	}
	return e.Serve(ctx, Site{Addr: s.addr, Data: s.data, Engines: s.engines, Out: out, Exchanges: e.Exchanges})
}
