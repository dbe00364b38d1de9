module github.com/sysblocks/sysblocks/internal/integration

go 1.26.0

require github.com/sysblocks/sysblocks v0.0.0

replace github.com/sysblocks/sysblocks => ../..
