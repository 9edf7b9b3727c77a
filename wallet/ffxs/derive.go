package ffxs

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cloudflare/circl/group"

	"sonahub/wallet"
)

// seed is the secret behind all tokens. It never prints itself.
type seed [32]byte

func (seed) String() string             { return "redacted" }
func (seed) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("redacted")) }
func (seed) LogValue() slog.Value       { return slog.StringValue("redacted") }

// openSeed unseals the seed, or draws and seals one.
func openSeed(ctx context.Context, tx wallet.Tx, key *wallet.Key) (seed, error) {
	place := []byte("ffxs seed")
	var s seed
	var sealed []byte
	err := tx.QueryRowContext(ctx, "SELECT sealed FROM ffxs_seed").Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		if _, err := rand.Read(s[:]); err != nil {
			return s, err
		}
		if sealed, err = key.Seal(place, s[:]); err != nil {
			return s, err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO ffxs_seed VALUES (1, ?, 0)", sealed)
		return s, err
	}
	if err != nil {
		return s, err
	}
	plain, err := key.Open(place, sealed)
	if err != nil {
		return s, err
	}
	if len(plain) != len(s) {
		return s, wallet.ErrSealed
	}
	copy(s[:], plain)
	clear(plain)
	return s, nil
}

// expand derives n bytes under a label and parts, each part with its length.
func (s seed) expand(n int, label string, parts ...[]byte) ([]byte, error) {
	info := []byte("sne1 purse " + label)
	for _, p := range parts {
		info = binary.BigEndian.AppendUint32(info, uint32(len(p)))
		info = append(info, p...)
	}
	return hkdf.Expand(sha256.New, s[:], string(info), n)
}

// batch names one set of blinds.
type batch [16]byte

// voucherBatch depends on the voucher alone, so that it can be made again.
func (s seed) voucherBatch(root string, set [32]byte, code string) (batch, error) {
	b, err := s.expand(len(batch{}), "voucher batch", []byte(root), set[:], []byte(code))
	if err != nil {
		return batch{}, err
	}
	return batch(b), nil
}

// spendBatch depends on a counter and on the tokens that pay for it.
func (s seed) spendBatch(ctx context.Context, tx wallet.Tx, tokens []byte) (batch, error) {
	var count int64
	if err := tx.QueryRowContext(ctx, "UPDATE ffxs_seed SET counter = counter + 1 RETURNING counter").Scan(&count); err != nil {
		return batch{}, err
	}
	sum := sha256.Sum256(tokens)
	b, err := s.expand(len(batch{}), "spend batch", binary.BigEndian.AppendUint64(nil, uint64(count)), sum[:])
	if err != nil {
		return batch{}, err
	}
	return batch(b), nil
}

// input is t of token i of a denomination in a batch: the VOPRF input.
func (s seed) input(set [32]byte, b batch, denom uint8, i int) ([32]byte, error) {
	t, err := s.expand(32, "token", set[:], b[:], []byte{denom, byte(i)})
	if err != nil {
		return [32]byte{}, err
	}
	return [32]byte(t), nil
}

// blind is the scalar that hides this input from the issuer.
func (s seed) blind(set [32]byte, b batch, denom uint8, i int) (group.Scalar, error) {
	wide, err := s.expand(64, "blind", set[:], b[:], []byte{denom, byte(i)})
	if err != nil {
		return nil, err
	}
	k := group.Ristretto255.HashToScalar(wide, []byte("sne1 purse blind"))
	if k.IsZero() {
		return nil, errors.New("ffxs: blind of zero")
	}
	return k, nil
}
