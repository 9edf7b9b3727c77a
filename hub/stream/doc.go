// Package stream turns one broadcast into sound: it is the hub's whole way
// from a signed manifest to PCM, as an audio.Source.
//
// The chain stands in one function, Source.lot: manifest -> rung -> fetch ->
// pay -> open; Source.Read decodes what comes out of it. Ciphertext is
// fetched and hashed before anything is paid (SNE-SPEC 7.2), money buys at
// most the ahead window (Plan), and a key is erased as soon as its segment is
// open. The stream knows no rail: it shows a wallet.Proof and learns keys.
//
// Invariants: blocks are contiguous and in the broadcast's own format,
// whatever rung they came from; nothing is paid while the stream is on hold;
// nothing that did not verify is ever decoded.
package stream
