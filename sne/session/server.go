package session

import (
	"crypto/sha256"
	"io"
	"sync"
	"time"

	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

// Lifetimes of a session at the origin (sections 4 and 5).
const (
	FirstExchange = 30 * time.Second // a session without an exchange is dropped
	Idle          = 15 * time.Minute // and an idle one

	keepResponse = time.Minute // how long a response can be repeated
	maxBad       = 16          // requests that do not open end the session
)

// Server is the origin's side of one session. It is safe for concurrent use: a
// repeat that arrives while its first copy is still being answered waits for
// that answer.
type Server struct {
	Random io.Reader // nil = the system's generator; set before the first Handle
	Bundle wire.ID   // under which it was opened, for who keeps it; set before the first Handle

	mu       sync.Mutex
	chain    chain
	limit    uint32
	ends     time.Time
	last     time.Time // of the last exchange, or of the handshake
	bad      int
	over     bool
	request  [32]byte // SHA-256 of request_{next-1}
	response []byte   // response_{next-1}; nil = dropped
}

// NewServer takes the session over from a handshake; r is erased.
func NewServer(r *handshake.Result, now time.Time) *Server {
	s := &Server{
		chain: chain{id: r.Session, root: r.Root, hash: r.Hash},
		limit: r.MaxExchanges,
		ends:  now.Add(time.Duration(r.TTL) * time.Second),
		last:  now,
	}
	r.Erase()
	return s
}

// Session returns the id.
func (s *Server) Session() wire.SessionID { return s.chain.id }

// Handle answers one request. It calls answer with the padded messages inside
// it (message.Parse reads them), and seals what answer returns. A repeat gets
// the first response again, without a call.
//
// Errors: ErrBad (HTTP 400), ErrGone (HTTP 410), or the error of answer or of
// the machine. An answer that fails must not have acted: the session stays
// where it was and the hub may send the request again.
func (s *Server) Handle(now time.Time, request []byte, answer func(messages []byte) ([]byte, error)) ([]byte, error) {
	return s.HandleBase(now, request, func(messages []byte, _ *kdf.Secret) ([]byte, error) { return answer(messages) })
}

// Answer answers the messages of one exchange. base is the exchange's lock
// base, from which the salts of its offers derive (section 7.1); it is erased
// when Answer returns.
type Answer func(messages []byte, base *kdf.Secret) ([]byte, error)

// HandleBase is Handle for an origin that makes offers.
func (s *Server) HandleBase(now time.Time, request []byte, answer Answer) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expired(now) {
		s.end()
		return nil, ErrGone
	}
	i, err := readHeader(typeRequest, request, 0)
	if err != nil {
		return nil, s.refuse()
	}
	if s.chain.next > 0 && i == s.chain.next-1 {
		return s.repeat(now, request)
	}
	if i != s.chain.next || i >= s.limit {
		return nil, ErrGone
	}
	plain, err := s.open(request)
	if err != nil {
		return nil, s.refuse()
	}
	defer clear(plain)
	return s.exchange(now, request, plain, answer)
}

func (s *Server) repeat(now time.Time, request []byte) ([]byte, error) {
	s.trim(now)
	if s.response == nil || sha256.Sum256(request) != s.request {
		return nil, ErrGone
	}
	return s.response, nil
}

func (s *Server) open(request []byte) ([]byte, error) {
	var kq kdf.Secret
	defer kq.Erase()
	if err := s.chain.requestKey(&kq); err != nil {
		return nil, err
	}
	return kdf.Open(nil, &kq, s.chain.aad(request[:headSize], nil), request[headSize:])
}

func (s *Server) exchange(now time.Time, request, plain []byte, answer Answer) ([]byte, error) {
	ek := (*kem.PublicKey)(plain)
	var ss kdf.Secret
	var ct kem.Ciphertext
	if err := ek.Encapsulate(s.Random, &ss, &ct); err != nil {
		return nil, s.refuse()
	}
	var st step
	defer st.erase()
	if err := s.chain.advance(&st, request, &ct, &ss); err != nil {
		return nil, err
	}
	messages, err := answer(plain[len(ek):], &st.base)
	st.base.Erase()
	if err != nil {
		return nil, err
	}
	response, err := s.seal(&st, &ct, messages)
	if err != nil {
		return nil, err
	}
	s.chain.commit(&st)
	s.request, s.response, s.last = sha256.Sum256(request), response, now
	return response, nil
}

func (s *Server) seal(st *step, ct *kem.Ciphertext, messages []byte) ([]byte, error) {
	plain, err := pad(messages)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	n := len(ct) + len(plain) + kdf.Overhead
	hdr := header(typeResponse, s.chain.next, n)
	out := append(append(make([]byte, 0, len(hdr)+n), hdr...), ct[:]...)
	return kdf.Seal(out, &st.response, s.chain.aad(hdr, ct[:]), plain)
}

// refuse counts a request that does not open; too many end the session.
func (s *Server) refuse() error {
	s.bad++
	if s.bad >= maxBad {
		s.end()
	}
	return ErrBad
}

// Expired reports that the session is over and can be forgotten.
func (s *Server) Expired(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim(now)
	return s.expired(now)
}

func (s *Server) expired(now time.Time) bool {
	quiet := Idle
	if s.chain.next == 0 {
		quiet = FirstExchange
	}
	return s.over || !now.Before(s.ends) || now.Sub(s.last) >= quiet
}

// trim forgets a response that nobody will ask for again.
func (s *Server) trim(now time.Time) {
	if now.Sub(s.last) >= keepResponse {
		s.response = nil
	}
}

// Erase ends the session and overwrites its secrets.
func (s *Server) Erase() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
}

func (s *Server) end() {
	s.chain.erase()
	s.response, s.over = nil, true
}
