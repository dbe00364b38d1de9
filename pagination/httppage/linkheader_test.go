package httppage_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/sysblocks/sysblocks/pagination/httppage"
)

func TestParseLinkReadsTheExamplesOfTheRFC(t *testing.T) {
	for _, c := range []struct {
		in   []string
		want []httppage.Link
	}{
		{nil, []httppage.Link{}},
		{[]string{""}, []httppage.Link{}},
		{
			[]string{`<http://example.com/TheBook/chapter2>; rel="previous"; title="previous chapter"`},
			[]httppage.Link{{"http://example.com/TheBook/chapter2", []string{"previous"}, map[string]string{"title": "previous chapter"}}},
		},
		{[]string{`</>; rel="http://example.net/foo"`}, []httppage.Link{{"/", []string{"http://example.net/foo"}, nil}}},
		{[]string{`</terms>; rel="copyright"; anchor="#foo"`}, []httppage.Link{{"/terms", []string{"copyright"}, map[string]string{"anchor": "#foo"}}}},
		{
			[]string{`</TheBook/chapter2>; rel="previous"; title*=UTF-8'de'letztes%20Kapitel, </TheBook/chapter4>; rel="next"; title*=UTF-8'de'n%c3%a4chstes%20Kapitel`},
			[]httppage.Link{
				{"/TheBook/chapter2", []string{"previous"}, map[string]string{"title*": "UTF-8'de'letztes%20Kapitel"}},
				{"/TheBook/chapter4", []string{"next"}, map[string]string{"title*": "UTF-8'de'n%c3%a4chstes%20Kapitel"}},
			},
		},
		{
			[]string{`<http://example.org/>; rel="start http://example.net/relation/other"`},
			[]httppage.Link{{"http://example.org/", []string{"start", "http://example.net/relation/other"}, nil}},
		},
		{[]string{`<https://example.org/>; rel=index;`, `,, <b>;REL=" NEXT  last" ; rel=prev ,`}, []httppage.Link{
			{"https://example.org/", []string{"index"}, nil}, {"b", []string{"next", "last"}, nil},
		}},
		{[]string{`<a,b;c>; rel="next"; x="a\"b\\c,<;>"; y; x=2`}, []httppage.Link{{"a,b;c", []string{"next"}, map[string]string{"x": `a"b\c,<;>`, "y": ""}}}},
		{[]string{`<>`}, []httppage.Link{{"", nil, nil}}},
	} {
		if got, err := httppage.ParseLink(c.in); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q:\ngot  %#v, %v\nwant %#v", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"x", "<a", `<a>; rel="next`, `<a>; rel="next\`, `<a> <b>`, `<a>; =x`, `<a>; rel=`, `<a>x`, `<a>; rel="x"y`} {
		if got, err := httppage.ParseLink([]string{bad}); !errors.Is(err, httppage.ErrLink) {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	for _, s := range []string{`<a>; rel="next", <b>; rel=prev`, `<>;;;`, `<a>;x="\"`, ",,,", "<a>;rel"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		links, err := httppage.ParseLink([]string{s})
		if err != nil && (!errors.Is(err, httppage.ErrLink) || links != nil) {
			t.Fatalf("%v, %v", links, err)
		}
	})
}
