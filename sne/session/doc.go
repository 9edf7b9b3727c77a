// Package session is the chain of exchanges between a hub and an origin
// (section 5). Every exchange is one request and one response, and every
// exchange rekeys: the request carries a fresh X-Wing key, the response
// encapsulates to it.
//
// It is pure state without I/O. Client is the hub's side, Server the origin's,
// Table keeps an origin's servers.
//
// Invariants: after an exchange both sides keep only the next root and hash, so
// that nothing retained opens what was sent before; under one root only one
// request is ever built; the byte-identical request gets the byte-identical
// response and acts once; plaintexts are padded to one of six lengths; nothing
// is ever written to disk.
package session
