// Command simulate prints the hit ratios of our policies and of the peers, in percent, on recorded traces (from the
// folder named by the environment variable TRACES) and on synthetic ones.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sysblocks/sysblocks/benchmarks/simulate"
)

func main() {
	markdown := flag.Bool("md", false, "print Markdown")
	only := flag.String("policies", "", "comma-separated names of policies; default all")
	filter := flag.String("trace", "", "only traces whose name contains this")
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
	traces = slices.DeleteFunc(traces, func(t simulate.Trace) bool { return !strings.Contains(t.Name, *filter) })
	fmt.Print(simulate.Table(simulate.Compare(traces, policies), policies, *markdown))
}
