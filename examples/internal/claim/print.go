package claim

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// printer writes the verdicts in one of the three formats. The first error of the writer is kept.
type printer struct {
	format, example string
	w               io.Writer
	progress        *progress
	colour          bool
	width           int // of the column of texts
	err             error
}

func newPrinter(format string, e Example, claims []Claim, w io.Writer, p *progress) *printer {
	out := &printer{format: format, example: e.Name, w: w, progress: p, colour: terminal(w) && os.Getenv("NO_COLOR") == ""}
	for _, c := range claims {
		out.width = max(out.width, utf8.RuneCountInString(c.Text), utf8.RuneCountInString("control, "+c.ControlText))
	}
	return out
}

func (p *printer) printf(format string, args ...any) {
	p.progress.clear()
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) json(v any) {
	line, err := json.Marshal(v)
	if p.err == nil {
		p.err = err
	}
	p.printf("%s\n", line)
}

func (p *printer) start(title string) {
	switch p.format {
	case "text":
		p.printf("%s\n\n", title)
	case "md":
		p.printf("%s\n\n| | Claim | Facts | Control |\n|---|---|---|---|\n", title)
	}
}

func (p *printer) paint(word string, good bool) string {
	switch {
	case !p.colour:
		return word
	case good:
		return "\x1b[32m" + word + "\x1b[0m"
	}
	return "\x1b[31m" + word + "\x1b[0m"
}

func (p *printer) verdict(v verdict) {
	word := "PASS"
	if !v.pass() { // also when the control is unharmed
		word = "FAIL"
	}
	facts, control := v.facts.text(v.Show), v.controlFacts.text(v.Show)
	if v.err != nil {
		facts = "error: " + v.err.Error()
	}
	broke := "breaks, as it should"
	if v.controlErr != nil {
		broke = "error, no evidence: " + v.controlErr.Error()
	} else if !v.breaks {
		broke = "DOES NOT BREAK: no evidence"
	}
	switch p.format {
	case "text":
		p.printf("%s %s  %-*s  %s\n", v.ID, p.paint(word, v.pass()), p.width, v.Text, facts)
		p.printf("%s  %-*s  %s  %s\n", strings.Repeat(" ", len(v.ID)+5), p.width, "control, "+v.ControlText, control, p.paint(broke, v.breaks))
	case "md":
		p.printf("| %s %s | %s | %s | %s: %s %s |\n", v.ID, word, v.Text, code(facts), v.ControlText, code(control), broke)
	case "json":
		p.json(asJSON(p.example, v))
	}
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
}

func (p *printer) end(s summary) {
	if p.format == "json" {
		p.json(map[string]any{
			"example": s.example, "seed": s.seed, "engines": s.engines, "claims": s.claims, "held": s.held,
			"controls": s.controls, "broke": s.broke, "pass": s.held == s.claims && s.broke == s.controls, "ms": s.took.Milliseconds(),
		})
		return
	}
	p.printf("\n%d of %d claims hold, %d of %d controls break.   %.1f s\n", s.held, s.claims, s.broke, s.controls, s.took.Seconds())
	if p.format == "text" && s.suggestion != "" {
		p.printf("next: %s\n", s.suggestion)
		if s.advice != "" {
			p.printf("      %s\n", s.advice)
		}
	}
}

type jsonControl struct {
	Text   string `json:"text"`
	Breaks bool   `json:"breaks"`
	Facts  Facts  `json:"facts"`
	Error  string `json:"error,omitempty"`
}

type jsonVerdict struct {
	Example string      `json:"example"`
	Claim   string      `json:"claim"`
	Text    string      `json:"text"`
	Pass    bool        `json:"pass"`
	Facts   Facts       `json:"facts"`
	Error   string      `json:"error,omitempty"`
	Control jsonControl `json:"control"`
	MS      int64       `json:"ms"`
}

func asJSON(example string, v verdict) jsonVerdict {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	return jsonVerdict{
		Example: example, Claim: v.ID, Text: v.Text, Pass: v.pass(), Facts: v.facts, Error: text(v.err),
		Control: jsonControl{Text: v.ControlText, Breaks: v.breaks, Facts: v.controlFacts, Error: text(v.controlErr)},
		MS:      v.took.Round(time.Millisecond).Milliseconds(),
	}
}
