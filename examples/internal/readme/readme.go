// Package readme keeps the README of an example true. Its heads are fixed, its links and symbols resolve, and what was computed
// stands in blocks that carry the command:
//
//	<!-- exact: go run ./examples/kvstore -estimate -format md -->
//	…
//	<!-- end -->
//
// An exact block is compared byte by byte with what the command prints now. A measured block holds counts that depend on scheduling
// and machine; it carries those, the date, and a hash of its content, so that nobody edits it by hand:
//
//	<!-- measured: go run ./examples/kvstore | linux/amd64, 2 CPUs | 2026-01-31 | 0123456789abcdef -->
//
// The commands are run by the test, in its own process: the program with its flags, "source FILE SYMBOL" for a declaration, and
// "exchanges" for the table of HTTP requests.
package readme

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// MaxLines is the length of a README at most: it is read in one sitting.
const MaxLines = 220

// heads are the sections of a README, in this order, under the name of the example.
func heads() []string {
	return []string{
		"Features", "Constraints", "Modules", "Schema", "One machine", "Scale", "Failures", "Trade-offs", "Measured", "Where to look", "Exercises",
	}
}

// Page is the README of one example.
type Page struct {
	Dir     string                               // the folder of the example
	Run     func(command string) (string, error) // what a command prints
	Machine string                               // for measured blocks
	Date    string
	Claims  []string // what a measured block of verdicts must contain: "a PASS", texts
}

// block is a generated part of a README.
type block struct {
	exact   bool
	command string
	rest    []string // of the comment: machine, date, hash
	content string
}

func blocks() *regexp.Regexp {
	return regexp.MustCompile(`(?s)<!-- (exact|measured): ([^\n]*?) -->\n(.*?)<!-- end -->`)
}

func parse(match []string) block {
	parts := strings.Split(match[2], " | ")
	return block{exact: match[1] == "exact", command: parts[0], rest: parts[1:], content: match[3]}
}

func (b block) String() string {
	kind := "measured"
	if b.exact {
		kind = "exact"
	}
	return fmt.Sprintf("<!-- %s: %s -->\n%s<!-- end -->", kind, strings.Join(append([]string{b.command}, b.rest...), " | "), b.content)
}

func hash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:8])
}

// Update regenerates every block.
func (p Page) Update() error {
	path := filepath.Join(p.Dir, "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var failed error
	updated := blocks().ReplaceAllStringFunc(string(text), func(old string) string {
		b := parse(blocks().FindStringSubmatch(old))
		content, err := p.Run(b.command)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", b.command, err))
			return old
		}
		b.content = content
		if !b.exact {
			b.rest = []string{p.Machine, p.Date, hash(content)}
		}
		return b.String()
	})
	if failed != nil {
		return failed
	}
	return os.WriteFile(path, []byte(updated), 0o600)
}

// Check returns everything that is wrong with the README.
func (p Page) Check() (wrong []error) {
	raw, err := os.ReadFile(filepath.Join(p.Dir, "README.md"))
	if err != nil {
		return []error{err}
	}
	text := string(raw)
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf("README.md: "+format, args...)) }
	if lines := strings.Count(text, "\n"); lines > MaxLines {
		complain("%d lines, limit %d", lines, MaxLines)
	}
	var found []string
	for _, m := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	if !slices.Equal(found, heads()) {
		complain("heads are %q, want %q", found, heads())
	}
	var all strings.Builder // the measured blocks
	for _, match := range blocks().FindAllStringSubmatch(text, -1) {
		b := parse(match)
		if !b.exact {
			if len(b.rest) != 3 || b.rest[2] != hash(b.content) {
				complain("measured block %q was edited by hand", b.command)
			}
			all.WriteString(b.content)
			continue
		}
		now, err := p.Run(b.command)
		if err != nil {
			complain("%s: %w", b.command, err)
		} else if now != b.content {
			complain("block %q is stale; it should be\n%s", b.command, now)
		}
	}
	measured := all.String()
	for _, claim := range p.Claims {
		if !strings.Contains(measured, claim) {
			complain("no measured block says %q", claim)
		}
	}
	if strings.Contains(measured, "FAIL") {
		complain("a measured block shows a failure")
	}
	return append(wrong, p.references(text)...)
}

// references checks relative links, and symbols written as `file.go: Name`.
func (p Page) references(text string) (wrong []error) {
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(p.Dir, m[1])); err != nil {
			wrong = append(wrong, fmt.Errorf("README.md: link %s leads nowhere", m[1]))
		}
	}
	for _, m := range regexp.MustCompile("`([\\w./]+\\.go): ([\\w.]+)`").FindAllStringSubmatch(text, -1) {
		if _, err := Source(filepath.Join(p.Dir, m[1]), m[2]); err != nil {
			wrong = append(wrong, fmt.Errorf("README.md: %w", err))
		}
	}
	return wrong
}
