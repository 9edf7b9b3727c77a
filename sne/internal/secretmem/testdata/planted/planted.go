// Package planted does with secrets what nobody should, and beside it what is
// allowed. The lint must find every line that is marked, and no other.
package planted

import (
	"bytes"
	"crypto/subtle"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
)

type grant struct {
	At   int
	keys []kdf.Secret
}

type file struct {
	Key  kdf.Secret `json:"key"` // offence: marshals a secret
	Name string     `json:"name"`
}

var index map[kdf.Secret]int // offence: uses a secret as a map key

func comparing(a, b *kdf.Secret, k *composite.SecretKey, seed []byte) int {
	n := 0
	if bytes.Equal(a[:], b[:]) { // offence: compares a secret in variable time
		n++
	}
	if *a == *b { // offence: compares a secret in variable time
		n++
	}
	if *a != (kdf.Secret{}) { // offence: compares a secret in variable time
		n++
	}
	if [32]byte(*a) == [32]byte(*b) { // offence: compares a secret in variable time
		n++
	}
	if a[0] == 7 { // offence: compares a secret in variable time
		n++
	}
	if slices.Equal(k.Seeds(), seed) { // offence: compares a secret in variable time
		n++
	}
	mine := k.Seeds()
	again := mine[:32]
	if bytes.HasPrefix(seed, again) { // offence: compares a secret in variable time
		n++
	}
	if reflect.DeepEqual(a, b) { // offence: compares a secret in variable time
		n++
	}
	switch *a { // offence: compares a secret in variable time
	case *b:
		n++
	}
	if a == b || a == nil || k.Public().KeyID() == new(composite.PublicKey).KeyID() { // pointers, and what is public
		n++
	}
	if subtle.ConstantTimeCompare(a[:], b[:]) == 1 || a.Equal(b) || len(a[:]) == 32 {
		n++
	}
	return n
}

func printing(w io.Writer, log *slog.Logger, s kdf.Secret, k *kem.SecretKey, g *grant) error {
	fmt.Fprintf(w, "%x", s[:])                             // offence: hands a secret to a printer
	fmt.Fprintln(w, k)                                     // offence: hands a secret to a printer
	fmt.Fprint(w, g)                                       // offence: hands a secret to a printer
	log.Info("key", "seed", k.Seed())                      // offence: hands a secret to a printer
	slog.Debug("grant", slog.Any("grant", *g))             // offence: hands a secret to a printer
	println(s[0])                                          // offence: hands a secret to a printer
	w.Write([]byte(string(s[:])))                          // offence: turns a secret into a string
	err := errors.New("bad key " + string(k.Seed()))       // offence: turns a secret into a string
	text := fmt.Sprintf("%v", [32]byte(s))                 // offence: hands a secret to a printer
	fmt.Fprintln(w, len(s), g.At, k.Public() != nil, text) // what is public
	return fmt.Errorf("seed %q: %w", s[:4], err)           // offence: hands a secret to a printer
}

func marshalling(w io.Writer, s *kdf.Secret, g grant) ([]byte, error) {
	if err := gob.NewEncoder(w).Encode(g); err != nil { // offence: marshals a secret
		return nil, err
	}
	if strings.Contains(hex.EncodeToString(s[:]), "00") { // offence: marshals a secret
		return nil, nil
	}
	if _, err := json.Marshal(g.At); err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"secrets": 1}) // nothing in it
}

func allowed(s *kdf.Secret, k *composite.SecretKey) ([]byte, error) {
	out := make([]byte, 32)
	copy(out, s[:])
	sig, err := k.Sign(composite.ContextHead, []byte("head"))
	if err != nil || bytes.Equal(sig, nil) { // a signature is public
		return nil, fmt.Errorf("sign %x: %w", sig, err)
	}
	return kdf.Seal(nil, s, nil, out)
}
