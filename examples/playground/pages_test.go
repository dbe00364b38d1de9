package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/readme"
)

var rewrite = flag.Bool("update", false, "write the copies in code/ anew")

// What a page shows as code is the text of a declaration that is compiled and tested elsewhere.
func TestCodeIsACopy(t *testing.T) {
	for _, p := range pages() {
		info := p.Info()
		t.Run(info.Path, func(t *testing.T) {
			source, err := readme.Source(filepath.Join("..", "..", filepath.FromSlash(info.Code.File)), info.Code.Symbol)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("code", info.Path+".txt")
			if *rewrite {
				if err := os.WriteFile(path, []byte(source), 0o644); err != nil { //nolint:gosec // a source file
					t.Fatal(err)
				}
			}
			shown, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(shown) != source {
				t.Errorf("%s differs from %s in %s: go generate ./examples/playground", path, info.Code.Symbol, info.Code.File)
			}
		})
	}
}

func TestNoCopyIsLeftOver(t *testing.T) {
	files, err := filepath.Glob("code/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(pages()) {
		t.Errorf("%d files in code, %d pages", len(files), len(pages()))
	}
}
