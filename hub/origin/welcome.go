package origin

import (
	"encoding/json"
	"errors"
	"net/http"

	"sonahub/hub/origin/books"
	"sonahub/wallet/ffxs/mint"
)

const welcomePath = "/welcome"

// welcome gives a new hub a voucher: POST /welcome, empty body, JSON answer.
// It lies outside of /sne/1 because it is this platform's own idea.
func (o *Origin) welcome(w http.ResponseWriter, r *http.Request) {
	switch {
	case o.c.Welcome.Off:
		o.refuse(w, r, code(http.StatusNotFound))
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		o.refuse(w, r, code(http.StatusMethodNotAllowed))
		return
	case r.ContentLength > 0 || http.NewCrossOriginProtection().Check(r) != nil: // no web page may use it up
		o.refuse(w, r, code(http.StatusBadRequest))
		return
	}
	answer := struct {
		Voucher string `json:"voucher"`
		Units   uint32 `json:"units"`
	}{Units: o.c.Welcome.Units}
	var err error
	if answer.Voucher, err = mint.NewVoucher(nil, uint64(answer.Units)); err != nil {
		o.refuse(w, r, err)
		return
	}
	err = o.books.Welcome(r.Context(), answer.Voucher, int64(answer.Units), addressOf(r), o.c.Welcome.quota())
	var quota *books.QuotaError
	if errors.As(err, &quota) {
		err = busy(http.StatusTooManyRequests, quota.RetryAfter)
	}
	if err != nil {
		o.refuse(w, r, err)
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		o.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // a client that left has no use for it
}
