//go:build lab && linux

package kmip

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sonahub/sne/kdf"
	"sonahub/sne/keychain"
	"sonahub/sne/keychain/kmip"
)

func vault(t *testing.T, s *Server, user string) *kmip.Vault {
	t.Helper()
	pair, err := s.Authority().Client(user)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kmip.LoadTLS(s.Authority().Cert, pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return &kmip.Vault{Address: s.Addr, TLS: c}
}

// took is the median of n runs.
func took(t *testing.T, n int, f func() error) time.Duration {
	t.Helper()
	var all []time.Duration
	for range n {
		begin := time.Now()
		if err := f(); err != nil {
			t.Fatal(err)
		}
		all = append(all, time.Since(begin))
	}
	slices.Sort(all)
	return all[n/2].Round(100 * time.Microsecond)
}

func TestLab(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	version, err := Prepare(ctx, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.Log())
		}
	})

	// A key's life.
	v := vault(t, s, "hub")
	want, got := kdf.Secret{1, 2, 3}, kdf.Secret{}
	token, err := v.Wrap(ctx, &want)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Unwrap(ctx, token, &got); err != nil || got != want {
		t.Fatalf("unwrap: %v", err)
	}
	const runs = 15
	wrap := took(t, runs, func() error { return second(v.Wrap(ctx, &want)) })
	unwrap := took(t, runs, func() error { return v.Unwrap(ctx, token, &got) })

	refusals, tried := 0, 0
	refuse := func(what string, err error, want ...error) {
		t.Helper()
		tried++
		for _, w := range want {
			if errors.Is(err, w) {
				refusals++
				return
			}
		}
		t.Errorf("%s: got %v", what, err)
	}
	refuse("another user", vault(t, s, "guest").Unwrap(ctx, token, &got), kmip.ErrGone, kmip.ErrRefused)
	bad := slices.Clone(token)
	bad[len(bad)-1] ^= 1
	refuse("a changed tag", v.Unwrap(ctx, bad, &got), kmip.ErrRefused)
	if err := v.Revoke(ctx, token); err != nil {
		t.Errorf("revoke: %v", err)
	}
	refuse("a revoked key", v.Unwrap(ctx, token, &got), kmip.ErrRevoked)
	for range 2 {
		if err := v.Destroy(ctx, token); err != nil {
			t.Errorf("destroy: %v", err)
		}
	}
	refuse("a destroyed key", v.Unwrap(ctx, token, &got), kmip.ErrGone)

	// A keychain, over the server's death and return.
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	lock := keychain.Remote{Device: keychain.DeviceKey{Dir: filepath.Join(dir, "device")}, Vault: v}
	k, err := keychain.CreateWith(ctx, path, lock, func(e *keychain.Edit) error {
		return second(e.Generate(keychain.Key{Name: "root", Kind: keychain.KindSigning, Purpose: keychain.PurposeRoot}))
	})
	if err != nil {
		t.Fatal(err)
	}
	root, err := k.Signing("root", 0, keychain.PurposeRoot)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Rekey(ctx, lock); err != nil || k.Pending() != 0 {
		t.Fatalf("rekey: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	refuse("no server", second(keychain.Open(ctx, path, lock)), kmip.ErrUnreachable)
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	open := took(t, runs, func() error {
		k, err := keychain.Open(ctx, path, lock)
		if err != nil {
			return err
		}
		defer k.Close()
		again, err := k.Signing("root", 0, keychain.PurposeRoot)
		if err == nil && again.Public().KeyID() != root.Public().KeyID() {
			err = errors.New("another key came out")
		}
		return err
	})
	if t.Failed() {
		return
	}
	fmt.Printf("kmip: PyKMIP %s, KMIP 1.4 over mTLS: create and encrypt %v, decrypt %v, keychain open %v (medians of %d); %d of %d misuses refused with their own error; 1 kill of the server survived\n",
		version, wrap, unwrap, open, runs, refusals, tried)
}

func second[T any](_ T, err error) error { return err }
