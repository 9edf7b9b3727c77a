//go:build !goexperiment.runtimesecret

package secretmem

// Do runs f.
func Do(f func()) { f() }
