// Package kmip lets a machine elsewhere hold one half of a keychain's lock: the
// whitepaper's UraniumCube remote key management, on the standard for it, KMIP
// 1.4 over TLS with certificates on both sides (github.com/ovh/kmip-go).
//
// A Vault makes an AES-256 key on the server that never leaves it, and has the
// server encrypt (AES-GCM) a 32-byte secret under it. What is remembered of it,
// the token, is
//
//	u8 ver=1 | uid<256> | nonce[12] | ciphertext[32] | tag[16]
//
// To revoke the key at the server is to make the keychain useless wherever it
// is. Each call dials; these are rare calls.
//
// # Invariants
//
// An answer must name the key that was asked for. A key that is revoked, gone
// or not ours is an error of its own; no other key is ever used, and none is
// made but by Wrap. Answers are bounded (64 KiB, Timeout), and an answer of a
// wrong shape is ErrAnswer.
package kmip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"sonahub/sne/kdf"
	"sonahub/sne/keychain"
	"sonahub/sne/wire"
)

var (
	// ErrUnreachable says that the server could not be reached, or that it
	// broke off. Nothing is known about the key.
	ErrUnreachable = errors.New("kmip: server out of reach")
	// ErrRevoked says that the key is there but may not be used any more.
	ErrRevoked = errors.New("kmip: the key was revoked")
	// ErrGone says that the server has no such key, or none for this client.
	ErrGone = errors.New("kmip: the key is gone")
	// ErrRefused says that the server refuses for another reason.
	ErrRefused = errors.New("kmip: refused")
	// ErrAnswer says that the server's answer makes no sense.
	ErrAnswer = errors.New("kmip: bad answer")
)

const (
	maxAnswer = 64 << 10
	maxUID    = 256
	nonceSize = 12
	tagSize   = 16
)

// associated binds a ciphertext to its use. It is a string, so that nobody can
// change it.
const associated = "sne/1 keychain"

// Vault is a KMIP server. It is safe for concurrent use.
type Vault struct {
	Address string        // host:port; required
	TLS     *tls.Config   // the server's roots and this client's certificate; required, see LoadTLS
	Timeout time.Duration // of each call as a whole; 0 = 10 s
	Label   string        // name of new keys at the server begins so; "" = "sonahub"

	dial func(ctx context.Context) (net.Conn, error) // instead of TLS, for tests with hostile bytes
}

var _ keychain.Vault = (*Vault)(nil)

// LoadTLS reads PEM files: the authority that signed the server's certificate,
// and this client's certificate and key.
func LoadTLS(authority, certificate, key string) (*tls.Config, error) {
	roots, err := os.ReadFile(authority)
	if err != nil {
		return nil, fmt.Errorf("kmip: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots) {
		return nil, fmt.Errorf("kmip: %s holds no certificate", authority)
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("kmip: %w", err)
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// Wrap makes a key and encrypts secret under it.
func (v *Vault) Wrap(ctx context.Context, secret *kdf.Secret) (token []byte, err error) {
	err = v.with(ctx, func(c *call) error {
		uid, err := c.create(v.name())
		if err != nil {
			return err
		}
		s, err := c.encrypt(uid, secret)
		if err != nil {
			return errors.Join(err, c.destroy(uid))
		}
		token, err = s.encode()
		return err
	})
	return token, err
}

// Unwrap has the key of the token decrypt its secret.
func (v *Vault) Unwrap(ctx context.Context, token []byte, secret *kdf.Secret) error {
	s, err := parseToken(token)
	if err != nil {
		return fmt.Errorf("kmip: token: %w", err)
	}
	return v.with(ctx, func(c *call) error { return c.decrypt(s, secret) })
}

// Revoke takes the token's key out of use; it stays at the server until
// Destroy. A key that is revoked already is no error.
func (v *Vault) Revoke(ctx context.Context, token []byte) error {
	s, err := parseToken(token)
	if err != nil {
		return fmt.Errorf("kmip: token: %w", err)
	}
	return v.with(ctx, func(c *call) error { return c.revoke(s.uid) })
}

// Destroy revokes the token's key and destroys it. A key that is gone already
// is no error.
func (v *Vault) Destroy(ctx context.Context, token []byte) error {
	s, err := parseToken(token)
	if err != nil {
		return fmt.Errorf("kmip: token: %w", err)
	}
	return v.with(ctx, func(c *call) error { return c.destroy(s.uid) })
}

func (v *Vault) name() string {
	if v.Label == "" {
		return "sonahub"
	}
	return v.Label
}

// with runs f on a connection of its own.
func (v *Vault) with(ctx context.Context, f func(*call) error) error {
	timeout := v.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dial := v.dial
	if dial == nil {
		if v.TLS == nil || len(v.TLS.Certificates) == 0 && v.TLS.GetClientCertificate == nil {
			return errors.New("kmip: a client certificate is required")
		}
		if v.TLS.InsecureSkipVerify {
			return errors.New("kmip: the server's certificate must be checked")
		}
		dialer := tls.Dialer{Config: v.TLS}
		dial = func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", v.Address) }
	}
	conn, err := dial(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	// Whatever ends ctx closes the connection and so ends what waits for it.
	ended := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = f(&call{conn: conn})
	if ended() {
		_ = conn.Close() // every operation has been answered
	}
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("%w: %w", err, ctx.Err())
	}
	return err
}

// sealed is what a token says.
type sealed struct {
	uid    string
	nonce  [nonceSize]byte
	secret [len(kdf.Secret{})]byte // encrypted
	tag    [tagSize]byte
}

func (s sealed) encode() ([]byte, error) {
	var w wire.Writer
	w.U8(1)
	w.X16([]byte(s.uid), maxUID)
	w.Raw(s.nonce[:])
	w.Raw(s.secret[:])
	w.Raw(s.tag[:])
	return w.Bytes()
}

func parseToken(b []byte) (s sealed, err error) {
	r := wire.NewReader(b)
	r.Want8(1, "version of a token")
	if s.uid = r.Text(maxUID); s.uid == "" {
		r.Fail("no key is named") // the server would take one of its own choice
	}
	r.Fixed(s.nonce[:])
	r.Fixed(s.secret[:])
	r.Fixed(s.tag[:])
	if err := r.Close(); err != nil {
		return sealed{}, err
	}
	return s, nil
}
