// Package kmip is the laboratory of remote keys: the keychain's vault against
// PyKMIP, a KMIP server that others wrote, as Debian packs it, over TLS with
// certificates on both sides, on loopback. `make lab LAB=kmip` runs it as root:
// the server and its helpers live in a PID namespace of their own, so that none
// of them outlives the test.
package kmip
