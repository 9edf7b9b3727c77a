package handshake_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/handshake"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

// pair is an origin's Bundle and the responder that belongs to it.
func pair(t testing.TB) (*bundle.Bundle, *handshake.Responder) {
	t.Helper()
	root, online := key(t), key(t)
	k, err := kem.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle.Bundle{Seq: 1, NotAfter: 1, Host: "h", Root: *root.Public(), KEM: *k.Public(), Online: *online.Public()}
	id, err := b.ID()
	if err != nil {
		t.Fatal(err)
	}
	return b, &handshake.Responder{Bundle: id, KEM: k, Online: online, Limits: handshake.Limits{MaxExchanges: 100, TTL: 60}}
}

func key(t testing.TB) *composite.SecretKey {
	t.Helper()
	k, err := composite.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func begin(t testing.TB, b *bundle.Bundle) (*handshake.Initiator, []byte) {
	t.Helper()
	i, msg1, err := handshake.Start(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	return i, msg1
}

func TestBothSidesAgree(t *testing.T) {
	b, r := pair(t)
	i, msg1 := begin(t, b)
	if id, err := handshake.BundleID(msg1); err != nil || id != r.Bundle || len(msg1) != 2389 {
		t.Fatalf("message 1 of %d bytes for %v, %v", len(msg1), id, err)
	}
	msg2, theirs, err := r.Respond(msg1)
	if err != nil || len(msg2) != 4534 {
		t.Fatalf("message 2 of %d bytes, %v", len(msg2), err)
	}
	mine, err := i.Finish(msg2)
	if err != nil {
		t.Fatal(err)
	}
	if *mine != *theirs || mine.Root.IsZero() || mine.Session == (wire.SessionID{}) || mine.MaxExchanges != 100 || mine.TTL != 60 {
		t.Fatalf("%+v and %+v", mine, theirs)
	}
	if _, err := i.Finish(msg2); !errors.Is(err, handshake.ErrHandshake) {
		t.Fatalf("finished twice: %v", err)
	}
}

// A replay of message 1 opens another session that the replayer cannot use.
func TestReplayGivesAnotherSession(t *testing.T) {
	b, r := pair(t)
	i, msg1 := begin(t, b)
	_, one, err := r.Respond(msg1)
	if err != nil {
		t.Fatal(err)
	}
	msg2, two, err := r.Respond(msg1)
	if err != nil || one.Session == two.Session || one.Root == two.Root {
		t.Fatalf("same session, %v", err)
	}
	if got, err := i.Finish(msg2); err != nil || got.Root != two.Root {
		t.Fatalf("the first initiator follows the answer it got: %v", err)
	}
}

func TestTamperedMessage1(t *testing.T) {
	b, r := pair(t)
	_, msg1 := begin(t, b)
	for at := 0; at < len(msg1); at += 7 {
		bad := bytes.Clone(msg1)
		bad[at] ^= 1
		if _, _, err := r.Respond(bad); !errors.Is(err, handshake.ErrHandshake) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	for _, bad := range [][]byte{nil, msg1[:len(msg1)-1], append(bytes.Clone(msg1), 0)} {
		if _, _, err := r.Respond(bad); !errors.Is(err, handshake.ErrHandshake) {
			t.Fatalf("%d bytes: %v", len(bad), err)
		}
	}
}

func TestTamperedMessage2(t *testing.T) {
	b, r := pair(t)
	for at := 0; at < handshake.Message2Size; at += 151 {
		i, msg1 := begin(t, b)
		msg2, _, err := r.Respond(msg1)
		if err != nil {
			t.Fatal(err)
		}
		msg2[at] ^= 1
		if _, err := i.Finish(msg2); !errors.Is(err, handshake.ErrHandshake) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
}

// To pass for the origin one needs the KEM key and the online key.
func TestEitherKeyAloneIsNotEnough(t *testing.T) {
	b, r := pair(t)
	other, err := kem.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	i, msg1 := begin(t, b)
	thief := *r
	thief.Online = key(t)
	msg2, _, err := thief.Respond(msg1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Finish(msg2); !errors.Is(err, handshake.ErrHandshake) {
		t.Errorf("KEM key alone: %v", err)
	}
	thief = *r
	thief.KEM = other
	if _, _, err := thief.Respond(msg1); !errors.Is(err, handshake.ErrHandshake) {
		t.Errorf("online key alone: %v", err)
	}
}

func TestOtherBundleIsRefused(t *testing.T) {
	b, r := pair(t)
	changed := *b
	changed.Host = "i" // same keys, other terms
	_, msg1 := begin(t, &changed)
	if _, _, err := r.Respond(msg1); !errors.Is(err, handshake.ErrHandshake) {
		t.Fatalf("got %v", err)
	}
	// Naming the right id by hand does not help: it is in the transcript.
	copy(msg1[5:], r.Bundle[:])
	if _, _, err := r.Respond(msg1); !errors.Is(err, handshake.ErrHandshake) {
		t.Fatalf("got %v", err)
	}
}

func TestReflectionFails(t *testing.T) {
	b, _ := pair(t)
	i, msg1 := begin(t, b)
	msg1 = append(msg1, make([]byte, handshake.Message2Size-len(msg1))...)
	for _, kind := range []byte{1, 2} {
		msg1[0] = kind
		if _, err := i.Finish(msg1); !errors.Is(err, handshake.ErrHandshake) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestLimitsAreCapped(t *testing.T) {
	b, r := pair(t)
	r.Limits = handshake.Limits{MaxExchanges: 1 << 20, TTL: 1 << 20}
	i, msg1 := begin(t, b)
	msg2, _, err := r.Respond(msg1)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := i.Finish(msg2); err != nil || got.MaxExchanges != 4096 || got.TTL != 3600 {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestInvalidStaticKeyIsAnError(t *testing.T) {
	b, _ := pair(t)
	for k := range b.KEM {
		b.KEM[k] = 0xff
	}
	if _, _, err := handshake.Start(nil, b); !errors.Is(err, kem.ErrKey) {
		t.Fatalf("started against an invalid key: %v", err)
	}
}

// fixed is a pair and a message 1 that are the same in every worker of a
// fuzzer.
func fixed(f *testing.F) (*bundle.Bundle, *handshake.Responder, []byte) {
	f.Helper()
	b, r := pair(f)
	random := rand.NewChaCha8([32]byte{})
	online, err := composite.Generate(random)
	if err != nil {
		f.Fatal(err)
	}
	if r.KEM, err = kem.Generate(random); err != nil {
		f.Fatal(err)
	}
	r.Online, b.Root, b.Online, b.KEM = online, *online.Public(), *online.Public(), *r.KEM.Public()
	if r.Bundle, err = b.ID(); err != nil {
		f.Fatal(err)
	}
	_, msg1, err := handshake.Start(random, b)
	if err != nil {
		f.Fatal(err)
	}
	return b, r, msg1
}

func FuzzRespond(f *testing.F) {
	_, r, msg1 := fixed(f)
	f.Add(msg1)
	f.Add(make([]byte, handshake.Message1Size))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, _, err := r.Respond(raw); (err == nil) != bytes.Equal(raw, msg1) {
			t.Fatalf("got %v", err)
		}
	})
}

func FuzzFinish(f *testing.F) {
	b, r, msg1 := fixed(f)
	msg2, _, err := r.Respond(msg1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(msg2)
	f.Fuzz(func(t *testing.T, raw []byte) {
		i, _ := begin(t, b)
		if _, err := i.Finish(raw); !errors.Is(err, handshake.ErrHandshake) {
			t.Fatalf("took an answer to another message: %v", err)
		}
	})
}

func BenchmarkHandshake(b *testing.B) {
	bun, r := pair(b)
	for b.Loop() {
		i, msg1 := begin(b, bun)
		msg2, _, err := r.Respond(msg1)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := i.Finish(msg2); err != nil {
			b.Fatal(err)
		}
	}
}
