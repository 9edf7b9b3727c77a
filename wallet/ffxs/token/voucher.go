package token

import (
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// Voucher is a code that the issuer turns into units once:
// "<units>-<26 base32>". It never prints itself; Code gives the text.
type Voucher struct {
	Units  uint64
	Secret [16]byte
}

// MaxVoucherUnits bounds a voucher: 64 points of the largest denomination.
const MaxVoucherUnits = MaxPoints << (MaxDenoms - 1)

// String hides the code.
func (Voucher) String() string { return "redacted" }

// Format hides the code from every verb of fmt.
func (Voucher) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("redacted")) }

// LogValue hides the code from slog.
func (Voucher) LogValue() slog.Value { return slog.StringValue("redacted") }

// MarshalText hides it from JSON, also inside other values that are logged.
func (Voucher) MarshalText() ([]byte, error) { return []byte("redacted"), nil }

// voucherText is RFC 4648 base32 in lower case without padding.
func voucherText() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

// Code is the text that is handed to a listener.
func (v Voucher) Code() string {
	return strconv.FormatUint(v.Units, 10) + "-" + voucherText().EncodeToString(v.Secret[:])
}

// ParseVoucher reads a code in its one canonical form.
func ParseVoucher(code string) (Voucher, error) {
	var v Voucher
	if len(code) > 64 {
		return v, fmt.Errorf("%w: voucher too long", ErrMalformed)
	}
	units, secret, _ := strings.Cut(code, "-")
	n, err := strconv.ParseUint(units, 10, 64)
	if err != nil || n == 0 || n > MaxVoucherUnits {
		return v, fmt.Errorf("%w: voucher units", ErrMalformed)
	}
	b, err := voucherText().DecodeString(secret)
	if err != nil || len(b) != len(v.Secret) {
		return v, fmt.Errorf("%w: voucher text", ErrMalformed)
	}
	got := Voucher{Units: n, Secret: [16]byte(b)}
	if subtle.ConstantTimeCompare([]byte(got.Code()), []byte(code)) != 1 {
		return v, fmt.Errorf("%w: voucher not in canonical form", ErrMalformed)
	}
	return got, nil
}
