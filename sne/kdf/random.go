package kdf

import (
	"crypto/rand"
	"fmt"
	"io"
)

// Random fills dst from source, or from the system's generator if source is
// nil. Tests and vectors pass a source of their own.
func Random(source io.Reader, dst []byte) error {
	if source == nil {
		source = rand.Reader
	}
	if _, err := io.ReadFull(source, dst); err != nil {
		return fmt.Errorf("sne: randomness: %w", err)
	}
	return nil
}

// NewSecret returns a fresh secret; source as for Random.
func NewSecret(source io.Reader) (*Secret, error) {
	var s Secret
	if err := Random(source, s[:]); err != nil {
		return nil, err
	}
	return &s, nil
}
