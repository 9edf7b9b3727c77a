package kmip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"

	"sonahub/sne/kdf"
)

// call is one connection's worth of operations, one after the other.
//
// Of kmip-go it uses the messages and their encoding, not the client: that one
// decodes in a goroutine of its own, asserts the type of an answer unseen, and
// so lets a server end the whole process (its decoder panics on some forged
// lengths; FuzzAnswer keeps one).
type call struct{ conn net.Conn }

const headSize = 8 // tag[3] | type | u32 length of what follows

// roundTrip sends one operation and returns the one answer.
func (c *call) roundTrip(request kmip.OperationPayload) (kmip.ResponseBatchItem, error) {
	var none kmip.ResponseBatchItem
	// The version is fixed: AES-GCM needs 1.4, and a server cannot talk the
	// client down.
	message := kmip.NewRequestMessage(kmip.V1_4, request)
	out := ttlv.MarshalTTLV(&message)
	defer clear(out) // it may hold a secret
	if _, err := c.conn.Write(out); err != nil {
		return none, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	var head [headSize]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return none, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	size := binary.BigEndian.Uint32(head[4:])
	if size > maxAnswer {
		return none, fmt.Errorf("%w: %d bytes", ErrAnswer, size)
	}
	in := make([]byte, headSize+int(size))
	defer clear(in)
	copy(in, head[:])
	if _, err := io.ReadFull(c.conn, in[headSize:]); err != nil {
		return none, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	answer, err := decode(in)
	if err != nil {
		return none, err
	}
	if n := len(answer.BatchItem); n != 1 {
		return none, fmt.Errorf("%w: %d answers", ErrAnswer, n)
	}
	return answer.BatchItem[0], nil
}

// decode turns what the library panics on into an error.
func decode(in []byte) (m *kmip.ResponseMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("%w: %v", ErrAnswer, p)
		}
	}()
	m = &kmip.ResponseMessage{}
	if err := ttlv.UnmarshalTTLV(in, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return m, nil
}

// failure is an operation that the server refused.
type failure struct {
	reason kmip.ResultReason
	text   string
}

func (f failure) Error() string {
	const most = 200 // of a text that the server chose
	return fmt.Sprintf("%s: %.*q", ttlv.EnumStr(f.reason), most, f.text)
}

// ask sends one operation and wants the answer to it.
func ask[Answer kmip.OperationPayload](c *call, request kmip.OperationPayload) (Answer, error) {
	var none Answer
	item, err := c.roundTrip(request)
	if err != nil {
		return none, err
	}
	if item.ResultStatus != kmip.ResultStatusSuccess {
		return none, failure{item.ResultReason, item.ResultMessage}
	}
	answer, ok := item.ResponsePayload.(Answer)
	if !ok {
		return none, fmt.Errorf("%w: %T", ErrAnswer, item.ResponsePayload)
	}
	return answer, nil
}

// judge turns a refusal about a key into one of the package's errors.
func (c *call) judge(uid string, err error) error {
	f, ok := errors.AsType[failure](err)
	switch {
	case !ok:
		return err
	case f.reason == kmip.ResultReasonItemNotFound || f.reason == kmip.ResultReasonObjectArchived:
		return fmt.Errorf("%w: %q", ErrGone, uid)
	}
	// Servers name the reason of a key out of use differently; its state does
	// not leave room for that.
	state, stateErr := c.state(uid)
	switch {
	case stateErr != nil:
	case state == kmip.StateDeactivated || state == kmip.StateCompromised:
		return fmt.Errorf("%w: %q", ErrRevoked, uid)
	case state == kmip.StateDestroyed || state == kmip.StateDestroyedCompromised:
		return fmt.Errorf("%w: %q", ErrGone, uid)
	}
	return fmt.Errorf("%w: %w", ErrRefused, f)
}

func (c *call) state(uid string) (kmip.State, error) {
	a, err := ask[*payloads.GetAttributesResponsePayload](c, &payloads.GetAttributesRequestPayload{
		UniqueIdentifier: uid, AttributeName: []kmip.AttributeName{kmip.AttributeNameState}})
	if err != nil {
		return 0, err
	}
	if err := same(uid, a.UniqueIdentifier); err != nil {
		return 0, err
	}
	for _, at := range a.Attribute {
		if s, ok := at.AttributeValue.(kmip.State); ok && at.AttributeName == kmip.AttributeNameState {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%w: no state", ErrAnswer)
}

// same wants the answer to be about the key that was asked for.
func same(want, got string) error {
	if want != got {
		return fmt.Errorf("%w: about %.80q, not %q", ErrAnswer, got, want)
	}
	return nil
}

// create makes and activates an AES-256 key that may only encrypt and decrypt.
func (c *call) create(label string) (uid string, err error) {
	suffix := make([]byte, 8)
	if err := kdf.Random(nil, suffix); err != nil {
		return "", err
	}
	made, err := ask[*payloads.CreateResponsePayload](c, &payloads.CreateRequestPayload{
		ObjectType: kmip.ObjectTypeSymmetricKey,
		TemplateAttribute: kmip.TemplateAttribute{Attribute: []kmip.Attribute{
			{AttributeName: kmip.AttributeNameCryptographicAlgorithm, AttributeValue: kmip.CryptographicAlgorithmAES},
			{AttributeName: kmip.AttributeNameCryptographicLength, AttributeValue: int32(256)},
			{AttributeName: kmip.AttributeNameCryptographicUsageMask, AttributeValue: kmip.CryptographicUsageEncrypt | kmip.CryptographicUsageDecrypt},
			{AttributeName: kmip.AttributeNameName, AttributeValue: kmip.Name{
				NameValue: fmt.Sprintf("%s-%x", label, suffix), NameType: kmip.NameTypeUninterpretedTextString}},
		}},
	})
	if err != nil {
		return "", refused(err)
	}
	uid = made.UniqueIdentifier
	if uid == "" || len(uid) > maxUID {
		return "", fmt.Errorf("%w: key id of %d bytes", ErrAnswer, len(uid))
	}
	active, err := ask[*payloads.ActivateResponsePayload](c, &payloads.ActivateRequestPayload{UniqueIdentifier: uid})
	if err == nil {
		err = same(uid, active.UniqueIdentifier)
	}
	if err != nil {
		return "", errors.Join(refused(err), c.destroy(uid))
	}
	return uid, nil
}

func refused(err error) error {
	if f, ok := errors.AsType[failure](err); ok {
		return fmt.Errorf("%w: %w", ErrRefused, f)
	}
	return err
}

func gcm() *kmip.CryptographicParameters {
	return &kmip.CryptographicParameters{
		CryptographicAlgorithm: kmip.CryptographicAlgorithmAES,
		BlockCipherMode:        kmip.BlockCipherModeGCM,
		TagLength:              tagSize,
		IVLength:               nonceSize,
	}
}

func (c *call) encrypt(uid string, secret *kdf.Secret) (sealed, error) {
	s := sealed{uid: uid}
	if err := kdf.Random(nil, s.nonce[:]); err != nil {
		return sealed{}, err
	}
	a, err := ask[*payloads.EncryptResponsePayload](c, &payloads.EncryptRequestPayload{
		UniqueIdentifier: uid, CryptographicParameters: gcm(), Data: secret[:], IVCounterNonce: s.nonce[:],
		AuthenticatedEncryptionAdditionalData: []byte(associated)})
	if err != nil {
		return sealed{}, c.judge(uid, err)
	}
	if err := same(uid, a.UniqueIdentifier); err != nil {
		return sealed{}, err
	}
	if len(a.Data) != len(s.secret) || len(a.AuthenticatedEncryptionTag) != len(s.tag) {
		return sealed{}, fmt.Errorf("%w: %d bytes and a tag of %d", ErrAnswer, len(a.Data), len(a.AuthenticatedEncryptionTag))
	}
	copy(s.secret[:], a.Data)
	copy(s.tag[:], a.AuthenticatedEncryptionTag)
	return s, nil
}

func (c *call) decrypt(s sealed, secret *kdf.Secret) error {
	a, err := ask[*payloads.DecryptResponsePayload](c, &payloads.DecryptRequestPayload{
		UniqueIdentifier: s.uid, CryptographicParameters: gcm(), Data: s.secret[:], IVCounterNonce: s.nonce[:],
		AuthenticatedEncryptionAdditionalData: []byte(associated), AuthenticatedEncryptionTag: s.tag[:]})
	if err != nil {
		return c.judge(s.uid, err)
	}
	defer clear(a.Data)
	if err := same(s.uid, a.UniqueIdentifier); err != nil {
		return err
	}
	if len(a.Data) != len(secret) {
		return fmt.Errorf("%w: a secret of %d bytes", ErrAnswer, len(a.Data))
	}
	copy(secret[:], a.Data)
	return nil
}

// revoke takes a key out of use for good.
func (c *call) revoke(uid string) error {
	a, err := ask[*payloads.RevokeResponsePayload](c, &payloads.RevokeRequestPayload{
		UniqueIdentifier: uid, RevocationReason: kmip.RevocationReason{RevocationReasonCode: kmip.RevocationReasonCodeCessationOfOperation}})
	if err != nil {
		if err = c.judge(uid, err); errors.Is(err, ErrRevoked) {
			return nil
		}
		return err
	}
	return same(uid, a.UniqueIdentifier)
}

// destroy revokes and destroys; what is gone is gone.
func (c *call) destroy(uid string) error {
	if err := c.revoke(uid); errors.Is(err, ErrGone) {
		return nil
	} else if err != nil {
		return err
	}
	a, err := ask[*payloads.DestroyResponsePayload](c, &payloads.DestroyRequestPayload{UniqueIdentifier: uid})
	if err != nil {
		if err = c.judge(uid, err); errors.Is(err, ErrGone) {
			return nil
		}
		return err
	}
	return same(uid, a.UniqueIdentifier)
}
