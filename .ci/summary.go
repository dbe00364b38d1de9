// Command summary reads the events of `go test -json` on standard input, prints
// what failed and what was skipped, by name, and closes with the counts.
// Exit status 1 when a test or a package failed, or when no test ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

type event struct {
	Action, Package, Test, Output, ImportPath string
}

func main() {
	output := map[string][]string{} // by test
	var passed int
	var failed, skipped, broken []string
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var e event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			fmt.Println(in.Text()) // not an event: the go command speaks
			continue
		}
		name := strings.TrimPrefix(e.Package+e.ImportPath, "github.com/sysblocks/sysblocks")
		name = strings.Trim(name+" "+e.Test, "/ ")
		switch e.Action {
		case "output", "build-output":
			output[name] = append(output[name], e.Output)
		case "build-fail":
			broken = append(broken, name)
		case "pass":
			if e.Test != "" {
				passed++
			}
		case "skip":
			if e.Test != "" {
				skipped = append(skipped, name)
			}
		case "fail":
			if e.Test == "" {
				broken = append(broken, name)
			} else {
				failed = append(failed, name)
			}
		}
	}
	if err := in.Err(); err != nil {
		fmt.Println("summary:", err)
		os.Exit(1)
	}
	for _, name := range slices.Concat(failed, broken) {
		fmt.Printf("--- failed: %s\n%s", name, strings.Join(output[name], ""))
	}
	for _, name := range skipped {
		fmt.Printf("skipped: %s: %s\n", name, reason(output[name]))
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, len(failed), len(skipped))
	if len(failed)+len(broken) > 0 || passed == 0 {
		os.Exit(1)
	}
}

// reason is the line that t.Skip has printed.
func reason(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			return line
		}
	}
	return "no reason given"
}
