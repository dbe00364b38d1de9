package readme

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
)

// Source returns a top-level declaration of a file with its comment, as it stands there. A method is named Type.Method, or Method
// if that is clear.
func Source(path, symbol string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, parser.ParseComments)
	if err != nil {
		return "", err
	}
	for _, d := range file.Decls {
		doc, ok := declares(d, symbol)
		if !ok {
			continue
		}
		from := d.Pos()
		if doc != nil {
			from = doc.Pos()
		}
		return string(text[files.Position(from).Offset:files.Position(d.End()).Offset]) + "\n", nil
	}
	return "", fmt.Errorf("%s does not declare %s", path, symbol)
}

func declares(d ast.Decl, symbol string) (doc *ast.CommentGroup, ok bool) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		receiver, method, isMethod := strings.Cut(symbol, ".")
		if !isMethod {
			return d.Doc, d.Name.Name == symbol
		}
		return d.Doc, d.Name.Name == method && d.Recv != nil && strings.TrimPrefix(typeName(d.Recv.List[0].Type), "*") == receiver
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				ok = ok || s.Name.Name == symbol
			case *ast.ValueSpec:
				for _, name := range s.Names {
					ok = ok || name.Name == symbol
				}
			}
		}
		return d.Doc, ok
	}
	return nil, false
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return "*" + typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
