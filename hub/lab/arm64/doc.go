// Package arm64 is the laboratory of the other processor: everything here was
// written on amd64, and the household's hub is an arm64 board. `make lab
// LAB=arm64` runs the vectors and a whole sale on arm64 under qemu's user-mode
// emulation, sells between the two architectures in both directions, and counts
// the instructions of what SNE costs on each. Emulation says nothing about time;
// counts of instructions are what it can give.
//
// It installs Debian's qemu-user if that is missing, and keeps to loopback.
package arm64
