package sysblocks_test

import (
	"go/ast"
	"go/parser"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// checkSymbols resolves the links of docs/map.md whose text is code: the file must declare that symbol.
func checkSymbols(fsys fs.FS) (bad []string) {
	const name = "docs/map.md"
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return []string{err.Error()}
	}
	link := regexp.MustCompile("\\[`([^`]+)`\\]\\(([^)\\s]+\\.go)\\)")
	for _, m := range link.FindAllStringSubmatch(string(text), -1) {
		target := path.Join(path.Dir(name), m[2])
		if file := parse(fsys, target, parser.SkipObjectResolution, &bad); file != nil && !slices.Contains(declared(file), m[1]) {
			bad = append(bad, name+": "+target+" does not declare "+m[1])
		}
	}
	return bad
}

// declared lists the top-level symbols of a file; a method is Type.Method.
func declared(file *ast.File) (names []string) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names = append(names, d.Name.Name)
			} else {
				names = append(names, receiver(d.Recv.List[0].Type)+"."+d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
				case *ast.ValueSpec:
					for _, ident := range s.Names {
						names = append(names, ident.Name)
					}
				}
			}
		}
	}
	return names
}

// receiver is the name of a method's type, without star and type parameters.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// checkMap holds docs/map.md to its form: one table of at most 70 topics, each with a place and with what one sees there.
func checkMap(fsys fs.FS) (bad []string) {
	text, err := fs.ReadFile(fsys, "docs/map.md")
	if err != nil {
		return []string{err.Error()}
	}
	topics := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(cells[0], " Topic ") || strings.HasPrefix(cells[0], "---") {
			continue
		}
		topics++
		outside := len(cells) == 3 && strings.Contains(cells[1], "out of scope")
		if len(cells) != 3 || strings.TrimSpace(cells[2]) == "" || !outside && !strings.Contains(cells[1], "](") {
			bad = append(bad, "docs/map.md: a row without its place or without what one sees: "+strings.TrimSpace(line))
		}
	}
	if topics == 0 || topics > 70 {
		bad = append(bad, "docs/map.md: want 1 to 70 topics")
	}
	return bad
}

// checkOutputs compares a text block with the output of the Example that the comment above it names.
func checkOutputs(fsys fs.FS) (bad []string) {
	block := regexp.MustCompile("(?ms)^<!-- output: (\\S+) (\\w+) -->\n```text\n(.*?)^```$")
	for _, name := range files(fsys, ".md") {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			bad = append(bad, err.Error())
		}
		for _, m := range block.FindAllStringSubmatch(string(text), -1) {
			src, err := fs.ReadFile(fsys, m[1])
			if err != nil {
				bad = append(bad, name+": "+err.Error())
				continue
			}
			_, rest, _ := strings.Cut(string(src), "\nfunc "+m[2]+"() {\n")
			body, _, _ := strings.Cut(rest, "\n}\n")
			_, output, _ := strings.Cut("\n"+body, "\n\t// Output:\n")
			var want strings.Builder
			for line := range strings.Lines(output + "\n") {
				want.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "\t//"), " "))
			}
			if output == "" || m[3] != want.String() {
				bad = append(bad, name+": the output of "+m[2]+" in "+m[1]+" is another one")
			}
		}
	}
	return bad
}

// mapRules are the house rules of docs/map.md.
func mapRules() []rule {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return []rule{
		{
			"symbols in the map exist", checkSymbols,
			fstest.MapFS{
				"docs/map.md": file("[`A`](../lru/a.go) [`T.M`](../lru/a.go) [`T.N`](../lru/a.go) [`G.M`](../lru/a.go) [`x`](../lru/a.go) [`y`](../lru/b.go)\n"),
				"lru/a.go":    file("package lru\n\nfunc A() {}\n\ntype T struct{}\n\nfunc (t *T) M() {}\n\ntype G[K, V any] int\n\nfunc (g G[K, V]) M() {}\n"),
				"lru/b.go":    file("package lru\n"),
			},
			3,
		},
		{
			"the map has its form", checkMap,
			fstest.MapFS{"docs/map.md": file("| Topic | Where | What you will see |\n|---|---|---|\n| a | [b](c) | d |\n| a | b | c |\n| a | out of scope | why |\n| a | [b](c) | |\n| a | [b](c) |\n")},
			3,
		},
		{
			"outputs are those of Examples", checkOutputs,
			fstest.MapFS{
				"docs/map.md":         file("<!-- output: lru/example_test.go Example -->\n```text\na  b\nc\n```\n\n<!-- output: lru/example_test.go Example -->\n```text\na  b\n```\n\n<!-- output: lru/none.go Example -->\n```text\n```\n\n<!-- output: lru/example_test.go ExampleNone -->\n```text\n```\n"),
				"lru/example_test.go": file("package lru_test\n\nfunc Example() {\n\t// Output:\n\t// a  b\n\t// c\n}\n"),
			},
			3,
		},
	}
}

func TestMapLeadsSomewhere(t *testing.T) {
	for _, r := range mapRules() {
		t.Run(strings.ReplaceAll(r.name, " ", "-"), func(t *testing.T) { held(t, r) })
	}
}
