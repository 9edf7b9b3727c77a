//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

package secretmem

import "runtime/secret"

// Erases tells whether Do erases.
const Erases = true

// Do runs f and erases what it leaves behind. What f returns it must copy into
// memory of the caller.
func Do(f func()) { secret.Do(f) }
