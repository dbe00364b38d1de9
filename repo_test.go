package sysblocks_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// The house rules that no linter sees. A rule reads a tree of files and returns
// one sentence per violation, and is also given a tree that breaks it.

const module = "github.com/sysblocks/sysblocks"

type rule struct {
	name  string
	check func(fsys fs.FS) []string
	// breaking is a tree that violates the rule, and says how often.
	breaking   fstest.MapFS
	violations int
}

func rules() []rule {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return []rule{
		{
			"root requires only the five, and nothing that users would pay for", checkRequirements,
			fstest.MapFS{"go.mod": file("module m\n\ngo 1.25.0\n\ntoolchain go1.26.1\n\nrequire (\n\tgithub.com/cespare/xxhash/v2 v2.3.0\n\texample.com/x v1.0.0\n\texample.com/y v1.0.0 // indirect\n)\n\nrequire example.com/z v1.0.0\n\nreplace example.com/x => ../x\n")},
			5,
		},
		{
			"blocks do not import each other", checkImports,
			fstest.MapFS{
				"lru/lru.go":              file("package lru\n\nimport _ \"" + module + "/bloom\"\n"),
				"session/sqlsession/s.go": file("package sqlsession\n\nimport (\n\t_ \"" + module + "/session\"\n\t_ \"" + module + "/session/sessiontest\"\n)\n"),
				"lru/lru_test.go":         file("package lru\n\nimport _ \"" + module + "/lru\"\n"),
			},
			2,
		},
		{
			"doc.go teaches under the same heads", checkHeads,
			fstest.MapFS{
				"lru/lru.go":   file("package lru\n"),
				"bloom/doc.go": file("// Package bloom\n//\n// # How it works\n//\n// # Guarantees\n//\n// # Choosing\n//\n// # Costs\n//\n// # Limits\n//\n// # References\npackage bloom\n"),
			},
			2,
		},
		{
			"exported variables are errors", checkVariables,
			fstest.MapFS{"lru/lru.go": file("package lru\n\nimport \"errors\"\n\nvar ErrX = errors.New(\"lru: x\")\n\nvar (\n\tDefault = 3\n\tErrY error = nil\n\thidden = 4\n\tA, B = 1, 2\n)\n")},
			3,
		},
		{
			"files are short and named after a concept", checkFiles,
			fstest.MapFS{
				"lru/utils.go":        file("package lru\n"),
				"lru/long.go":         file("package lru\n" + strings.Repeat("//\n", 600)),
				"lru/common/doc.go":   file("package common\n"),
				"benchmarks/lru/a.go": file("package lru\n"),
			},
			3,
		},
		{
			"links resolve", checkLinks,
			fstest.MapFS{
				"README.md":   file("[a](lru/doc.go) [b](lru/none.go#L3) [c](https://example.com/x) [d](#head) ![e](none.svg)\n\n```go\nx := [](y)\n```\n"),
				"lru/doc.go":  file("package lru\n"),
				"docs/map.md": file("[up](../lru/doc.go) [out](../../x)\n"),
			},
			3,
		},
		{
			"code in READMEs is the code of Examples", checkCode,
			fstest.MapFS{
				"README.md":           file("<!-- code: lru/example_test.go ExampleNew -->\n```go\nc := 1\n_ = c\n```\n\n<!-- code: lru/example_test.go ExampleOther -->\n```go\nx\n```\n\n```go\nfree()\n```\n\n<!-- code: lru/example_test.go ExampleNew -->\n```go\nc := 2\n_ = c\n```\n"),
				"lru/example_test.go": file("package lru_test\n\nfunc ExampleNew() {\n\tc := 1\n\t_ = c\n\t// Output:\n}\n"),
			},
			3,
		},
	}
}

func TestHouseRules(t *testing.T) {
	for _, r := range rules() {
		t.Run(strings.ReplaceAll(r.name, " ", "-"), func(t *testing.T) { held(t, r) })
	}
}

