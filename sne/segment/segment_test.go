package segment_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"testing"

	"sonahub/sne/kdf"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

func epoch() segment.Epoch {
	return segment.Epoch{Broadcast: wire.ID{1, 2, 3}, Tier: 2, Number: 7}
}

func secret() *kdf.Secret { return &kdf.Secret{9, 9, 9} }

func TestEpochEncoding(t *testing.T) {
	got := hex.EncodeToString(epoch().Append(nil))
	if want := "010203" + hex.EncodeToString(make([]byte, 29)) + "0002" + "0000000000000007"; got != want || len(got) != 2*segment.EpochSize {
		t.Fatalf("ectx is %s", got)
	}
}

func TestEpochSecretsAndCommitments(t *testing.T) {
	seen := map[kdf.Secret]bool{}
	e := epoch()
	for _, change := range []func(*segment.Epoch){
		func(*segment.Epoch) {}, func(e *segment.Epoch) { e.Number++ }, func(e *segment.Epoch) { e.Tier++ }, func(e *segment.Epoch) { e.Broadcast[31]++ },
	} {
		change(&e)
		var es kdf.Secret
		if err := segment.EpochSecret(&es, secret(), e); err != nil || seen[es] {
			t.Fatalf("%+v has the secret of another epoch (%v)", e, err)
		}
		seen[es] = true
		commit, err := segment.Commit(&es, e)
		if err != nil || !segment.Fits(&es, e, commit) {
			t.Fatalf("does not fit its own commitment (%v)", err)
		}
		other := es
		other[0] ^= 1
		moved := e
		moved.Number += 100
		if segment.Fits(&other, e, commit) || segment.Fits(&es, moved, commit) {
			t.Fatal("another secret or epoch fits")
		}
	}
}

func TestSealOpen(t *testing.T) {
	for _, n := range []int{1, 2, 65536, segment.MaxPlaintext} {
		plain := make([]byte, n)
		plain[n-1] = 7
		object, err := segment.Seal(nil, secret(), epoch(), 3, plain)
		if err != nil || len(object) != n+88 {
			t.Fatalf("%d bytes became %d, %v", n, len(object), err)
		}
		got, err := segment.Open([]byte("pre"), secret(), epoch(), 3, object)
		if err != nil || !bytes.Equal(got[3:], plain) || string(got[:3]) != "pre" {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	for _, n := range []int{0, segment.MaxPlaintext + 1} {
		if _, err := segment.Seal(nil, secret(), epoch(), 3, make([]byte, n)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("sealed %d bytes: %v", n, err)
		}
	}
}

func TestHeaderLayout(t *testing.T) {
	object, err := segment.Seal(bytes.NewReader(bytes.Repeat([]byte{0xee}, 16)), secret(), epoch(), 3, []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	e := epoch()
	want := "534e4573" + "01" + "00" + "0001" + hex.EncodeToString(e.Broadcast[:]) + "0002" + "0003" + "00000003" + "0000000000000007" +
		"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
	if got := hex.EncodeToString(object[:72]); got != want {
		t.Fatalf("header is\n%s, want\n%s", got, want)
	}
}

// A title that is encoded twice has one epoch secret; the seal keeps the keys
// apart.
func TestEverySealingHasAKeyOfItsOwn(t *testing.T) {
	one, err := segment.Seal(nil, secret(), epoch(), 3, make([]byte, 64))
	if err != nil {
		t.Fatal(err)
	}
	two, err := segment.Seal(nil, secret(), epoch(), 3, make([]byte, 64))
	if err != nil || bytes.Equal(one[72:72+64], two[72:72+64]) {
		t.Fatalf("one key stream for two plaintexts (%v)", err)
	}
	copy(two[56:72], one[56:72])
	if _, err := segment.Open(nil, secret(), epoch(), 3, two); !errors.Is(err, segment.ErrSegment) {
		t.Fatalf("opened under another seal: %v", err)
	}
}

// Whoever knows the epoch secret can seal under another header; the receiver
// compares it with what was asked for.
func TestHeaderIsCompared(t *testing.T) {
	object, err := segment.Seal(nil, secret(), epoch(), 3, []byte("sound"))
	if err != nil {
		t.Fatal(err)
	}
	seal := object[56:72]
	ctx := binary.BigEndian.AppendUint16(epoch().Append(nil), 3)
	var sk kdf.Secret
	if err := kdf.Expand(&sk, secret(), "segment", append(ctx, seal...)); err != nil {
		t.Fatal(err)
	}
	if plain, err := kdf.Open(nil, &sk, object[:72], object[72:]); err != nil || string(plain) != "sound" {
		t.Fatalf("the key of section 3.1 does not open it: %v", err)
	}
	for at := range 56 {
		head := bytes.Clone(object[:72])
		head[at] ^= 1
		bad, err := kdf.Seal(head, &sk, head, []byte("sound"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := segment.Open(nil, secret(), epoch(), 3, bad); !errors.Is(err, segment.ErrSegment) {
			t.Errorf("byte %d of the header is not compared: %v", at, err)
		}
	}
}

func TestOpenRefusesEverythingElse(t *testing.T) {
	object, err := segment.Seal(nil, secret(), epoch(), 3, bytes.Repeat([]byte{1}, 200))
	if err != nil {
		t.Fatal(err)
	}
	for at := range object {
		bad := bytes.Clone(object)
		bad[at] ^= 1
		if got, err := segment.Open(nil, secret(), epoch(), 3, bad); !errors.Is(err, segment.ErrSegment) || got != nil {
			t.Fatalf("byte %d does not matter: %v", at, err)
		}
	}
	for _, bad := range [][]byte{nil, object[:72], object[:88], object[:len(object)-1], append(bytes.Clone(object), 0), make([]byte, segment.MaxObject+1)} {
		if _, err := segment.Open(nil, secret(), epoch(), 3, bad); !errors.Is(err, segment.ErrSegment) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	for name, change := range map[string]func(e *segment.Epoch, r *uint16, es *kdf.Secret){
		"broadcast": func(e *segment.Epoch, _ *uint16, _ *kdf.Secret) { e.Broadcast[0]++ },
		"tier":      func(e *segment.Epoch, _ *uint16, _ *kdf.Secret) { e.Tier++ },
		"epoch":     func(e *segment.Epoch, _ *uint16, _ *kdf.Secret) { e.Number++ },
		"rendition": func(_ *segment.Epoch, r *uint16, _ *kdf.Secret) { *r++ },
		"secret":    func(_ *segment.Epoch, _ *uint16, es *kdf.Secret) { es[31]++ },
	} {
		e, r, es := epoch(), uint16(3), *secret()
		change(&e, &r, &es)
		if _, err := segment.Open(nil, &es, e, r, object); !errors.Is(err, segment.ErrSegment) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	seal := bytes.NewReader(make([]byte, 16)) // every worker has the same
	object, err := segment.Seal(seal, secret(), epoch(), 3, []byte("sound"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(object)
	f.Add(object[:88])
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := segment.Open(nil, secret(), epoch(), 3, raw); err == nil && !bytes.Equal(raw, object) {
			t.Fatal("opened what nobody sealed")
		}
	})
}

// sound is random bytes: a FLAC epoch does not compress.
func sound(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}
