// Package wire holds the encoding rules of SNE/1 (section 2.1): big-endian
// integers, byte strings with a length in front, fixed arrays, and the
// identifiers that appear in URLs.
//
// Invariants: a Reader never allocates from a length before it was compared
// with its limit and with the bytes that are left; trailing bytes are refused;
// every failure wraps ErrMalformed.
package wire
