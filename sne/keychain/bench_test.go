package keychain

import (
	"path/filepath"
	"testing"
)

// BenchmarkOpen shows what a start costs: a file of six keys, by each lock at
// its usual cost.
func BenchmarkOpen(b *testing.B) {
	for name, lock := range map[string]Lock{
		"device":     DeviceKey{Dir: filepath.Join(b.TempDir(), "device")},
		"passphrase": Passphrase{Text: []byte("correct horse")},
	} {
		path := filepath.Join(b.TempDir(), "keys")
		if _, err := CreateWith(b.Context(), path, lock, fill); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				k, err := Open(b.Context(), path, lock)
				if err != nil {
					b.Fatal(err)
				}
				k.Close()
			}
		})
	}
}

// BenchmarkUpdate shows what a rotation costs; most of it is the disk's.
func BenchmarkUpdate(b *testing.B) {
	k, err := CreateWith(b.Context(), filepath.Join(b.TempDir(), "keys"), DeviceKey{Dir: b.TempDir()}, fill)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := k.Update(func(e *Edit) error {
			next, err := e.Generate(Key{Name: "online", Kind: KindSigning, Purpose: PurposeOnline})
			if err != nil {
				return err
			}
			return e.Delete("online", next.Version-1)
		}); err != nil {
			b.Fatal(err)
		}
	}
}
