module github.com/sysblocks/sysblocks/examples

go 1.26.0

replace github.com/sysblocks/sysblocks => ..

require github.com/sysblocks/sysblocks v0.0.0-00010101000000-000000000000

require github.com/cespare/xxhash/v2 v2.3.0 // indirect
