// Package sonahub is the root of the tree and holds no code, only the house
// tests: what may import what, that every package says what it is, and that
// files stay small. The map of the tree is in README.md.
package sonahub
