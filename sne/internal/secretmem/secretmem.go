// Package secretmem runs calls that handle secrets so that their registers,
// stack and temporary heap are erased (section 10).
//
// With GOEXPERIMENT=runtimesecret on linux/amd64 and linux/arm64 that is
// runtime/secret; otherwise it is a plain call. Either way erasure is best
// effort: the Go runtime may have copied.
package secretmem
