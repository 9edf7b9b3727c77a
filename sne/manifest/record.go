// Package manifest fixes what a broadcast is (section 3.4): one EpochRecord for
// each epoch, an RFC 6962 Merkle tree over them, and a Head that the creator
// signed.
//
// Invariants: a Head is read only after its signature verified, and only under
// the creator key that the broadcast's own id names; a Record is returned only
// with a valid path to a verified Head and with the lengths that the Head
// fixes. A closed broadcast never opens again.
//
// A closed broadcast is a Tree. A live one is a Log that grows by a record and
// a signed Head for each epoch; whoever follows it asks with each new Head for
// the proof that it continues the last one (Follows).
package manifest

import (
	"golang.org/x/mod/sumdb/tlog"

	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// MaxRenditions is how many encodings one epoch of a tier may have.
const MaxRenditions = 16

// Rendition is one encoding of an epoch: what to fetch, and its hash.
type Rendition struct {
	R         uint16        // its number, unique in the tier
	Codec     segment.Codec // may be one that this version does not know
	BitsPerS  uint32
	ObjectLen uint32  // bytes of the segment object
	SHA256    wire.ID // of the segment object
}

// Record is the EpochRecord: all that is fixed about one epoch of one tier.
type Record struct {
	segment.Epoch
	Frames     uint32      // at the Head's rate
	Commit     [32]byte    // to the epoch secret
	Renditions []Rendition // 1 to 16, R rising

	Path []wire.ID // inclusion path under the Head that verified it; evidence, not part of its meaning
}

// Rendition finds an encoding by its number.
func (rec *Record) Rendition(r uint16) (Rendition, bool) {
	for _, x := range rec.Renditions {
		if x.R == r {
			return x, true
		}
	}
	return Rendition{}, false
}

func (rec *Record) check() error {
	if len(rec.Renditions) == 0 || len(rec.Renditions) > MaxRenditions {
		return wire.Malformed("record with a forbidden number of renditions")
	}
	for i, x := range rec.Renditions {
		if i > 0 && x.R <= rec.Renditions[i-1].R {
			return wire.Malformed("renditions out of order")
		}
		if x.ObjectLen <= segment.Overhead || x.ObjectLen > segment.MaxObject {
			return wire.Malformed("segment of a forbidden length")
		}
	}
	if rec.Frames == 0 {
		return wire.Malformed("record without frames")
	}
	return nil
}

// Marshal encodes the record: 80 bytes and 43 for each rendition.
func (rec *Record) Marshal() ([]byte, error) {
	if err := rec.check(); err != nil {
		return nil, err
	}
	var w wire.Writer
	w.Grow(80 + 43*len(rec.Renditions))
	w.U8(1)
	w.Raw(rec.Epoch.Append(nil))
	w.U32(rec.Frames)
	w.Raw(rec.Commit[:])
	w.Count8(len(rec.Renditions), MaxRenditions)
	for _, x := range rec.Renditions {
		w.U16(x.R)
		w.U8(uint8(x.Codec))
		w.U32(x.BitsPerS)
		w.U32(x.ObjectLen)
		w.Raw(x.SHA256[:])
	}
	return w.Bytes()
}

// ParseRecord reads a record.
func ParseRecord(raw []byte) (*Record, error) {
	r := wire.NewReader(raw)
	r.Want8(1, "record version")
	rec := &Record{Epoch: segment.ReadEpoch(r), Frames: r.U32()}
	r.Fixed(rec.Commit[:])
	n := int(r.U8())
	if n > MaxRenditions {
		r.Fail("too many renditions")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		rec.Renditions = append(rec.Renditions, Rendition{
			R: r.U16(), Codec: segment.Codec(r.U8()), BitsPerS: r.U32(), ObjectLen: r.U32(), SHA256: r.ID(),
		})
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return rec, rec.check()
}

// Leaf returns the RFC 6962 leaf hash of the record.
func (rec *Record) Leaf() (wire.ID, error) {
	raw, err := rec.Marshal()
	if err != nil {
		return wire.ID{}, err
	}
	return wire.ID(tlog.RecordHash(raw)), nil
}
