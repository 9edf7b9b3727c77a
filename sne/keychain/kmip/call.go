package kmip

import (
	"context"
	"errors"
	"fmt"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"

	"sonahub/sne/kdf"
)

// call is one connection's worth of operations.
//
// It goes below the client's typed helpers, because those assert the type of an
// answer without looking and would panic on an answer to another question.
type call struct {
	ctx    context.Context
	client *kmipclient.Client
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
	items, err := c.client.Batch(c.ctx, request)
	if err != nil {
		return none, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if len(items) != 1 {
		return none, fmt.Errorf("%w: %d answers", ErrAnswer, len(items))
	}
	if items[0].ResultStatus != kmip.ResultStatusSuccess {
		return none, failure{items[0].ResultReason, items[0].ResultMessage}
	}
	answer, ok := items[0].ResponsePayload.(Answer)
	if !ok {
		return none, fmt.Errorf("%w: %T", ErrAnswer, items[0].ResponsePayload)
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
	request, err := c.client.Create().AES(256, kmip.CryptographicUsageEncrypt|kmip.CryptographicUsageDecrypt).
		WithName(fmt.Sprintf("%s-%x", label, suffix)).Build()
	if err != nil {
		return "", fmt.Errorf("kmip: %w", err)
	}
	made, err := ask[*payloads.CreateResponsePayload](c, request)
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
