package main

import (
	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/examples/playground/pages/bloom"
	"github.com/sysblocks/sysblocks/examples/playground/pages/bucket"
	"github.com/sysblocks/sysblocks/examples/playground/pages/cache"
	"github.com/sysblocks/sysblocks/examples/playground/pages/home"
	"github.com/sysblocks/sysblocks/examples/playground/pages/ids"
	"github.com/sysblocks/sysblocks/examples/playground/pages/paging"
	"github.com/sysblocks/sysblocks/examples/playground/pages/ring"
	"github.com/sysblocks/sysblocks/examples/playground/pages/sessions"
)

// pages are all pages in the order of the menu; the first is the entrance.
func pages() []page.Page {
	return []page.Page{
		home.Page{},
		ring.Page{},
		bucket.Page{},
		&cache.Page{},
		bloom.Page{},
		ids.Page{},
		paging.Page{},
		sessions.Page{},
	}
}
