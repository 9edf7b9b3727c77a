// Package model holds the formal model of SNE/1 as text for ProVerif, and a test
// that runs it where that prover is installed. README.md says what it shows and
// what it does not.
package model
