package readme

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// page writes a README that is right, spoiled by the replacement.
func page(t *testing.T, old, replacement string) Page {
	t.Helper()
	dir := t.TempDir()
	text := "# sample\n\n<!-- measured: run | m | d | " + hash("a PASS\n") + " -->\na PASS\n<!-- end -->\n"
	text += "\n## " + strings.Join(heads(), "\n\n## ") + "\n<!-- exact: print -->\n42\n<!-- end -->\n[code](x.go) `x.go: T.M` `x.go: T` `x.go: c`\n"
	if !strings.Contains(text, old) {
		t.Fatalf("nothing to spoil: %q", old)
	}
	for name, content := range map[string]string{
		"README.md": strings.Replace(text, old, replacement, 1),
		"x.go":      "package x\n\n// T is.\ntype T[K any] struct{}\n\nconst c = 1\n\n// M does.\nfunc (t *T[K]) M() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Page{Dir: dir, Machine: "machine", Date: "today", Claims: []string{"a PASS"}, Run: func(command string) (string, error) {
		switch command {
		case "print":
			return "42\n", nil
		case "run":
			return "a PASS again\n", nil
		}
		return "", errors.New("no such command")
	}}
}

func TestEveryFalsehoodIsFound(t *testing.T) {
	if wrong := page(t, "", "").Check(); wrong != nil {
		t.Fatalf("a true README is refused: %v", wrong)
	}
	for name, c := range map[string][2]string{
		"head missing":        {"## Scale\n", ""},
		"heads swapped":       {"## Scale", "## Schema"},
		"stale exact block":   {"\n42\n", "\n41\n"},
		"edited measurement":  {"a PASS\n", "a PASS, really\n"},
		"unknown command":     {"exact: print", "exact: paint"},
		"dead link":           {"(x.go)", "(y.go)"},
		"symbol gone":         {"x.go: T.M", "x.go: T.N"},
		"file of a symbol":    {"`x.go: c", "`z.go: c"},
		"claim without proof": {"<!-- measured: run", "<!-- sketched: run"},
		"too long":            {"## Exercises", strings.Repeat("\n", MaxLines) + "## Exercises"},
	} {
		if wrong := page(t, c[0], c[1]).Check(); wrong == nil {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestUpdateMakesItTrue(t *testing.T) {
	p := page(t, "\n42\n", "\n41\n")
	if err := p.Update(); err != nil {
		t.Fatal(err)
	}
	if wrong := p.Check(); wrong != nil {
		t.Error(wrong)
	}
	text, err := os.ReadFile(filepath.Join(p.Dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "<!-- measured: run | machine | today | " + hash("a PASS again\n") + " -->\na PASS again\n"; !strings.Contains(string(text), want) {
		t.Errorf("got %s", text)
	}
	p = page(t, "exact: print", "exact: paint")
	if err := p.Update(); err == nil {
		t.Error("a command that fails was ignored")
	}
}

func TestSourceQuotesTheDeclarationWithItsComment(t *testing.T) {
	p := page(t, "", "")
	for symbol, want := range map[string]string{
		"T":   "// T is.\ntype T[K any] struct{}\n",
		"T.M": "// M does.\nfunc (t *T[K]) M() {}\n",
		"M":   "// M does.\nfunc (t *T[K]) M() {}\n",
		"c":   "const c = 1\n",
	} {
		if got, err := Source(filepath.Join(p.Dir, "x.go"), symbol); err != nil || got != want {
			t.Errorf("%s: got %q, %v", symbol, got, err)
		}
	}
	if _, err := Source(filepath.Join(p.Dir, "x.go"), "U.M"); err == nil {
		t.Error("found a method of another type")
	}
}
