// Package sne is the root of SNE/1, "SNE - Secure Network Encryption" as the
// whitepaper names it: the protocol by which a hub fetches, buys and opens
// encrypted audio from an origin.
//
// The origin seals every epoch (2 s of sound) once, under a key of its own;
// the ciphertext is the same for everybody and may be cached anywhere. A hub
// opens an anonymous, quantum-resistant session with the origin and buys the
// epoch keys in it. What may be heard is fixed beforehand by a manifest that
// the creator signed, so that neither an edge nor the origin can slip in other
// sound.
//
// This package holds no code. Its parts, lowest first:
//
//	wire       encoding rules: bounded reader and writer, identifiers
//	kdf        key derivation and the one-shot AEAD
//	kem        X-Wing, with checked lengths
//	composite  ML-DSA-65 + Ed25519 signatures; both halves must verify
//	bundle     the origin's root-signed keys, the hub's pin on them, the sne URL
//	keychain   an origin's or a hub's long-lived keys, sealed at rest
//	handshake  pqNK: one message each way, gives a session its first secrets
//	session    a chain of exchanges, each of which rekeys
//	segment    epoch secrets, segment objects and the sound inside them
//	message    what is said inside a session
//	offer      keys locked to a Lightning preimage: lock, check, unlock
//	manifest   epoch records, the Merkle tree over them, the signed Head
//	catalog    what an origin offers, signed
//	resource   the HTTP paths, limits and cache rules
//	fetch      the hub's HTTP client for them
//	exhibit    proofs of fraud: made, kept, judged offline
//	sale       the hub's side of a purchase: all of the above in one client
//	snetest    a small origin in memory, for tests
//
// Live broadcasts are not here yet.
package sne
