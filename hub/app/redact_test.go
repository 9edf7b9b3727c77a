package app

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sonahub/sne/kdf"
	"sonahub/wallet"
	"sonahub/wallet/ffxs/token"
)

// TestLogHoldsNoSecret logs secrets by every way there is: under names that
// speak of one, and in the types that hold them under names that do not. To
// see it fail: take the Format method from wallet.Bearer.
func TestLogHoldsNoSecret(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(&out, slog.LevelDebug)
	raw := bytes.Repeat([]byte("SECRET"), 8)
	key, err := wallet.NewKey(raw[:32])
	if err != nil {
		t.Fatal(err)
	}
	var secret kdf.Secret
	copy(secret[:], raw)
	voucher := token.Voucher{Units: 1, Secret: [16]byte(raw)}
	values := map[string]any{
		"proof": wallet.Bearer(raw), "sealed": key, "epoch": secret, "gift": voucher,
		"in a struct": struct{ B wallet.Bearer }{raw}, "behind": &struct{ K *wallet.Key }{key},
		"list": []wallet.Bearer{raw}, "error": fmt.Errorf("refused: %w: %v", errors.ErrUnsupported, wallet.Bearer(raw)),
	}
	for name, v := range values {
		log.Info("x", name, v)
		log.Info("x", slog.Group("deep", name, v))
		log.With(name, v).Warn("x")
		log.Info(fmt.Sprintf("%v %+v %s", v, v, v))
	}
	for _, name := range []string{"code", "one_time_code", "Cookie", "tokens", "voucher", "purse_seed", "secret", "macaroon", "preimage", "password", "body"} {
		log.Info("x", name, "SECRET")
		log.Info("x", slog.Group("deep", name, []byte("SECRET")))
	}
	text := out.String()
	hex, list := fmt.Sprintf("%x", "SECRET"), strings.Trim(fmt.Sprint([]byte("SECRET")), "[]")
	for _, leak := range []string{"SECRET", "U0VDUkVU", hex, strings.ToUpper(hex), list, voucher.Code()[2:]} {
		if i := strings.Index(text, leak); i >= 0 {
			t.Errorf("the log tells a secret: …%s…", text[max(0, i-60):min(len(text), i+60)])
		}
	}
	log.Info("x", "room", "kitchen", "codec", "flac")
	if !strings.Contains(out.String(), "room=kitchen codec=flac") {
		t.Error("the log hides what it should tell")
	}
}
