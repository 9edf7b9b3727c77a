// Package bench measures the hub against the goals that its design sets, beside
// a peer or a bare primitive in the same run, and keeps the figures in one
// table in BENCHMARKS.md. `make bench` runs it; without SONAHUB_BENCH its
// measurements are skipped.
//
// What runs: the product's own binary as a child process where a process is
// measured (CPU, memory, start), a hub inside of the test where an instant is
// (tap to sound), with a platform and receivers in the test process and
// nothing but loopback in between.
//
// Invariants: every figure names what it was measured on; a goal that was
// missed is printed as missed; a peer's figure that was not taken in the same
// run is marked "other run"; a run that did not finish writes nothing, and the
// rest of BENCHMARKS.md, outside of the table's two marks, is left as it is.
package bench
