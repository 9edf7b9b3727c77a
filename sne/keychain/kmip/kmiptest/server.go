package kmiptest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipserver"
	"github.com/ovh/kmip-go/payloads"
)

// Server holds AES keys in memory.
type Server struct {
	Addr string

	mu     sync.Mutex
	keys   map[string]*key
	last   int
	cross  bool // answers about another key than asked
	server *kmipserver.Server
	ended  chan struct{}
}

type key struct {
	bytes []byte
	state kmip.State
}

// Start serves on addr, "" = any port of 127.0.0.1. It has the keys
// of former, which was closed; nil = none.
func Start(addr string, a *Authority, pair Pair, former *Server) (*Server, error) {
	cert, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, fmt.Errorf("kmiptest: %w", err)
	}
	roots, err := os.ReadFile(a.Cert)
	if err != nil {
		return nil, fmt.Errorf("kmiptest: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := tls.Listen("tcp", addr, &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		return nil, fmt.Errorf("kmiptest: %w", err)
	}
	s := &Server{Addr: l.Addr().String(), keys: map[string]*key{}, ended: make(chan struct{})}
	if former != nil {
		s.keys, s.last = former.keys, former.last
	}
	s.server = kmipserver.NewServer(l, s.routes())
	go func() {
		defer close(s.ended)
		_ = s.server.Serve() // it ends when it is closed
	}()
	return s, nil
}

// Close ends the server and waits for it.
func (s *Server) Close() error {
	err := s.server.Shutdown()
	<-s.ended
	return err
}

// Cross makes the server answer about another key than it was asked for.
func (s *Server) Cross(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cross = on
}

// Keys counts what is not destroyed.
func (s *Server) Keys() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.keys)
}

func (s *Server) routes() *kmipserver.BatchExecutor {
	e := kmipserver.NewBatchExecutor()
	e.Route(kmip.OperationCreate, kmipserver.HandleFunc(s.create))
	e.Route(kmip.OperationActivate, kmipserver.HandleFunc(s.activate))
	e.Route(kmip.OperationGetAttributes, kmipserver.HandleFunc(s.attributes))
	e.Route(kmip.OperationEncrypt, kmipserver.HandleFunc(s.encrypt))
	e.Route(kmip.OperationDecrypt, kmipserver.HandleFunc(s.decrypt))
	e.Route(kmip.OperationRevoke, kmipserver.HandleFunc(s.revoke))
	e.Route(kmip.OperationDestroy, kmipserver.HandleFunc(s.destroy))
	return e
}

// with finds a key, calls f, and gives the id to answer with.
func (s *Server) with(uid string, f func(*key) error) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.keys[uid]
	if !ok {
		return "", kmipserver.ErrItemNotFound
	}
	if f != nil {
		if err := f(k); err != nil {
			return "", err
		}
	}
	if s.cross {
		return uid + "x", nil
	}
	return uid, nil
}

func (s *Server) create(context.Context, *payloads.CreateRequestPayload) (*payloads.CreateResponsePayload, error) {
	k := &key{bytes: make([]byte, 32), state: kmip.StatePreActive}
	if _, err := rand.Read(k.bytes); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	uid := strconv.Itoa(s.last)
	s.keys[uid] = k
	return &payloads.CreateResponsePayload{ObjectType: kmip.ObjectTypeSymmetricKey, UniqueIdentifier: uid}, nil
}

func (s *Server) activate(_ context.Context, r *payloads.ActivateRequestPayload) (*payloads.ActivateResponsePayload, error) {
	uid, err := s.with(r.UniqueIdentifier, func(k *key) error { k.state = kmip.StateActive; return nil })
	return &payloads.ActivateResponsePayload{UniqueIdentifier: uid}, err
}

func (s *Server) attributes(_ context.Context, r *payloads.GetAttributesRequestPayload) (*payloads.GetAttributesResponsePayload, error) {
	a := kmip.Attribute{AttributeName: kmip.AttributeNameState}
	uid, err := s.with(r.UniqueIdentifier, func(k *key) error { a.AttributeValue = k.state; return nil })
	return &payloads.GetAttributesResponsePayload{UniqueIdentifier: uid, Attribute: []kmip.Attribute{a}}, err
}

// aead wants the key in use.
func aead(k *key) (cipher.AEAD, error) {
	if k.state != kmip.StateActive {
		return nil, kmipserver.ErrPermissionDenied
	}
	block, err := aes.NewCipher(k.bytes)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (s *Server) encrypt(_ context.Context, r *payloads.EncryptRequestPayload) (*payloads.EncryptResponsePayload, error) {
	answer := &payloads.EncryptResponsePayload{}
	var err error
	answer.UniqueIdentifier, err = s.with(r.UniqueIdentifier, func(k *key) error {
		gcm, err := aead(k)
		if err != nil {
			return err
		}
		if len(r.IVCounterNonce) != gcm.NonceSize() {
			return kmipserver.ErrInvalidField
		}
		out := gcm.Seal(nil, r.IVCounterNonce, r.Data, r.AuthenticatedEncryptionAdditionalData)
		cut := len(out) - gcm.Overhead()
		answer.Data, answer.AuthenticatedEncryptionTag = out[:cut], out[cut:]
		return nil
	})
	return answer, err
}

func (s *Server) decrypt(_ context.Context, r *payloads.DecryptRequestPayload) (*payloads.DecryptResponsePayload, error) {
	answer := &payloads.DecryptResponsePayload{}
	var err error
	answer.UniqueIdentifier, err = s.with(r.UniqueIdentifier, func(k *key) error {
		gcm, err := aead(k)
		if err != nil {
			return err
		}
		if len(r.IVCounterNonce) != gcm.NonceSize() {
			return kmipserver.ErrInvalidField
		}
		in := append(append([]byte(nil), r.Data...), r.AuthenticatedEncryptionTag...)
		if answer.Data, err = gcm.Open(nil, r.IVCounterNonce, in, r.AuthenticatedEncryptionAdditionalData); err != nil {
			return kmipserver.Errorf(kmip.ResultReasonCryptographicFailure, "does not decrypt")
		}
		return nil
	})
	return answer, err
}

func (s *Server) revoke(_ context.Context, r *payloads.RevokeRequestPayload) (*payloads.RevokeResponsePayload, error) {
	uid, err := s.with(r.UniqueIdentifier, func(k *key) error {
		if k.state != kmip.StateActive {
			return kmipserver.Errorf(kmip.ResultReasonIllegalOperation, "not in use")
		}
		k.state = kmip.StateDeactivated
		return nil
	})
	return &payloads.RevokeResponsePayload{UniqueIdentifier: uid}, err
}

func (s *Server) destroy(_ context.Context, r *payloads.DestroyRequestPayload) (*payloads.DestroyResponsePayload, error) {
	uid, err := s.with(r.UniqueIdentifier, func(k *key) error {
		if k.state == kmip.StateActive {
			return kmipserver.ErrPermissionDenied
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, r.UniqueIdentifier)
	return &payloads.DestroyResponsePayload{UniqueIdentifier: uid}, nil
}

// RevokeAll takes all keys out of use, as their owner would after a theft.
func (s *Server) RevokeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		k.state = kmip.StateDeactivated
	}
}
