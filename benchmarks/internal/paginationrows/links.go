package paginationrows

import (
	"github.com/peterhellberg/link"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/pagination/httppage"
)

const linkHeader = `</posts?cursor=EAEAs3Jkb2x1bWlwc3VtZG9sb3I>; rel="next", </posts?cursor=EAcBs3Jkb2x1bWlwc3VtZG9sb3I>; rel="prev", </posts>; rel="first", </posts?cursor=EAgBs>; rel="last"`

func ourLinks() harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		values := []string{linkHeader}
		return func(n int) {
			for range n {
				if links, err := httppage.ParseLink(values); err != nil || len(links) != 4 {
					panic("links")
				}
			}
		}, nil, nil
	}}
}

func hellbergLinks() harness.Contender {
	return harness.Contender{Name: "peterhellberg/link", Setup: func() (harness.Op, func(), error) {
		return func(n int) {
			for range n {
				if len(link.Parse(linkHeader)) != 4 {
					panic("links")
				}
			}
		}, nil, nil
	}}
}