// held checks a rule on this repository, and that it sees the violations of its own tree.
func held(t *testing.T, r rule) {
	t.Helper()
	for _, v := range r.check(os.DirFS(".")) {
		t.Error(v)
	}
	if got := r.check(r.breaking); len(got) != r.violations {
		t.Errorf("%d violations seen, want %d:\n%s", len(got), r.violations, strings.Join(got, "\n"))
	}
}

// checkRequirements reads the root's go.mod.
func checkRequirements(fsys fs.FS) (bad []string) {
	five := []string{
		"github.com/cespare/xxhash/v2", "github.com/bits-and-blooms/bloom/v3",
		"golang.org/x/time", "golang.org/x/sync", "github.com/stretchr/testify",
	}
	text, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return []string{err.Error()}
	}
	block := ""
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			continue
		case words[0] == ")":
			block = ""
			continue
		case len(words) == 2 && words[1] == "(":
			block = words[0]
			continue
		case block != "":
			words = slices.Insert(words, 0, block)
		}
		indirect := strings.HasSuffix(strings.TrimSpace(line), "// indirect")
		switch words[0] {
		case "tool", "replace", "toolchain":
			bad = append(bad, "go.mod: "+strings.TrimSpace(line))
		case "go":
			if words[1] != "1.26.0" {
				bad = append(bad, "go.mod: go "+words[1]+", want 1.26.0")
			}
		case "require":
			if !indirect && !slices.Contains(five, words[1]) {
				bad = append(bad, "go.mod: "+words[1]+" is not among the five direct requirements")
			}
		}
	}
	return bad
}

// checkImports holds blocks apart: a package may import its parent, nothing else of ours.
func checkImports(fsys fs.FS) (bad []string) {
	for _, name := range rootGo(fsys) {
		file := parse(fsys, name, parser.ImportsOnly, &bad)
		if file == nil {
			continue
		}
		dir := path.Dir(name)
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil || !strings.HasPrefix(imported, module+"/") {
				continue
			}
			sub := strings.TrimPrefix(imported, module+"/")
			allowed := sub == dir || sub == path.Dir(dir) || strings.HasPrefix(sub, dir+"/internal/") || strings.HasPrefix(sub, path.Dir(dir)+"/internal/")
			if strings.HasSuffix(name, "_test.go") {
				// A test may use all of its own block: the conformance kit first of all.
				block, _, _ := strings.Cut(dir, "/")
				allowed = allowed || strings.HasPrefix(sub, block+"/") || sub == block
			}
			if !allowed {
				bad = append(bad, name+" imports "+sub)
			}
		}
	}
	return bad
}

// heads stand in every doc.go, in this order.
func heads() []string {
	return []string{"How it works", "Choosing", "Guarantees", "Costs", "Limits", "References"}
}

// checkHeads reads the doc.go of each package; conformance kits need none of the heads.
func checkHeads(fsys fs.FS) (bad []string) {
	dirs := map[string]bool{}
	for _, name := range rootGo(fsys) {
		if dir := path.Dir(name); dir != "." && !strings.HasSuffix(name, "_test.go") && !strings.Contains(dir, "internal") {
			dirs[dir] = true
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		text, err := fs.ReadFile(fsys, path.Join(dir, "doc.go"))
		if err != nil {
			bad = append(bad, dir+" has no doc.go")
			continue
		}
		var got []string
		for line := range strings.Lines(string(text)) {
			if head, ok := strings.CutPrefix(strings.TrimSpace(line), "// # "); ok && slices.Contains(heads(), head) {
				got = append(got, head)
			}
		}
		if !strings.HasSuffix(dir, "test") && !slices.Equal(got, heads()) {
			bad = append(bad, fmt.Sprintf("%s/doc.go has the heads %q, want %q", dir, got, heads()))
		}
	}
	return bad
}

// checkVariables finds state that any importer could change.
func checkVariables(fsys fs.FS) (bad []string) {
	for _, name := range rootGo(fsys) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file := parse(fsys, name, parser.SkipObjectResolution, &bad)
		if file == nil {
			continue
		}
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				value := spec.(*ast.ValueSpec)
				for _, ident := range value.Names {
					if ident.IsExported() && !strings.HasPrefix(ident.Name, "Err") {
						bad = append(bad, name+": exported variable "+ident.Name)
					}
				}
			}
		}
	}
	return bad
}

