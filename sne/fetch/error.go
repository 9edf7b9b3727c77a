package fetch

import (
	"errors"
	"fmt"
	"time"
)

// Kinds of failure; every error of this package is an *Error of one of them.
var (
	ErrNotFound    = errors.New("not there (yet)")
	ErrGone        = errors.New("no longer there")
	ErrTooBig      = errors.New("too big")
	ErrBusy        = errors.New("busy")
	ErrBadRequest  = errors.New("not understood by the other side")
	ErrMalformed   = errors.New("not an SNE answer")
	ErrUnreachable = errors.New("unreachable")
	ErrForbidden   = errors.New("address is not allowed")
)

// Error is a failed fetch.
type Error struct {
	Kind       error         // one of the sentinels above
	Path       string        // of the resource
	RetryAfter time.Duration // for ErrBusy: when to come again
	What       string        // for ErrMalformed: what was wrong
	Err        error         // cause, if there is one
}

// Error tells the kind, the resource and the cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("sne: %s: %v", e.Path, e.Kind)
	if e.What != "" {
		s += ": " + e.What
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
