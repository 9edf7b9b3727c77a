package message

import (
	"fmt"

	"sonahub/sne/wire"
)

// Credential is something a hub chooses to show.
type Credential struct {
	Type uint8 // 1 = Privacy Pass token, RFC 9578 type 2
	Data []byte
}

const (
	maxCredentials = 4
	maxCredential  = 4096
	maxEdges       = 8
	maxEdge        = 255
)

// Hello may begin a session; one without it has trust 0 and works.
type Hello struct{ Credentials []Credential }

// Marshal encodes the body of a HELLO.
func (h *Hello) Marshal() ([]byte, error) {
	var w wire.Writer
	w.Count8(len(h.Credentials), maxCredentials)
	for _, c := range h.Credentials {
		w.U8(c.Type)
		w.X16(c.Data, maxCredential)
	}
	return w.Bytes()
}

// ParseHello reads the body of a HELLO.
func ParseHello(body []byte) (*Hello, error) {
	r := wire.NewReader(body)
	n := int(r.U8())
	if n > maxCredentials {
		r.Fail("too many credentials")
	}
	h := &Hello{}
	for i := 0; i < n && r.Err() == nil; i++ {
		h.Credentials = append(h.Credentials, Credential{Type: r.U8(), Data: r.X16(maxCredential)})
	}
	return h, r.Close()
}

// Welcome answers a HELLO.
type Welcome struct {
	Trust         uint8
	MaxOpenOffers uint16
	Time          uint64   // ms since 1970, for display only
	Edges         []string // at most 8 URLs of at most 255 bytes that serve the GETs
}

// Marshal encodes the body of a WELCOME.
func (m *Welcome) Marshal() ([]byte, error) {
	var w wire.Writer
	w.U8(m.Trust)
	w.U16(m.MaxOpenOffers)
	w.U64(m.Time)
	w.Count8(len(m.Edges), maxEdges)
	for _, e := range m.Edges {
		w.X16([]byte(e), maxEdge)
	}
	return w.Bytes()
}

// ParseWelcome reads the body of a WELCOME.
func ParseWelcome(body []byte) (*Welcome, error) {
	r := wire.NewReader(body)
	m := &Welcome{Trust: r.U8(), MaxOpenOffers: r.U16(), Time: r.U64()}
	n := int(r.U8())
	if n > maxEdges {
		r.Fail("too many edges")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		m.Edges = append(m.Edges, r.Text(maxEdge))
	}
	return m, r.Close()
}

// ErrorCode says why an origin refused a message.
type ErrorCode uint16

// The codes of section 6. None of them depends on a secret.
const (
	CodeBadRequest  ErrorCode = 1
	CodeUnsupported ErrorCode = 2
	CodeBusy        ErrorCode = 3
	CodePrice       ErrorCode = 4 // tokens untouched
	CodeNotFound    ErrorCode = 5
	CodeNotYet      ErrorCode = 6
	CodeGone        ErrorCode = 7 // the key is erased
	CodeRate        ErrorCode = 8
	CodeToken       ErrorCode = 9 // spent or forged: not told apart
	CodeKeySet      ErrorCode = 10
	CodeCredential  ErrorCode = 11
	CodeInternal    ErrorCode = 12
)

// String names the code.
func (c ErrorCode) String() string {
	names := [...]string{"", "bad request", "unsupported", "busy", "price", "not found", "not yet", "gone", "rate", "token", "keyset", "credential", "internal"}
	if c == 0 || int(c) >= len(names) {
		return fmt.Sprintf("code %d", uint16(c))
	}
	return names[c]
}

// Error is the body of an ERROR, and the Go error that a refused message gives.
type Error struct {
	Code    ErrorCode
	RetryMs uint32 // when to try again; 0 = no hint
}

// Error names the refusal.
func (e *Error) Error() string { return "sne: origin refused: " + e.Code.String() }

// Marshal encodes the body of an ERROR.
func (e *Error) Marshal() ([]byte, error) {
	var w wire.Writer
	w.U16(uint16(e.Code))
	w.U32(e.RetryMs)
	return w.Bytes()
}

// ParseError reads the body of an ERROR.
func ParseError(body []byte) (*Error, error) {
	r := wire.NewReader(body)
	e := &Error{Code: ErrorCode(r.U16()), RetryMs: r.U32()}
	return e, r.Close()
}
