// Package message is what hub and origin say to each other inside a session
// (section 6), and the shapes of FFXS tokens in those messages (section 8).
//
// A plaintext is a list of frames, then padding. Bodies are typed here; points,
// proofs and tokens are checked for shape alone (counts, order, the identity
// element): their arithmetic belongs to the wallet and to the origin's mint.
//
// Not here yet: the bodies of LIVE and the Dogecoin messages.
package message

import "sonahub/sne/wire"

// Kind says what a frame is.
type Kind uint8

// The kinds of section 6; an answer is the request's kind + 64.
const (
	KindPadding Kind = 0
	KindHello   Kind = 1
	KindLive    Kind = 2
	KindBuy     Kind = 3
	KindTopUp   Kind = 4
	KindSwap    Kind = 5
	KindClose   Kind = 8
	KindWelcome Kind = 65
	KindLiveIs  Kind = 66
	KindOffer   Kind = 67
	KindGrant   Kind = 68
	KindTokens  Kind = 69
	KindClosed  Kind = 72
	KindError   Kind = 127
)

// Rail says how a BUY or a TOPUP is paid.
type Rail uint8

// Rails of BUY.
const (
	RailLightning   Rail = 1
	RailFFXS        Rail = 2
	RailEntitlement Rail = 3
	RailOpening     Rail = 4
)

// Rails of TOPUP.
const (
	TopUpLightning Rail = 1
	TopUpVoucher   Rail = 2
	TopUpDogecoin  Rail = 3
)

// Frame is one message.
type Frame struct {
	Kind Kind
	ID   uint16 // an answer carries the id of its request
	Body []byte
}

const frameHead = 1 + 2 + 4

// Marshal encodes frames one after the other; the session pads them.
func Marshal(frames ...Frame) ([]byte, error) {
	var w wire.Writer
	n := 0
	for _, f := range frames {
		n += frameHead + len(f.Body)
	}
	w.Grow(n)
	for _, f := range frames {
		if f.Kind == KindPadding {
			w.Fail("padding is not a message")
		}
		w.U8(uint8(f.Kind))
		w.U16(f.ID)
		w.X32(f.Body, maxBody)
	}
	return w.Bytes()
}

// maxBody is more than any exchange can carry.
const maxBody = 65536

// Parse reads the frames of a plaintext and checks that what follows them is
// zero. Bodies share the memory of messages.
func Parse(messages []byte) ([]Frame, error) {
	r := wire.NewReader(messages)
	var frames []Frame
	for r.Len() > 0 {
		kind := Kind(r.U8())
		if kind == KindPadding {
			for _, b := range r.Take(r.Len()) {
				if b != 0 {
					return nil, wire.Malformed("padding is not zero")
				}
			}
			break
		}
		frames = append(frames, Frame{Kind: kind, ID: r.U16(), Body: r.X32(maxBody)})
		if r.Err() != nil {
			break
		}
	}
	return frames, r.Close()
}
