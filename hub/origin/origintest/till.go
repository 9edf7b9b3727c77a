package origintest

import (
	"context"
	"time"

	"sonahub/hub/origin"
	"sonahub/sne/kdf"
	"sonahub/sne/snetest"
	"sonahub/wallet"
)

// Till takes payments in memory, for origin.Config.Till: Pay reveals the
// preimage, as Lightning would. Everything but Lightning itself is proven with
// it. The zero value is ready; Decode of package snetest reads its invoices.
type Till struct{ snetest.Till }

var _ origin.Till = (*Till)(nil)

// Node implements origin.Till.
func (t *Till) Node(context.Context) ([33]byte, error) { return t.Till.Node, nil }

// AddInvoice implements origin.Till.
func (t *Till) AddInvoice(_ context.Context, preimage [32]byte, amount wallet.Msat, description [32]byte, expiry time.Duration) (string, error) {
	return t.Add(kdf.Secret(preimage), uint64(amount), description, expiry)
}

// Settled implements origin.Till.
func (t *Till) Settled(_ context.Context, hash [32]byte) (bool, error) {
	return t.Till.Settled(hash), nil
}

// Cancel implements origin.Till.
func (t *Till) Cancel(_ context.Context, hash [32]byte) (bool, error) {
	return t.Till.Cancel(hash), nil
}
