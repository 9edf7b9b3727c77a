//go:build goexperiment.runtimesecret

package secretmem

import "runtime/secret"

// Do runs f and erases what it leaves behind. What f returns it must copy into
// memory of the caller.
func Do(f func()) { secret.Do(f) }
