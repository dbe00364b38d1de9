// Command simulate prints the hit ratios of our policies and of the peers, in percent, on recorded traces (from the
// folder named by the environment variable TRACES) and on synthetic ones.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/sysblocks/sysblocks/benchmarks/simulate"
)

func main() {
	markdown := flag.Bool("md", false, "print Markdown")
	into := flag.String("into", "", "rewrite the generated table in this `file`")
	only := flag.String("policies", "", "comma-separated names of policies; default all")
	filter := flag.String("trace", "", "only traces whose name matches this `regexp`")
	n := flag.Int("n", 1_000_000, "length of the synthetic traces")
	flag.Parse()

	policies := simulate.Policies()
	if *only != "" {
		names := strings.Split(*only, ",")
		policies = slices.DeleteFunc(policies, func(p simulate.Policy) bool { return !slices.Contains(names, p.Name) })
	}
	traces, missing := simulate.Traces(os.Getenv("TRACES"), *n)
	for _, name := range missing {
		fmt.Fprintf(os.Stderr, "trace %s is not in $TRACES and skipped\n", name)
	}
	match, err := regexp.Compile(*filter)
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate: -trace:", err)
		os.Exit(2)
	}
	traces = slices.DeleteFunc(traces, func(t simulate.Trace) bool { return !match.MatchString(t.Name) })
	table := simulate.Table(simulate.Compare(traces, policies), policies, *markdown || *into != "")
	if *into == "" {
		fmt.Print(table)
		return
	}
	if err := rewrite(*into, table); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

// rewrite puts a table between the two marks in a file.
func rewrite(path, table string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin := fmt.Sprintf("<!-- TRACES=… go run ./benchmarks/cmd/simulate -into %s -->\n", path)
	const end = "<!-- end -->"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s: want the lines %q and %q around the table", path, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(path, []byte(before+begin+table+end+after), 0o644)
}
