module github.com/sysblocks/sysblocks

go 1.26.0
