package keychain

import (
	"bytes"
	"fmt"

	"sonahub/sne/internal/secretmem"
	"sonahub/sne/kdf"
	"sonahub/sne/wire"
)

const (
	magic      = "SNEKEYS1"
	maxName    = 64
	maxParams  = 4096
	maxEntries = 4096
	maxRetired = 16
	maxSealed  = 1 << 20
	maxFile    = maxSealed + maxParams + 64
)

// header is what a file says before its secrets.
type header struct {
	lock   LockKind
	params []byte
	salt   wire.ID
}

func (h header) append(w *wire.Writer) {
	w.Raw([]byte(magic))
	w.U8(uint8(h.lock))
	w.X16(h.params, maxParams)
	w.Raw(h.salt[:])
}

// retired names an old lock whose material is still to be erased.
type retired struct {
	lock   LockKind
	params []byte
}

type contents struct {
	entries []entry
	retired []retired
}

// parseFile reads the outer form; nothing in it is trusted before unseal.
func parseFile(data []byte) (h header, sealed []byte, err error) {
	r := wire.NewReader(data)
	if string(r.Take(len(magic))) != magic {
		r.Fail("not a keychain")
	}
	h.lock = LockKind(r.U8())
	h.params = append([]byte(nil), r.X16(maxParams)...)
	h.salt = r.ID()
	sealed = r.X32(maxSealed)
	if err := r.Close(); err != nil {
		return header{}, nil, err
	}
	return h, sealed, nil
}

// fileKey derives the key of one file.
func fileKey(key, kek *kdf.Secret, h header) error {
	return kdf.Expand(key, kek, "keychain file", h.salt[:])
}

func sealFile(h header, kek *kdf.Secret, c contents) (file []byte, err error) {
	secretmem.Do(func() { file, err = appendSealed(h, kek, c) })
	return bytes.Clone(file), err
}

func appendSealed(h header, kek *kdf.Secret, c contents) ([]byte, error) {
	plain, err := c.encode()
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	var w wire.Writer
	h.append(&w)
	aad, err := w.Bytes()
	if err != nil {
		return nil, err
	}
	var key kdf.Secret
	defer key.Erase()
	if err := fileKey(&key, kek, h); err != nil {
		return nil, err
	}
	sealed, err := kdf.Seal(nil, &key, aad, plain)
	if err != nil {
		return nil, err
	}
	w.X32(sealed, maxSealed)
	return w.Bytes()
}

func unseal(h header, kek *kdf.Secret, sealed []byte) (c contents, err error) {
	secretmem.Do(func() { c, err = openSealed(h, kek, sealed) })
	return c, err
}

func openSealed(h header, kek *kdf.Secret, sealed []byte) (contents, error) {
	var w wire.Writer
	h.append(&w)
	aad, err := w.Bytes()
	if err != nil {
		return contents{}, err
	}
	var key kdf.Secret
	defer key.Erase()
	if err := fileKey(&key, kek, h); err != nil {
		return contents{}, err
	}
	plain, err := kdf.Open(nil, &key, aad, sealed)
	if err != nil {
		return contents{}, ErrUnlock
	}
	defer clear(plain)
	c, err := parseContents(plain)
	if err != nil {
		return contents{}, fmt.Errorf("keychain: contents: %w", err)
	}
	return c, nil
}

// encode gives the plaintext, which the caller erases. The buffer has its full
// size from the start, so that no growth leaves a copy behind.
func (c contents) encode() ([]byte, error) {
	var w wire.Writer
	size := 4
	for i := range c.entries {
		size += 12 + len(c.entries[i].Name) + c.entries[i].Kind.size()
	}
	for _, r := range c.retired {
		size += 3 + len(r.params)
	}
	w.Grow(size)
	w.U8(1)
	if len(c.entries) > maxEntries {
		w.Fail("too many keys")
	}
	w.U16(uint16(len(c.entries)))
	for i := range c.entries {
		e := &c.entries[i]
		w.U8(uint8(e.Kind))
		w.U8(uint8(e.Purpose))
		w.U64(e.Version)
		w.X16([]byte(e.Name), maxName)
		w.Raw(e.bytes())
	}
	w.Count8(len(c.retired), maxRetired)
	for _, r := range c.retired {
		w.U8(uint8(r.lock))
		w.X16(r.params, maxParams)
	}
	return w.Bytes()
}

// parseContents copies everything out of plain.
func parseContents(plain []byte) (c contents, err error) {
	r := wire.NewReader(plain)
	r.Want8(1, "version of the contents")
	n := int(r.U16())
	const least = 2 + 8 + 2 + 1 + 32
	if n > maxEntries || n*least > r.Len() {
		r.Fail("too many keys")
		n = 0
	}
	c.entries = make([]entry, n)
	for i := range c.entries {
		e := &c.entries[i]
		e.Key = Key{Kind: Kind(r.U8()), Purpose: Purpose(r.U8()), Version: r.U64(), Name: r.Text(maxName)}
		r.Fixed(e.bytes())
		if r.Err() != nil {
			break
		}
		if e.check() != nil {
			r.Fail("a key that cannot be")
		} else if i > 0 && order(&c.entries[i-1].Key, &e.Key) >= 0 {
			r.Fail("keys out of order")
		}
	}
	m := int(r.U8())
	if m > maxRetired {
		r.Fail("too many old locks")
	}
	for range m {
		if r.Err() != nil {
			break
		}
		c.retired = append(c.retired, retired{lock: LockKind(r.U8()), params: append([]byte(nil), r.X16(maxParams)...)})
	}
	if err := r.Close(); err != nil {
		eraseEntries(c.entries)
		return contents{}, err
	}
	return c, nil
}
