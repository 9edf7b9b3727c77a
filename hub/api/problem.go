package api

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"

	"sonahub/hub/room"
	"sonahub/wallet"
)

// Problem is the body of every answer that is not a success.
type Problem struct {
	Code    string `json:"code"`    // stable, for programs
	Message string `json:"message"` // what is wrong, for people
	Next    string `json:"next"`    // what to do now
}

// status is the HTTP status of a problem's code.
func (p Problem) status() int {
	switch p.Code {
	case "bad_request":
		return http.StatusBadRequest
	case "not_owner":
		return http.StatusForbidden
	case "not_found":
		return http.StatusNotFound
	case "method":
		return http.StatusMethodNotAllowed
	case "refused", "cap", "balance", "exposure", "blocked":
		return http.StatusConflict
	case "too_large":
		return http.StatusRequestEntityTooLarge
	case "media_type":
		return http.StatusUnsupportedMediaType
	case "busy":
		return http.StatusServiceUnavailable
	case "timeout":
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// problem says an error of a command or a query in the terms of the interface.
func problem(err error) Problem {
	var (
		body     *BodyError
		notFound *room.NotFoundError
		outside  *room.RangeError
		capped   *wallet.CapError
		empty    *wallet.EmptyError
		exposed  *wallet.ExposureError
		blocked  *wallet.BlockedError
	)
	switch {
	case errors.As(err, &body) && body.Large:
		return Problem{"too_large", body.Message, "Send less at once."}
	case errors.As(err, &body):
		return Problem{"bad_request", body.Message, "See /api/openapi.yaml for the fields of each command."}
	case errors.As(err, &outside):
		return Problem{"bad_request", err.Error(), "Send a value in the range."}
	case errors.As(err, &notFound):
		return Problem{"not_found", err.Error(), "Read /api/state for what there is now."}
	case errors.Is(err, fs.ErrNotExist):
		return Problem{"not_found", "There is no such cover.", "Read /api/state for what there is now."}
	case errors.As(err, &capped):
		return Problem{"cap", err.Error(), "Wait, or let the owner raise the cap."}
	case errors.As(err, &empty):
		return Problem{"balance", err.Error(), "Top up the prepaid balance."}
	case errors.As(err, &exposed):
		return Problem{"exposure", err.Error(), "Try again in a few seconds."}
	case errors.As(err, &blocked):
		return Problem{"blocked", err.Error(), "Let the owner look at what went wrong with this platform."}
	case errors.Is(err, context.DeadlineExceeded):
		return Problem{"timeout", "The hub did not answer in time.", "Try again; the state tells whether it happened."}
	}
	return Problem{"refused", err.Error(), "Read /api/state for what the house does now."}
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, p Problem) {
	h.write(w, r, p.status(), p)
}

func (h *Handler) write(w http.ResponseWriter, r *http.Request, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		h.Logger.Debug("an answer did not arrive", "path", r.URL.Path, "err", err)
	}
}
