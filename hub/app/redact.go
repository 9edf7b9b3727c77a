package app

import (
	"io"
	"log/slog"
	"strings"
)

// NewLogger writes structured text to w. Attributes whose name speaks of a
// secret are redacted, whatever their type; types that hold secrets redact
// themselves besides.
func NewLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: redact}))
}

func redact(_ []string, a slog.Attr) slog.Attr {
	name := strings.ReplaceAll(strings.ToLower(a.Key), "codec", "") // a word of sound
	for _, secret := range []string{"code", "cookie", "token", "voucher", "seed", "secret", "macaroon", "preimage", "password", "body"} {
		if strings.Contains(name, secret) {
			return slog.String(a.Key, "redacted")
		}
	}
	return a
}
