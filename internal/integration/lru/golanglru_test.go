package lru_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	original "github.com/hashicorp/golang-lru/v2"

	"github.com/sysblocks/sysblocks/lru/golanglru"
)

const originalPath = "github.com/hashicorp/golang-lru/v2"

// TestOriginalTestsOfGolangLRUPass compiles golanglru under the names of the original, puts the original's own test
// files beside it, as they are in the module cache, and runs them.
func TestOriginalTestsOfGolangLRUPass(t *testing.T) {
	source := strings.TrimSpace(command(t, ".", "go", "list", "-m", "-f", "{{.Dir}}", originalPath))
	root := t.TempDir()
	ours := filepath.Join("..", "..", "..", "lru", "golanglru")
	place(t, ours, filepath.Join(root, "lru"), strings.NewReplacer("package golanglru", "package lru"))
	place(t, ours, filepath.Join(root, "expirable"), strings.NewReplacer("package golanglru", "package expirable",
		"NewExpirable[", "NewLRU[", "Expirable[", "LRU["))
	copyFile(t, filepath.Join(source, "lru_test.go"), filepath.Join(root, "lru", "lru_test.go"))
	copyFile(t, filepath.Join(source, "testing_test.go"), filepath.Join(root, "lru", "testing_test.go"))
	copyFile(t, filepath.Join(source, "expirable", "expirable_lru_test.go"), filepath.Join(root, "expirable", "lru_test.go"))
	// The one unexported name that the original's tests use.
	write(t, filepath.Join(root, "expirable", "sweep_test.go"), `package expirable

func (c *LRU[K, V]) deleteExpired() {
	c.lock()
	c.unlock()
}
`)
	write(t, filepath.Join(root, "go.mod"), "module shim\n\ngo 1.26\n\nrequire "+originalPath+" v2.0.7\n")
	copyFile(t, "../go.sum", filepath.Join(root, "go.sum"))
	out := command(t, root, "go", "test", "-vet=off", "-v", "./...")
	if n := strings.Count(out, "--- PASS"); n < 20 || strings.Contains(out, "--- SKIP") {
		t.Fatalf("only %d tests of the original ran:\n%s", n, out)
	}
}

// place copies the Go files of a folder that are no tests, with other names in them.
func place(t *testing.T, from, to string, names *strings.Replacer) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(from, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(to, filepath.Base(f)), names.Replace(string(text)))
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(text))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, dir string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -buildvcs=false")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// TestGolangLRUEqualsTheOriginal makes the same random calls on both.
func TestGolangLRUEqualsTheOriginal(t *testing.T) {
	for range 50 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 0))
		var heard, want []string
		size := 1 + rng.IntN(20)
		ours, err := golanglru.NewWithEvict(size, func(k, v int) { heard = append(heard, fmt.Sprint(k, v)) })
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := original.NewWithEvict(size, func(k, v int) { want = append(want, fmt.Sprint(k, v)) })
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2000 {
			key, op := rng.IntN(40), rng.IntN(12)
			size := rng.IntN(20)
			got, expected := call(ours, op, key, i, size), call(theirs, op, key, i, size)
			if got != expected || fmt.Sprint(heard) != fmt.Sprint(want) {
				t.Fatalf("seed %d, call %d, op %d: got %s and heard %v\nwant %s and %v", seed, i, op, got, heard, expected, want)
			}
			heard, want = nil, nil
		}
	}
}

// cache is the surface that both share.
type cache interface {
	Add(key, value int) bool
	Get(key int) (int, bool)
	Contains(key int) bool
	Peek(key int) (int, bool)
	ContainsOrAdd(key, value int) (bool, bool)
	PeekOrAdd(key, value int) (int, bool, bool)
	Remove(key int) bool
	RemoveOldest() (int, int, bool)
	GetOldest() (int, int, bool)
	Keys() []int
	Values() []int
	Len() int
	Resize(size int) int
}

// call makes one call and returns its results with the contents afterwards. Purge is left out: the original calls back
// in the order of a map.
func call(c cache, op, key, value, size int) string {
	var result string
	switch op {
	case 0, 1, 2:
		result = strconv.FormatBool(c.Add(key, value))
	case 3, 4:
		v, ok := c.Get(key)
		result = fmt.Sprint(v, ok)
	case 5:
		v, ok := c.Peek(key)
		result = fmt.Sprint(v, ok, c.Contains(key))
	case 6:
		ok, evicted := c.ContainsOrAdd(key, value)
		result = fmt.Sprint(ok, evicted)
	case 7:
		v, ok, evicted := c.PeekOrAdd(key, value)
		result = fmt.Sprint(v, ok, evicted)
	case 8:
		result = strconv.FormatBool(c.Remove(key))
	case 9:
		k, v, ok := c.GetOldest()
		result = fmt.Sprint(k, v, ok)
	case 10:
		k, v, ok := c.RemoveOldest()
		result = fmt.Sprint(k, v, ok)
	case 11:
		if value%10 == 0 {
			result = strconv.Itoa(c.Resize(size))
		}
	}
	return fmt.Sprint(result, c.Keys(), c.Values(), c.Len())
}
