package kmip

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"

	"sonahub/sne/kdf"
)

// answer encodes what a server may say.
func answer(p kmip.OperationPayload, op kmip.Operation) []byte {
	return ttlv.MarshalTTLV(&kmip.ResponseMessage{
		Header:    kmip.ResponseHeader{ProtocolVersion: kmip.V1_4, TimeStamp: time.Unix(1, 0), BatchCount: 1},
		BatchItem: []kmip.ResponseBatchItem{{Operation: op, ResultStatus: kmip.ResultStatusSuccess, ResponsePayload: p}},
	})
}

// FuzzAnswer lets a server say anything: a secret comes out only of an answer
// to the question.
func FuzzAnswer(f *testing.F) {
	token, err := sealed{uid: "7"}.encode()
	if err != nil {
		f.Fatal(err)
	}
	good := answer(&payloads.DecryptResponsePayload{UniqueIdentifier: "7", Data: make([]byte, 32)}, kmip.OperationDecrypt)
	f.Add(good)
	f.Add(answer(&payloads.DecryptResponsePayload{UniqueIdentifier: "8", Data: make([]byte, 32)}, kmip.OperationDecrypt))
	f.Add(answer(&payloads.DestroyResponsePayload{UniqueIdentifier: "7"}, kmip.OperationDestroy))
	f.Add(good[:40])
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v := &Vault{Timeout: 5 * time.Second, dial: func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			go func() { // ends with the pipe, which Unwrap closes
				defer far.Close()
				go func() { _, _ = io.Copy(io.Discard, far) }()
				_, _ = far.Write(data)
			}()
			return near, nil
		}}
		got := kdf.Secret{1}
		if err := v.Unwrap(context.Background(), token, &got); err == nil && !bytes.Contains(data, got[:]) {
			t.Fatal("a secret that the server never named")
		}
	})
}

func FuzzToken(f *testing.F) {
	token, err := sealed{uid: "7"}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add(token[:20])
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseToken(data)
		if err != nil {
			return
		}
		if again, err := s.encode(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("another encoding, %v", err)
		}
	})
}
