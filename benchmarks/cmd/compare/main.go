// Command compare measures our packages against their peers, side by side in
// one process, and prints a table.
//
//	go run ./benchmarks/cmd/compare -pkg hashring          the table, for a terminal
//	go run ./benchmarks/cmd/compare -pkg hashring -md      the same in Markdown
//	go run ./benchmarks/cmd/compare -pkg hashring -check   exit status 1 when a row is short
//	go run ./benchmarks/cmd/compare -pkg hashring -into hashring/README.md
//	                                                       rewrite the table in that file
//
// Only the ratios count: both sides of a ratio ran in turns on the same machine.
// Close other programs first.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/bloomrows"
	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/benchmarks/internal/hashringrows"
	"github.com/sysblocks/sysblocks/benchmarks/internal/idgenrows"
	"github.com/sysblocks/sysblocks/benchmarks/internal/lrurows"
	"github.com/sysblocks/sysblocks/benchmarks/internal/paginationrows"
	"github.com/sysblocks/sysblocks/benchmarks/internal/ratelimitrows"
	"github.com/sysblocks/sysblocks/benchmarks/internal/sessionrows"
)

// suite returns the rows of a package; quick shrinks the data.
type suite func(quick bool) ([]harness.Row, error)

// suites has one line per package.
var suites = map[string]suite{ //nolint:gochecknoglobals // a table that is never written
	"bloom":      bloomrows.Rows,
	"hashring":   hashringrows.Rows,
	"idgen":      idgenrows.Rows,
	"lru":        lrurows.Rows,
	"pagination": paginationrows.Rows,
	"ratelimit":  ratelimitrows.Rows,
	"session":    sessionrows.Rows,
}

func main() {
	code, err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "compare:", err)
	}
	os.Exit(code)
}

// run returns 0, 1 when -check found a short row, 2 on an error.
func run(args []string, out, progress io.Writer) (int, error) {
	fs := flag.NewFlagSet("compare", flag.ContinueOnError)
	pkg := fs.String("pkg", "", "the package: "+strings.Join(names(), ", "))
	only := fs.String("rows", "", "only rows whose workload matches this `regexp`")
	quick := fs.Bool("quick", false, "small data and short batches: to see it work, not for figures")
	md := fs.Bool("md", false, "print Markdown")
	check := fs.Bool("check", false, "exit with status 1 when a row is short of its target")
	into := fs.String("into", "", "rewrite the generated table in this `file`")
	if err := fs.Parse(args); err != nil {
		return 2, err
	}
	results, err := measure(*pkg, *only, *quick, progress)
	if err != nil {
		return 2, err
	}
	switch {
	case *into != "":
		err = rewrite(*into, *pkg, results)
	case *md:
		err = harness.WriteMarkdown(out, results)
	default:
		err = harness.WriteText(out, results)
	}
	if err != nil {
		return 2, err
	}
	short := slices.ContainsFunc(results, func(r harness.Result) bool { return !r.OK })
	if *check && short {
		return 1, errors.New("a row is short of its target")
	}
	return 0, nil
}

func measure(pkg, only string, quick bool, progress io.Writer) ([]harness.Result, error) {
	rows, ok := suites[pkg]
	if !ok {
		return nil, fmt.Errorf("-pkg %q: want one of %s", pkg, strings.Join(names(), ", "))
	}
	match, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("-rows: %w", err)
	}
	list, err := rows(quick)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pkg, err)
	}
	budget := harness.Budget{}
	if quick {
		budget = harness.Budget{Batch: time.Millisecond, Rounds: 3}
	}
	var results []harness.Result
	for _, row := range list {
		if !match.MatchString(row.Workload) {
			continue
		}
		fmt.Fprintf(progress, "%s…\n", row.Workload)
		res, err := harness.Run(row, budget)
		if err != nil {
			return nil, err
		}
		results = append(results, res)
	}
	if len(results) == 0 {
		return nil, fmt.Errorf("-rows %q matches no row of %s", only, pkg)
	}
	return results, nil
}

// rewrite replaces what stands between the two marker comments of the package.
func rewrite(path, pkg string, results []harness.Result) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin := fmt.Sprintf("<!-- go run ./benchmarks/cmd/compare -pkg %s -into %s -->\n", pkg, path)
	const end = "<!-- end -->"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s: want the lines %q and %q around the table", path, strings.TrimSpace(begin), end)
	}
	var b strings.Builder
	b.WriteString(before + begin)
	if err := harness.WriteMarkdown(&b, results); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%s, %s/%s, GOMAXPROCS %d, %s. Only the ratios carry over to another machine.\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), time.Now().UTC().Format(time.DateOnly))
	b.WriteString(end + after)
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func names() []string { return slices.Sorted(maps.Keys(suites)) }
