package readme

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
)

// Test checks the README of the example in the present folder, or rewrites its blocks first.
func Test(t *testing.T, example func() claim.Example, update bool) {
	t.Helper()
	e := example()
	p := Page{
		Dir:     ".",
		Run:     func(command string) (string, error) { return run(t.Context(), example, command) },
		Machine: fmt.Sprintf("%s/%s, %d CPUs", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
		Date:    time.Now().UTC().Format(time.DateOnly),
	}
	for _, c := range e.Claims {
		p.Claims = append(p.Claims, c.ID+" PASS", c.Text, c.ControlText)
	}
	if update {
		if err := p.Update(); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range p.Check() {
		t.Errorf("%v\nto rewrite the blocks: go generate ./examples/%s", err, e.Name)
	}
}

// run prints what a command prints.
func run(ctx context.Context, example func() claim.Example, command string) (string, error) {
	e := example()
	words := strings.Fields(command)
	switch {
	case command == "exchanges":
		return exchange.Markdown("http://127.0.0.1:8080", e.Exchanges), nil
	case len(words) == 3 && words[0] == "source":
		code, err := Source(words[1], words[2])
		return fence("go", code), err
	case strings.HasPrefix(command, "go run ./examples/"+e.Name):
		var out, errs bytes.Buffer
		if code := claim.Run(ctx, e, words[3:], claim.Command{Stdout: &out, Stderr: &errs}); code != 0 {
			return "", fmt.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
		}
		if strings.Contains(command, "-format md") {
			return out.String(), nil
		}
		return fence("", "$ "+command+"\n"+out.String()), nil
	}
	return "", fmt.Errorf("unknown command %q", command)
}

func fence(language, text string) string { return "```" + language + "\n" + text + "```\n" }
