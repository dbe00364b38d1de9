package bloom

import (
	"syscall"
	"unsafe"
)

// adviseHuge asks the kernel to back blocks that nobody has touched yet with 2 MiB pages. One TLB entry then covers
// 32,768 blocks instead of 64. The kernel may decline, which costs nothing but the speed.
//
// Advice is given for the pages that lie wholly inside the slice. unsafe only views it as bytes, for the length of
// the system call.
func adviseHuge(blocks []block) {
	const (
		least        = 4 << 20
		page         = 4 << 10
		madvHugePage = 14 // MADV_HUGEPAGE in Linux's uapi/asm-generic/mman-common.h
	)
	size := len(blocks) * blockBytes
	if size < least {
		return
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(blocks))), size)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(blocks))) & (page - 1))
	_ = syscall.Madvise(bytes[skip:(size-skip)&^(page-1)+skip], madvHugePage) // a hint
}
