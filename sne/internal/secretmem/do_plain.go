//go:build !goexperiment.runtimesecret || !linux || (!amd64 && !arm64)

package secretmem

// Erases tells whether Do erases.
const Erases = false

// Do runs f.
func Do(f func()) { f() }
