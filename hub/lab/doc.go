// Package lab is the roof over the laboratories: tests against peers that
// others wrote, run by `make lab`. Each laboratory is a package of its own
// below; they need root, keep to network namespaces that they make and end
// with one line of figures.
package lab
