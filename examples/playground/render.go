package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"go/scanner"
	"go/token"
	"html"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/sysblocks/sysblocks/examples/playground/page"
)

//go:embed assets code
var embedded embed.FS

func files() fs.FS { return embedded }

// renderer turns what pages declare into HTML. Everything goes through the template, but for the picture, whose text SVG escapes,
// and the code, which highlight escapes.
type renderer struct {
	html *template.Template
	ids  *regexp.Regexp
}

func newRenderer() (*renderer, error) {
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"letter": func(i int) string { return string(rune('A' + i)) },
	}).ParseFS(embedded, "assets/page.html")
	if err != nil {
		return nil, err
	}
	return &renderer{html: t, ids: regexp.MustCompile(` id="[^"]*"`)}, nil
}

// thumb is the picture of a page after its first button, for the cards of the entrance.
type thumb struct {
	Box string
	SVG template.HTML
}

// document is all that the template sees.
type document struct {
	page.Info
	Menu   []page.Info
	Thumbs map[string]thumb
	Home   bool
	World  string
	Live   bool
	Seed   string
	Now    update
	Box    string
	SVG    template.HTML
	Source template.HTML
	Error  string
	Back   string
}

// Href is where a page of the menu is.
func (d document) Href(path string) string { return "/" + path }

// Value is the present value of a setting.
func (d document) Value(name string) string { return d.Now.settings[name] }

// Next is the URL of the same page with the next seed.
func (d document) Next() string {
	n, err := strconv.ParseUint(d.Seed, 10, 64)
	if err != nil {
		return "/" + d.Path
	}
	return "/" + d.Path + "?seed=" + strconv.FormatUint(n+1, 10)
}

// page answers with a world as it is now.
func (s *site) page(w http.ResponseWriter, at *world) {
	u, _ := at.Look()
	source, err := fs.ReadFile(embedded, "code/"+at.info.Path+".txt")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.fail(w, http.StatusInternalServerError, err, "/")
		return
	}
	s.write(w, http.StatusOK, document{
		Info: at.info, Menu: s.infos, Thumbs: s.thumbs, Home: at.info.Path == s.infos[0].Path,
		World: at.ID, Live: at.Flows(), Seed: strconv.FormatUint(at.seed, 10), Now: u, Box: u.box,
		SVG:    template.HTML(u.SVG), //nolint:gosec // page.SVG escapes all text and attributes
		Source: highlight(string(source)),
	})
}

// fail answers with an error page: a sentence, and a way back.
func (s *site) fail(w http.ResponseWriter, status int, err error, back string) {
	text := err.Error()
	if !errors.Is(err, page.ErrInvalid) {
		text = http.StatusText(status)
	}
	s.write(w, status, document{Menu: s.infos, Error: text, Back: back})
}

func (s *site) write(w http.ResponseWriter, status int, d document) {
	var b bytes.Buffer
	if err := s.render.html.Execute(&b, d); err != nil {
		http.Error(w, "the page could not be drawn", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that has gone is no error of ours
}

func (s *site) thumb(ctx context.Context, p page.Page) (thumb, error) {
	w, err := s.worlds.build(ctx, p, url.Values{})
	if err != nil {
		return thumb{}, err
	}
	defer w.Close()
	if forms := w.info.Forms; len(forms) > 0 && forms[0].Field == nil {
		if _, err := w.Do(ctx, forms[0].Buttons[0].Action); err != nil {
			return thumb{}, err
		}
	}
	u, _ := w.Look()
	svg := s.render.ids.ReplaceAllString(u.SVG, "")        // the entrance shows many pictures; ids must stay unique
	return thumb{Box: u.box, SVG: template.HTML(svg)}, nil //nolint:gosec // page.SVG escapes all text and attributes
}

// highlight escapes Go code and marks its keywords, strings and comments.
func highlight(code string) template.HTML {
	var out strings.Builder
	var s scanner.Scanner
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(code))
	s.Init(file, []byte(code), nil, scanner.ScanComments)
	at := 0
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			break
		}
		class := ""
		switch {
		case tok == token.COMMENT:
			class = "comment"
		case tok == token.STRING || tok == token.CHAR:
			class = "string"
		case tok.IsKeyword():
			class = "keyword"
		}
		from := file.Offset(pos)
		if class == "" || from < at {
			continue
		}
		end := min(from+len(text), len(code))
		out.WriteString(html.EscapeString(code[at:from]) + `<span class="` + class + `">` + html.EscapeString(code[from:end]) + `</span>`)
		at = end
	}
	out.WriteString(html.EscapeString(code[at:]))
	return template.HTML(out.String()) //nolint:gosec // every piece was escaped
}
