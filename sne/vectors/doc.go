// Package vectors holds the test vectors of SNE/1 (section 14 of ../SPEC.md) as
// JSON files, for implementations in any language; README.md says what each
// file covers and how to use it.
//
// The package has no code of its own. Its tests make the files (a topic each in
// registry_test.go; every random byte comes from a name) and check them against
// the packages of sne; the tests in naive check the same files against a second
// implementation that imports nothing of sne.
//
// Invariants: what the generator makes is, byte for byte, what is committed;
// every file is checked by both implementations; all together stay below 3 MB.
package vectors

//go:generate env SNE_VECTORS=write go test -count=1 -run ^TestGenerate$ .
