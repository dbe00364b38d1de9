package sysblocks_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUserOfHashringGetsOneIndirectModule builds the module of a service that
// imports one block, and counts what it is given.
func TestUserOfHashringGetsOneIndirectModule(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module service\n\ngo 1.26.0\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + root + "\n",
		"main.go": `package main

import "` + module + `/hashring"

func main() {
	ring, err := hashring.New(hashring.Nodes("a", "b"), hashring.Options{})
	if err != nil {
		panic(err)
	}
	owner, _ := ring.Get("user:42")
	println(owner)
}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"mod", "tidy"}, {"build", "-o", filepath.Join(dir, "service"), "."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var indirect []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "// indirect") {
			indirect = append(indirect, strings.TrimSpace(line))
		}
	}
	if len(indirect) != 1 || !strings.Contains(indirect[0], "github.com/cespare/xxhash/v2") {
		t.Errorf("indirect requirements: %q, want xxhash alone", indirect)
	}
}
