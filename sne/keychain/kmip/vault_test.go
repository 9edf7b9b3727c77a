package kmip

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sonahub/sne/kdf"
	"sonahub/sne/keychain"
	"sonahub/sne/keychain/kmip/kmiptest"
	"sonahub/sne/wire"
)

type rig struct {
	authority *kmiptest.Authority
	pair      kmiptest.Pair
	server    *kmiptest.Server
	vault     *Vault
}

func start(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{}
	var err error
	if r.authority, err = kmiptest.NewAuthority(dir, "authority"); err != nil {
		t.Fatal(err)
	}
	if r.pair, err = r.authority.Server(); err != nil {
		t.Fatal(err)
	}
	if r.server, err = kmiptest.Start("", r.authority, r.pair, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.server.Close() }) // some tests have closed it
	r.vault = &Vault{Address: r.server.Addr, TLS: r.client(t, r.authority, "hub")}
	return r
}

func (r *rig) client(t *testing.T, signer *kmiptest.Authority, name string) *tls.Config {
	t.Helper()
	pair, err := signer.Client(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := LoadTLS(r.authority.Cert, pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (r *rig) stop(t *testing.T) {
	t.Helper()
	if err := r.server.Close(); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) again(t *testing.T) {
	t.Helper()
	s, err := kmiptest.Start(r.server.Addr, r.authority, r.pair, r.server)
	if err != nil {
		t.Fatal(err)
	}
	r.server = s
}

func TestLifeOfAKey(t *testing.T) {
	r, ctx := start(t), t.Context()
	want := kdf.Secret{1, 2, 3}
	token, err := r.vault.Wrap(ctx, &want)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(token, want[:8]) {
		t.Error("the token shows the secret")
	}
	other, err := r.vault.Wrap(ctx, &want)
	if err != nil || bytes.Equal(token, other) || r.server.Keys() != 2 {
		t.Fatalf("%v, %d keys", err, r.server.Keys())
	}
	var got kdf.Secret
	if err := r.vault.Unwrap(ctx, token, &got); err != nil || got != want {
		t.Fatalf("unwrap: %v", err)
	}
	for range 2 {
		if err := r.vault.Revoke(ctx, token); err != nil {
			t.Errorf("revoke: %v", err)
		}
	}
	got = kdf.Secret{}
	if err := r.vault.Unwrap(ctx, token, &got); !errors.Is(err, ErrRevoked) || !got.IsZero() {
		t.Errorf("a revoked key: %v", err)
	}
	for range 2 {
		if err := r.vault.Destroy(ctx, token); err != nil {
			t.Errorf("destroy: %v", err)
		}
	}
	if err := r.vault.Unwrap(ctx, token, &got); !errors.Is(err, ErrGone) || !got.IsZero() {
		t.Errorf("a destroyed key: %v", err)
	}
	if err := r.vault.Revoke(ctx, token); !errors.Is(err, ErrGone) {
		t.Errorf("revoking a destroyed key: %v", err)
	}
	if err := r.vault.Destroy(ctx, other); err != nil || r.server.Keys() != 0 {
		t.Errorf("destroying a key in use: %v", err)
	}
}

// Nothing but the one secret ever comes out, or an error that tells why.
func TestWrongTokensAndAnswers(t *testing.T) {
	r, ctx := start(t), t.Context()
	secret := kdf.Secret{1}
	token, err := r.vault.Wrap(ctx, &secret)
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.vault.Wrap(ctx, &secret)
	if err != nil {
		t.Fatal(err)
	}
	var got kdf.Secret
	for at := 4; at < len(token); at++ {
		bad := bytes.Clone(token)
		bad[at] ^= 1
		if err := r.vault.Unwrap(ctx, bad, &got); !errors.Is(err, ErrRefused) || !got.IsZero() {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	mixed := append(bytes.Clone(second[:4]), token[4:]...)
	if err := r.vault.Unwrap(ctx, mixed, &got); !errors.Is(err, ErrRefused) {
		t.Errorf("another key: %v", err)
	}
	for name, bad := range map[string][]byte{
		"empty": {}, "cut": token[:len(token)-1], "long": append(bytes.Clone(token), 0),
		"version": append([]byte{2}, token[1:]...), "no key": append([]byte{1, 0, 0}, token[4:]...),
	} {
		if err := r.vault.Unwrap(ctx, bad, &got); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.server.Cross(true)
	if err := r.vault.Unwrap(ctx, token, &got); !errors.Is(err, ErrAnswer) || !got.IsZero() {
		t.Errorf("an answer about another key: %v", err)
	}
	if _, err := r.vault.Wrap(ctx, &secret); !errors.Is(err, ErrAnswer) {
		t.Errorf("an answer about another key: %v", err)
	}
}

func TestBothSidesShowCertificates(t *testing.T) {
	r, ctx := start(t), t.Context()
	stranger, err := kmiptest.NewAuthority(t.TempDir(), "stranger")
	if err != nil {
		t.Fatal(err)
	}
	secret := kdf.Secret{1}
	foreign := &Vault{Address: r.server.Addr, TLS: r.client(t, stranger, "hub")}
	if _, err := foreign.Wrap(ctx, &secret); !errors.Is(err, ErrUnreachable) || r.server.Keys() != 0 {
		t.Errorf("a client of another authority: %v", err)
	}
	other, err := LoadTLS(stranger.Cert, r.pair.Cert, r.pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&Vault{Address: r.server.Addr, TLS: other}).Wrap(ctx, &secret); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a server of another authority: %v", err)
	}
	bare, blind := r.client(t, r.authority, "hub"), r.client(t, r.authority, "hub")
	bare.Certificates, blind.InsecureSkipVerify = nil, true
	for name, c := range map[string]*tls.Config{"no configuration": nil, "no certificate": bare, "no check": blind} {
		if _, err := (&Vault{Address: r.server.Addr, TLS: c}).Wrap(ctx, &secret); err == nil || r.server.Keys() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadTLS(r.pair.Key, r.pair.Cert, r.pair.Key); err == nil {
		t.Error("a key was taken for an authority")
	}
}

// The keychain says what is wrong with its remote half, and opens again when
// the server is back. It never goes on with another key.
func TestKeychainWithVault(t *testing.T) {
	r, ctx := start(t), t.Context()
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	lock := keychain.Remote{Device: keychain.DeviceKey{Dir: filepath.Join(dir, "device")}, Vault: r.vault}
	k, err := keychain.CreateWith(ctx, path, lock, func(e *keychain.Edit) error {
		_, err := e.Generate(keychain.Key{Name: "seed", Kind: keychain.KindSecret})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var want, got kdf.Secret
	if err := k.Secret("seed", 0, &want); err != nil {
		t.Fatal(err)
	}
	if err := k.Rekey(ctx, lock); err != nil || r.server.Keys() != 1 {
		t.Fatalf("rekey: %v, %d keys", err, r.server.Keys())
	}
	r.stop(t)
	if _, err := keychain.Open(ctx, path, lock); !errors.Is(err, ErrUnreachable) {
		t.Errorf("without the server: %v", err)
	}
	r.again(t)
	if k, err = keychain.Open(ctx, path, lock); err != nil {
		t.Fatal(err)
	}
	if err := k.Secret("seed", 0, &got); err != nil || got != want {
		t.Fatalf("another secret (%v)", err)
	}
	// The card without its device key, and with a key that was revoked.
	elsewhere := keychain.Remote{Device: keychain.DeviceKey{Dir: t.TempDir()}, Vault: r.vault}
	if _, err := keychain.Open(ctx, path, elsewhere); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the device key: %v", err)
	}
	empty, err := kmiptest.Start("", r.authority, r.pair, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	lost := keychain.Remote{Device: lock.Device, Vault: &Vault{Address: empty.Addr, TLS: r.vault.TLS}}
	if _, err := keychain.Open(ctx, path, lost); !errors.Is(err, ErrGone) || empty.Keys() != 0 {
		t.Errorf("a server that lost the key: %v", err)
	}
	r.server.RevokeAll()
	if _, err := keychain.Open(ctx, path, lock); !errors.Is(err, ErrRevoked) {
		t.Errorf("a revoked key: %v", err)
	}
}

// A server that says nothing is given up, and so is one when the caller is no
// longer interested.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := start(t)
	v := &Vault{Address: l.Addr().String(), TLS: r.vault.TLS, Timeout: 50 * time.Millisecond}
	if _, err := v.Wrap(t.Context(), &kdf.Secret{}); !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.vault.Wrap(gone, &kdf.Secret{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s := (failure{1, strings.Repeat("x", 1e6)}).Error(); len(s) > 300 {
		t.Errorf("a server's text of %d bytes in the error", len(s))
	}
}