// checkFiles looks at the names and lengths of all Go files, nested modules included.
func checkFiles(fsys fs.FS) (bad []string) {
	vague := regexp.MustCompile(`^(utils?|common|types|helpers?|misc|base)(_test)?(\.go)?$`)
	for _, name := range files(fsys, ".go") {
		if vague.MatchString(path.Base(name)) || vague.MatchString(path.Base(path.Dir(name))) {
			bad = append(bad, name+": a name that says nothing")
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			bad = append(bad, err.Error())
		}
		if n := strings.Count(string(text), "\n"); n > 600 {
			bad = append(bad, fmt.Sprintf("%s has %d lines, want at most 600", name, n))
		}
	}
	return bad
}

// checkLinks resolves relative links of Markdown files, outside code blocks.
func checkLinks(fsys fs.FS) (bad []string) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	for _, name := range files(fsys, ".md") {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			bad = append(bad, err.Error())
		}
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, ":") {
				continue
			}
			if _, err := fs.Stat(fsys, path.Join(path.Dir(name), target)); err != nil {
				bad = append(bad, name+": "+m[1]+" does not resolve")
			}
		}
	}
	return bad
}

// checkCode compares each Go block of a README with the Example that the
// comment above it names.
func checkCode(fsys fs.FS) (bad []string) {
	block := regexp.MustCompile("(?ms)^(?:<!-- code: (\\S+) (\\w+) -->\n)?```go\n(.*?)^```$")
	for _, name := range files(fsys, ".md") {
		if !strings.HasSuffix(name, "README.md") || strings.HasPrefix(name, "examples/") {
			continue // the examples' own tests compare their READMEs
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			bad = append(bad, err.Error())
		}
		for _, m := range block.FindAllStringSubmatch(string(text), -1) {
			where, function, code := m[1], m[2], m[3]
			if where == "" {
				bad = append(bad, name+": a Go block without the Example it comes from")
				continue
			}
			want, err := exampleBody(fsys, where, function)
			if err != nil {
				bad = append(bad, name+": "+err.Error())
			} else if code != want {
				bad = append(bad, fmt.Sprintf("%s: %s is\n%s\nwant, as in %s:\n%s", name, function, code, where, want))
			}
		}
	}
	return bad
}

// exampleBody is the source of a function's body, without its output comment
// and without the indentation.
func exampleBody(fsys fs.FS, name, function string) (string, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return "", err
	}
	_, rest, ok := strings.Cut(string(src), "\nfunc "+function+"() {\n")
	body, _, closed := strings.Cut(rest, "\n}\n")
	if !ok || !closed {
		return "", fmt.Errorf("%s has no %s", name, function)
	}
	body, _, _ = strings.Cut(body, "\n\t// Output:")
	var b strings.Builder
	for line := range strings.Lines(body + "\n") {
		b.WriteString(strings.TrimPrefix(line, "\t"))
	}
	return strings.TrimRight(b.String(), "\n") + "\n", nil
}

// files lists the files with an ending, in all modules, test data left out.
func files(fsys fs.FS, ending string) (names []string) {
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ending):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		panic(err) // the tree of this very test is unreadable
	}
	return names
}

// rootGo lists the Go files of the root module.
func rootGo(fsys fs.FS) []string {
	return slices.DeleteFunc(files(fsys, ".go"), func(name string) bool {
		return strings.HasPrefix(name, "benchmarks/") || strings.HasPrefix(name, "examples/") || strings.HasPrefix(name, "internal/")
	})
}

func parse(fsys fs.FS, name string, mode parser.Mode, bad *[]string) *ast.File {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		*bad = append(*bad, err.Error())
		return nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, text, mode)
	if err != nil {
		*bad = append(*bad, err.Error())
		return nil
	}
	return file
}
