package importer

import (
	"math"
	"math/bits"
)

// maxCodebook bounds the values of one codebook; real ones stay below 2^17.
const maxCodebook = 1 << 20

// lsbReader reads bits as Vorbis packs them: the lowest first.
type lsbReader struct {
	data []byte
	at   int // bits read
	over bool
}

func (r *lsbReader) read(n int) (v uint64) {
	if r.at+n > 8*len(r.data) {
		r.over = true
		return 0
	}
	for i := range n {
		v |= uint64(r.data[r.at>>3]>>(r.at&7)&1) << i
		r.at++
	}
	return v
}

// checkCodebooks walks the codebooks at the beginning of a setup header
// (Vorbis I section 3.2.1) and refuses what would make the library allocate
// without bound or search an incomplete tree for ever. What follows the
// codebooks is small whatever it says.
func checkCodebooks(setup []byte) error {
	r := &lsbReader{data: setup}
	for range r.read(8) + 1 {
		if !checkCodebook(r) || r.over {
			return errDamaged
		}
	}
	return nil
}

// checkCodebook walks one codebook.
func checkCodebook(r *lsbReader) bool {
	const pattern = 0x564342 // "BCV"
	if r.read(24) != pattern {
		return false
	}
	dims, entries := int(r.read(16)), int(r.read(24))
	if dims < 1 || entries < 2 || entries > maxCodebook/dims {
		return false
	}
	if !completeTree(r, entries) {
		return false
	}
	lookup := r.read(4)
	if lookup == 0 {
		return true
	}
	if lookup > 2 {
		return false
	}
	r.read(32)
	r.read(32)
	width := int(r.read(4)) + 1
	r.read(1)
	values := entries * dims
	if lookup == 1 {
		// As the library computes it, so that both stay in step.
		values = int(math.Floor(math.Pow(float64(entries), 1/float64(dims))))
	}
	r.at += values * width
	r.over = r.over || r.at > 8*len(r.data)
	return values > 0 && !r.over
}

// completeTree reads the lengths of the code words and says whether they fill
// a binary tree exactly: then every bit string ends at an entry.
func completeTree(r *lsbReader, entries int) bool {
	var filled uint64 // in units of 2^-32
	if r.read(1) == 0 {
		sparse := r.read(1) == 1
		for range entries {
			if sparse && r.read(1) == 0 {
				continue
			}
			filled += 1 << (32 - (r.read(5) + 1))
			if r.over {
				return false
			}
		}
		return filled == 1<<32
	}
	length := r.read(5) + 1
	for at := 0; at < entries; length++ {
		n := int(r.read(bits.Len(uint(entries - at))))
		if n > entries-at || length > 32 || r.over {
			return false
		}
		filled += uint64(n) << (32 - length)
		at += n
	}
	return filled == 1<<32
}
