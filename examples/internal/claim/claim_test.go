package claim_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/claim/claimtest"
	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
)

// counts returns a run that counts a fixed number of lost things.
func counts(lost float64) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(_ context.Context, env claim.Env) (claim.Facts, error) {
		env.Note("counting")
		return claim.Facts{"lost": lost, "acked": float64(env.Size(500)), "share": 0.16666}, nil
	}
}

func sample() claim.Example {
	one := func(id string) claim.Claim {
		return claim.Claim{
			ID: id, Text: "loses nothing", Run: counts(0), Holds: func(f claim.Facts) bool { return f.Is("lost", 0) },
			ControlText: "one copy", Control: counts(7), Breaks: func(f claim.Facts) bool { return f.Over("lost", 0) },
			Show: []string{"acked", "lost"},
		}
	}
	nodes := 5
	return claim.Example{
		Name: "sample", Title: func() string { return "five nodes" },
		Flags: func(fs *flag.FlagSet) { fs.IntVar(&nodes, "nodes", 5, "nodes") },
		Check: func() error {
			if nodes < 1 {
				return errors.New("-nodes must be positive")
			}
			return nil
		},
		Claims: []claim.Claim{one("a"), one("b")}, Bytes: 1000,
		Exchanges: []exchange.Exchange{{What: "read", Method: "GET", Path: "/x", Status: 200, Text: "hello"}},
		Serve: func(ctx context.Context, s claim.Site) error {
			return s.HTTP(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
		},
		Commands: map[string]func(context.Context, claim.Command) error{
			"echo": func(_ context.Context, c claim.Command) error {
				_, err := io.WriteString(c.Stdout, strings.Join(c.Args, " "))
				return err
			},
		},
	}
}

func run(t *testing.T, e claim.Example, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = claim.Run(t.Context(), e, args, claim.Command{Stdout: &out, Stderr: &errs})
	return out.String(), errs.String(), code
}

func TestSampleIsGreenAndCanBeRed(t *testing.T) {
	claimtest.Green(t, sample)
	claimtest.Red(t, sample)
}

func TestTextIsTheVerdictBlock(t *testing.T) {
	got, _, code := run(t, sample(), "-quick", "-seed", "4")
	want := `sample: five nodes, seed 4

a PASS  loses nothing      acked=50 lost=0 share=0.167
        control, one copy  acked=50 lost=7 share=0.167  breaks, as it should
b PASS  loses nothing      acked=50 lost=0 share=0.167
        control, one copy  acked=50 lost=7 share=0.167  breaks, as it should

2 of 2 claims hold, 2 of 2 controls break.   0.0 s
next: go run ./examples/sample -serve
      curl -i http://127.0.0.1:8080/x
`
	if got != want || code != 0 {
		t.Errorf("code %d, got\n%s", code, got)
	}
	got, _, _ = run(t, sample(), "-only", "b", "-format", "md")
	if !strings.Contains(got, "| b PASS | loses nothing | `acked=500 lost=0 share=0.167` | one copy: ") || strings.Contains(got, "a PASS") {
		t.Error(got)
	}
}

func TestFailureErrorAndAbsurdFactsExitWithOne(t *testing.T) {
	for name, spoil := range map[string]func(c *claim.Claim){
		"false": func(c *claim.Claim) { c.Run = counts(1) },
		"missing fact": func(c *claim.Claim) {
			c.Run = func(context.Context, claim.Env) (claim.Facts, error) { return nil, nil }
		},
		"control unharmed":   func(c *claim.Claim) { c.Control = counts(0) },
		"error":              func(c *claim.Claim) { c.Run = fails },
		"error of a control": func(c *claim.Claim) { c.Control = fails },
		"not a number":       func(c *claim.Claim) { c.Control = counts(math.NaN()) },
	} {
		for _, format := range []string{"text", "md", "json"} {
			e := sample()
			spoil(&e.Claims[0])
			stdout, _, code := run(t, e, "-format", format)
			if code != 1 {
				t.Errorf("%s, %s: exit code %d\n%s", name, format, code, stdout)
			}
			if ok := strings.Contains(stdout, "2 of 2 claims hold, 2 of 2 controls break"); ok {
				t.Errorf("%s: summary says all is well", name)
			}
		}
	}
}

func fails(context.Context, claim.Env) (claim.Facts, error) { return nil, errors.New("no disk") }

func TestWrongUseExitsWithTwoAndSaysWhy(t *testing.T) {
	for args, says := range map[string]string{
		"-demo -serve":          "choose one",
		"-nonsense":             "nonsense",
		"-only z":               "unknown claim \"z\"",
		"-format xml":           "text, md or json",
		"-addr :1":              "-addr has no meaning with -demo",
		"-estimate -seed 3":     "-seed has no meaning with -estimate",
		"-estimate -dau 0":      "-dau",
		"-nodes 0":              "-nodes must be positive",
		"-redis localhost:6379": "-redis",
		"-postgres x":           "-postgres",
		"-quick extra":          "extra",
		"bogus":                 "unknown command",
	} {
		stdout, stderr, code := run(t, sample(), strings.Fields(args)...)
		if code != 2 || !strings.Contains(stderr, says) || stdout != "" {
			t.Errorf("%s: exit code %d, stderr %q, stdout %q", args, code, stderr, stdout)
		}
	}
}

func TestAnEngineThatDoesNotAnswerIsWrongUse(t *testing.T) {
	e := sample()
	e.Supports.Redis = true
	e.Reach = func(_ context.Context, engines engine.Engines) error {
		if engines.Redis == "" {
			return nil
		}
		return fmt.Errorf("%w: -redis", engine.ErrUnreachable)
	}
	if stdout, stderr, code := run(t, e, "-redis", "nowhere:1"); code != 2 || stdout != "" || !strings.Contains(stderr, "-redis") {
		t.Errorf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if _, _, code := run(t, e); code != 0 {
		t.Errorf("embedded: code %d", code)
	}
}

func TestOtherModes(t *testing.T) {
	if out, _, code := run(t, sample(), "-estimate", "-dau", "1e6"); code != 0 || !strings.Contains(out, "qps-peak") {
		t.Errorf("code %d: %s", code, out)
	}
	if out, _, code := run(t, sample(), "echo", "-x", "y"); code != 0 || out != "-x y" {
		t.Errorf("code %d: %s", code, out)
	}
	if _, help, code := run(t, sample(), "-h"); code != 0 || !strings.Contains(help, "-nodes") {
		t.Errorf("code %d: %s", code, help)
	}
}

func TestInterruptedDemoIsNotAPass(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := sample()
	e.Claims[1].Run = func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		cancel()
		return counts(0)(ctx, env)
	}
	var out, errs bytes.Buffer
	if code := claim.Run(ctx, e, nil, claim.Command{Stdout: &out, Stderr: &errs}); code != 1 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
}

func TestServePrintsItsURLFirstAnswersAndEndsInOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- claim.Run(ctx, sample(), []string{"-serve", "-addr", "127.0.0.1:0"}, claim.Command{Stdout: writer, Stderr: os.Stderr})
		_ = writer.Close()
	}()
	buffer := make([]byte, 1000)
	n, err := reader.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	url, rest, _ := strings.Cut(string(buffer[:n]), "\n")
	if !strings.HasPrefix(url, "http://127.0.0.1:") || !strings.Contains(rest, "curl -i "+url+"/x") {
		t.Fatalf("got %q", buffer[:n])
	}
	if wrong := exchange.Replay(t.Context(), http.DefaultClient, url, sample().Exchanges); wrong != nil {
		t.Error(wrong)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
