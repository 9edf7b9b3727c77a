// Package segment is the content plane of SNE/1 below the manifest: epoch
// secrets and their commitments (section 3.1), segment objects (3.2) and the
// sound inside them (3.3).
//
// One epoch of one tier has one secret; one epoch of one rendition is one
// object. The commitment fixes the secret, the derivation fixes the key, the
// manifest's hash fixes the object: one plaintext, or a provable fault.
//
// Invariants: every sealing draws a fresh seal value, so that a title that is
// encoded twice never uses one key for two plaintexts; nothing of an object is
// returned that did not open; every length is checked before it is used.
package segment

import (
	"crypto/subtle"
	"encoding/binary"

	"sonahub/sne/kdf"
	"sonahub/sne/wire"
)

// Epoch names one epoch of one tier of a broadcast; its encoding is "ectx".
type Epoch struct {
	Broadcast wire.ID
	Tier      uint16
	Number    uint64 // 0, 1, 2, ...
}

// EpochSize is the length of an encoded Epoch in bytes.
const EpochSize = 32 + 2 + 8

// Append appends the encoding b[32] || u16 tier || u64 epoch.
func (e Epoch) Append(dst []byte) []byte {
	dst = append(dst, e.Broadcast[:]...)
	dst = binary.BigEndian.AppendUint16(dst, e.Tier)
	return binary.BigEndian.AppendUint64(dst, e.Number)
}

// ReadEpoch reads the encoding of an Epoch.
func ReadEpoch(r *wire.Reader) Epoch {
	return Epoch{Broadcast: r.ID(), Tier: r.U16(), Number: r.U64()}
}

// EpochSecret sets dst to the epoch secret of a closed broadcast, derived from
// the title's master secret.
func EpochSecret(dst, titleMaster *kdf.Secret, e Epoch) error {
	return kdf.Expand(dst, titleMaster, "epoch", e.Append(nil))
}

// Commit returns the commitment to an epoch secret that the manifest carries.
func Commit(es *kdf.Secret, e Epoch) ([32]byte, error) {
	var c kdf.Secret
	err := kdf.Expand(&c, es, "epoch commit", e.Append(nil))
	return c, err
}

// Fits reports, in constant time, whether es is the secret that commit fixes.
func Fits(es *kdf.Secret, e Epoch, commit [32]byte) bool {
	c, err := Commit(es, e)
	return err == nil && subtle.ConstantTimeCompare(c[:], commit[:]) == 1
}

// sealKey sets k to the key of one sealing of one rendition.
func sealKey(k, es *kdf.Secret, e Epoch, rendition uint16, seal []byte) error {
	ctx := e.Append(make([]byte, 0, EpochSize+2+sealSize))
	ctx = binary.BigEndian.AppendUint16(ctx, rendition)
	return kdf.Expand(k, es, "segment", append(ctx, seal...))
}
