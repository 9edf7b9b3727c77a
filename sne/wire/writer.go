package wire

import "encoding/binary"

// Writer builds one object. The zero value is ready. A value that does not fit
// its field makes Bytes fail; nothing is cut silently.
type Writer struct {
	buf []byte
	err error
}

// Grow makes room for n more bytes at once.
func (w *Writer) Grow(n int) {
	if cap(w.buf)-len(w.buf) < n {
		w.buf = append(make([]byte, 0, len(w.buf)+n), w.buf...)
	}
}

// U8 writes one byte.
func (w *Writer) U8(v uint8) { w.buf = append(w.buf, v) }

// U16 writes a 16-bit integer.
func (w *Writer) U16(v uint16) { w.buf = binary.BigEndian.AppendUint16(w.buf, v) }

// U32 writes a 32-bit integer.
func (w *Writer) U32(v uint32) { w.buf = binary.BigEndian.AppendUint32(w.buf, v) }

// U64 writes a 64-bit integer.
func (w *Writer) U64(v uint64) { w.buf = binary.BigEndian.AppendUint64(w.buf, v) }

// Raw writes b as it is.
func (w *Writer) Raw(b []byte) { w.buf = append(w.buf, b...) }

// Count8 writes the number of elements of a list of at most limit (<= 255).
func (w *Writer) Count8(n, limit int) {
	if n > limit || n > 255 {
		w.Fail("list too long")
		return
	}
	w.U8(uint8(n))
}

// X16 writes x<limit>: a 16-bit length and b.
func (w *Writer) X16(b []byte, limit int) {
	if len(b) > limit || len(b) > 0xffff {
		w.Fail("field too long")
		return
	}
	w.U16(uint16(len(b)))
	w.Raw(b)
}

// X32 writes x<<limit>>: a 32-bit length and b.
func (w *Writer) X32(b []byte, limit int) {
	if len(b) > limit || uint64(len(b)) > 0xffffffff {
		w.Fail("field too long")
		return
	}
	w.U32(uint32(len(b)))
	w.Raw(b)
}

// Fail makes Bytes fail, unless it already would.
func (w *Writer) Fail(what string) {
	if w.err == nil {
		w.err = Malformed(what)
	}
}

// Bytes returns what was written, or the first failure.
func (w *Writer) Bytes() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	return w.buf, nil
}
