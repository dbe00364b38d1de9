// Package browser_test uses the playground as a person does, in a real Chromium: clicks its controls, and reads what the page shows.
package browser_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// places are where distributions put the browser, the lightest first.
func places() []string {
	return []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"}
}

// chrome finds the browser. Without one the test is skipped, or fails where INTEGRATION=required.
func chrome(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv("SYSBLOCKS_CHROME"); path != "" {
		return path
	}
	for _, name := range places() {
		for _, candidate := range []string{name, filepath.Join("/usr/bin", name), filepath.Join("/usr/lib", name, name), filepath.Join("/snap/bin", name)} {
			if path, err := exec.LookPath(candidate); err == nil {
				return path
			}
		}
	}
	if os.Getenv("INTEGRATION") == "required" {
		tb.Fatalf("INTEGRATION=required, but there is none of %s", strings.Join(places(), ", "))
	}
	tb.Skipf("no browser: none of %s, and SYSBLOCKS_CHROME is not set", strings.Join(places(), ", "))
	return ""
}

var program string // compiled once, from the module that holds it

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "sysblocks-playground-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "playground")
	build := exec.CommandContext(context.Background(), "go", "build", "-C", filepath.Join("..", "..", "..", "examples"), "-o", program, "./playground")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// playground starts the program on a free port and returns its URL, which is the first line of its output.
func playground(tb testing.TB) (url string) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	command := exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0")
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, command.Start())
	tb.Cleanup(func() {
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			tb.Error(err)
		}
		if err := command.Wait(); err != nil {
			tb.Errorf("the playground ended with %v", err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(tb, err)
	url = strings.TrimSuffix(strings.TrimSpace(line), "/")
	require.Regexp(tb, `^http://127\.0\.0\.1:\d+$`, url)
	return url
}

// site is the program, seen through one browser.
type site struct {
	url string
	ctx context.Context // of the browser; tabs are its children
}

// start starts the program and the browser, once for a test.
func start(t *testing.T, flags ...chromedp.ExecAllocatorOption) *site {
	t.Helper()
	path := chrome(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.DisableGPU)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // root has no user namespace for it
	}
	options = append(options, flags...)
	background := context.WithoutCancel(t.Context())
	allocator, endAllocator := chromedp.NewExecAllocator(background, options...)
	ctx, end := chromedp.NewContext(allocator, chromedp.WithErrorf(func(format string, args ...any) {
		t.Logf("chromium: %s", fmt.Sprintf(format, args...))
	}))
	t.Cleanup(func() {
		// Debian's command is a script: to kill it would leave the browser behind, so the browser is asked to close.
		closing, endClosing := context.WithTimeout(ctx, deadline)
		defer endClosing()
		if err := chromedp.Cancel(closing); err != nil {
			t.Error(err)
		}
		end()
		endAllocator()
	})
	require.NoError(t, chromedp.Run(ctx), "start %s", path)
	return &site{url: playground(t), ctx: ctx}
}
