package httppage_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/httppage"
)

func BenchmarkHandler(b *testing.B) {
	h := httppage.Handler(carPager(b, 1000, "", pagination.Options[car]{}), httppage.Options{Fields: []string{"id", "model"}})
	for name, query := range map[string]string{"plain": "", "filtered": "?sort=-maker,id&seats<=4", "fields": "?fields=id,model"} {
		b.Run("query="+name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/cars"+query, nil)
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}

func BenchmarkParseLink(b *testing.B) {
	values := []string{`</p?cursor=abc>; rel="next", </p?cursor=def>; rel="prev", </p>; rel="first", </p?cursor=ghi>; rel="last"`}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := httppage.ParseLink(values); err != nil {
			b.Fatal(err)
		}
	}
}
