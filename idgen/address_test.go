package idgen

import "unsafe"

func addressOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
