// Package secretmem runs calls that handle secrets so that their registers,
// stack and temporary heap are erased (section 10).
//
// With GOEXPERIMENT=runtimesecret on linux/amd64 and linux/arm64 that is
// runtime/secret; otherwise it is a plain call and Erases is false. Only in
// such a build can erasure be promised, because libraries copy keys: there the
// package's test looks through the memory of a process that has used keys and
// finds none. What a caller holds itself it must hold in memory that it clears:
// arrays behind a pointer rather than on a stack that may be moved, no strings,
// no growing slices.
package secretmem
