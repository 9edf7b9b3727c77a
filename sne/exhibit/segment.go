package exhibit

import (
	"crypto/sha256"
	"fmt"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// maxRecord is the longest EpochRecord in bytes.
const maxRecord = 1024

// Segment makes the exhibit of an object that is the recorded one and yet does
// not open, with the right secret, to the sound that its record names. h and
// rec were verified, so that they carry their evidence.
func Segment(h *manifest.Head, rec *manifest.Record, es *kdf.Secret, object []byte) ([]byte, error) {
	if h.Key == nil || h.Signed == nil {
		return nil, wire.Malformed("head without its signature")
	}
	raw, err := rec.Marshal()
	if err != nil {
		return nil, err
	}
	var w wire.Writer
	w.X16(raw, maxRecord)
	writePath(&w, rec.Path)
	record, err := w.Bytes()
	if err != nil {
		return nil, err
	}
	return marshal(TypeSegment, h.Key[:], h.Signed, record, es[:], object)
}

func writePath(w *wire.Writer, path []wire.ID) {
	w.Count8(len(path), maxPath)
	for i := range path {
		w.Raw(path[i][:])
	}
}

func readPath(r *wire.Reader) []wire.ID {
	n := int(r.U8())
	if n > maxPath {
		r.Fail("path too long")
	}
	var path []wire.ID
	for i := 0; i < n && r.Err() == nil; i++ {
		path = append(path, r.ID())
	}
	return path
}

// readHead opens a Head that the accused creator signed.
func readHead(key, signed []byte, accused wire.ID) (*manifest.Head, error) {
	pk, err := composite.ParsePublicKey(key)
	if err != nil {
		return nil, err
	}
	if pk.KeyID() != accused {
		return nil, ErrAccused
	}
	return manifest.OpenHead(signed, pk)
}

func judgeSegment(parts [][]byte, accused wire.ID) (string, error) {
	if err := want(parts, 5); err != nil {
		return "", err
	}
	h, err := readHead(parts[0], parts[1], accused)
	if err != nil {
		return "", err
	}
	rec, err := readRecord(h, parts[2])
	if err != nil {
		return "", err
	}
	if len(parts[3]) != len(kdf.Secret{}) {
		return "", wire.Malformed("secret of a wrong length")
	}
	es, object := kdf.Secret(parts[3]), parts[4]
	defer es.Erase()
	if !segment.Fits(&es, rec.Epoch, rec.Commit) {
		return "", manifest.ErrRecord
	}
	return judgeObject(h, rec, &es, object)
}

// readRecord reads record<1024>; u8 k; hash[32] x k and verifies it.
func readRecord(h *manifest.Head, part []byte) (*manifest.Record, error) {
	r := wire.NewReader(part)
	raw := r.X16(maxRecord)
	path := readPath(r)
	if err := r.Close(); err != nil {
		return nil, err
	}
	rec, err := manifest.ParseRecord(raw)
	if err != nil {
		return nil, err
	}
	return h.Verify(rec.Number, raw, path)
}

// judgeObject finds the rendition that the object is recorded as, and opens it.
// An honest creator never records one object under two renditions: their
// headers differ.
func judgeObject(h *manifest.Head, rec *manifest.Record, es *kdf.Secret, object []byte) (string, error) {
	sum := wire.ID(sha256.Sum256(object))
	recorded := false
	for _, x := range rec.Renditions {
		if x.SHA256 != sum || int(x.ObjectLen) != len(object) {
			continue
		}
		if x.Codec.String() == "unknown" {
			continue // a later version's: not for this one to judge
		}
		recorded = true
		if _, err := h.OpenObject(rec, x.R, es, object); err != nil {
			return fmt.Sprintf("broadcast %v, tier %d, epoch %d, rendition %d: %v", rec.Broadcast, rec.Tier, rec.Number, x.R, err), nil
		}
	}
	if !recorded {
		return "", manifest.ErrRecord
	}
	return "", ErrNoFault
}
