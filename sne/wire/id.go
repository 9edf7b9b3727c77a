package wire

import "encoding/base32"

// ID is a 32-byte identifier: a KeyID, bundle_id, broadcast_id, keyset_id or
// SHA-256 value. The zero value means "none".
type ID [32]byte

// SessionID names a session between a hub and an origin.
type SessionID [16]byte

// String gives the form used in URLs and JSON: 52 characters of lower-case
// base32 without padding.
func (i ID) String() string { return encode(i[:]) }

// String gives the form used in URLs: 26 characters of lower-case base32.
func (i SessionID) String() string { return encode(i[:]) }

// IsZero reports whether the identifier is "none".
func (i ID) IsZero() bool { return i == ID{} }

// MarshalText gives the same form as String.
func (i ID) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText is ParseID.
func (i *ID) UnmarshalText(text []byte) error { return decode(i[:], string(text)) }

// ParseID reads the canonical form of an ID and refuses every other spelling.
func ParseID(s string) (ID, error) {
	var id ID
	err := decode(id[:], s)
	return id, err
}

// ParseSessionID reads the canonical form of a SessionID.
func ParseSessionID(s string) (SessionID, error) {
	var id SessionID
	err := decode(id[:], s)
	return id, err
}

func encoding() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

func encode(b []byte) string { return encoding().EncodeToString(b) }

// decode refuses what would not be written again in the same way: other
// lengths, upper case, line breaks, and stray bits in the last character.
func decode(dst []byte, s string) error {
	e := encoding()
	if len(s) != e.EncodedLen(len(dst)) {
		return Malformed("identifier of a wrong length")
	}
	b, err := e.DecodeString(s)
	if err != nil || len(b) != len(dst) || e.EncodeToString(b) != s {
		return Malformed("identifier is not canonical base32")
	}
	copy(dst, b)
	return nil
}
