package bloom

import (
	"syscall"
	"unsafe"
)

// adviseHuge asks the kernel to back blocks, which are clear and which nobody else holds yet, with 2 MiB pages. One TLB
// entry then covers 32,768 blocks instead of 64. The kernel may decline, which costs nothing but the speed.
//
// Memory that the heap has used before is on small pages already, and the kernel leaves pages that exist as they are.
// They are given back first; what comes in their place is clear as well.
//
// Both calls are made for the pages that lie wholly inside the slice, since giving back part of a page would clear what
// lies beside it. unsafe only views the slice as bytes, for the length of the calls.
func adviseHuge(blocks []block) {
	const (
		least        = 4 << 20
		madvDontNeed = 4  // MADV_DONTNEED and MADV_HUGEPAGE in Linux's uapi/asm-generic/mman-common.h
		madvHugePage = 14 // the same on every processor that Go knows
	)
	size := len(blocks) * blockBytes
	if size < least {
		return
	}
	page := syscall.Getpagesize()
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(blocks))), size)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(blocks))) & uintptr(page-1))
	inside := bytes[skip : skip+(size-skip)&^(page-1)]
	if syscall.Madvise(inside, madvHugePage) == nil { // a hint: an error changes nothing
		_ = syscall.Madvise(inside, madvDontNeed)
	}
}
