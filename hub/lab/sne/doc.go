// Package sne is the laboratory of the platform under a crowd: a thousand
// listeners who buy one broadcast, and a flood of handshakes from many
// addresses and from one. `make lab LAB=sne` runs it; it needs no root.
//
// The platform is a process of its own, this test's binary started once more,
// so that its CPU and memory can be told from the listeners'. Payments go
// through a till in memory: what Lightning itself costs is not measured here.
// Everything stays on loopback, where all of 127/8 are addresses to come from.
// Sales between two architectures are package arm64's.
package sne
