package keychain

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
)

// cheap is a passphrase at the least cost that the bounds allow.
func cheap(text string) Passphrase {
	return Passphrase{Text: []byte(text), Memory: minMemory, Time: 1, Threads: 1}
}

func device(t *testing.T) DeviceKey { return DeviceKey{Dir: filepath.Join(t.TempDir(), "device")} }

// fill puts a key of every kind and purpose inside.
func fill(e *Edit) error {
	for _, k := range []Key{
		{Name: "root", Kind: KindSigning, Purpose: PurposeRoot},
		{Name: "online", Kind: KindSigning, Purpose: PurposeOnline},
		{Name: "creator", Kind: KindSigning, Purpose: PurposeCreator},
		{Name: "release", Kind: KindSigning, Purpose: PurposeRelease},
		{Name: "bundle", Kind: KindKEM},
		{Name: "seed", Kind: KindSecret},
	} {
		if _, err := e.Generate(k); err != nil {
			return err
		}
	}
	return nil
}

func locks(t *testing.T) map[string]Lock {
	return map[string]Lock{
		"passphrase": cheap("correct horse"),
		"device":     device(t),
		"remote":     Remote{Device: device(t), Vault: newVault()},
	}
}

// content is everything inside, for comparing.
func content(t *testing.T, k *Keychain) string {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	plain, err := contents{entries: k.entries}.encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestEveryLockReopens(t *testing.T) {
	for name, lock := range locks(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			k, err := CreateWith(t.Context(), path, lock, fill)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Create(t.Context(), path, lock); !errors.Is(err, ErrExists) {
				t.Errorf("a second Create: %v", err)
			}
			want := content(t, k)
			k.Close()
			if err := k.Update(fill); !errors.Is(err, ErrClosed) {
				t.Errorf("a closed keychain: %v", err)
			}
			again, err := Open(t.Context(), path, lock)
			if err != nil {
				t.Fatal(err)
			}
			if content(t, again) != want || len(again.Keys()) != 6 || again.Lock() != lock.Kind() {
				t.Errorf("%d keys, %v", len(again.Keys()), again.Lock())
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

func TestAKeySignsForItsPurposeAlone(t *testing.T) {
	k, err := CreateWith(t.Context(), filepath.Join(t.TempDir(), "keys"), device(t), fill)
	if err != nil {
		t.Fatal(err)
	}
	purposes := map[string]Purpose{"root": PurposeRoot, "online": PurposeOnline, "creator": PurposeCreator, "release": PurposeRelease}
	for name, purpose := range purposes {
		key, err := k.Signing(name, 0, purpose)
		if err != nil {
			t.Fatal(err)
		}
		for other, p := range purposes {
			for _, ctx := range p.Contexts() {
				sig, err := key.Sign(ctx, []byte("message"))
				switch {
				case other != name && !errors.Is(err, composite.ErrContext):
					t.Errorf("the %s key signs under %q: %v", name, ctx, err)
				case other == name && (err != nil || key.Public().Verify(ctx, []byte("message"), sig) != nil):
					t.Errorf("the %s key does not sign under %q: %v", name, ctx, err)
				}
			}
			if _, err := k.Signing(name, 0, p); other != name && !errors.Is(err, ErrKind) {
				t.Errorf("the %s key as %s: %v", name, other, err)
			}
		}
	}
	var s kdf.Secret
	for what, err := range map[string]error{
		"a KEM key as a secret":  k.Secret("bundle", 0, &s),
		"a secret as a KEM key":  second(k.KEM("seed", 0)),
		"a root key as a secret": k.Secret("root", 0, &s),
	} {
		if !errors.Is(err, ErrKind) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := k.Secret("nothing", 0, &s); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such key: %v", err)
	}
	if err := k.Secret("seed", 2, &s); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such version: %v", err)
	}
	if err := k.Secret("seed", 1, &s); err != nil || s.IsZero() {
		t.Errorf("the seed: %v", err)
	}
	if key, err := k.KEM("bundle", 1); err != nil || len(key.Seed()) != 32 {
		t.Errorf("the KEM key: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// Every context that the protocol has belongs to exactly one purpose, also one
// that is added later.
func TestPurposesShareOutTheContexts(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../composite/composite.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 && strings.HasPrefix(v.Names[0].Name, "Context") {
			if lit, ok := v.Values[0].(*ast.BasicLit); ok {
				s, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Error(err)
				}
				all = append(all, s)
			}
		}
		return true
	})
	var shared []string
	for p := PurposeRoot; p.Contexts() != nil; p++ {
		for _, c := range p.Contexts() {
			shared = append(shared, string(c))
		}
	}
	slices.Sort(all)
	slices.Sort(shared)
	if len(all) < 6 || !slices.Equal(all, shared) {
		t.Errorf("contexts %q, shared out %q", all, shared)
	}
}

func TestRotationOfAKey(t *testing.T) {
	path, lock := filepath.Join(t.TempDir(), "keys"), device(t)
	k, err := CreateWith(t.Context(), path, lock, fill)
	if err != nil {
		t.Fatal(err)
	}
	first, err := k.Signing("online", 0, PurposeOnline)
	if err != nil {
		t.Fatal(err)
	}
	var made Key
	if err := k.Update(func(e *Edit) (err error) {
		made, err = e.Generate(Key{Name: "online", Kind: KindSigning, Purpose: PurposeOnline})
		return err
	}); err != nil || made.Version != 2 {
		t.Fatalf("%+v, %v", made, err)
	}
	now, err := k.Signing("online", 0, PurposeOnline)
	if err != nil {
		t.Fatal(err)
	}
	before, err := k.Signing("online", 1, PurposeOnline)
	if err != nil || before.Public().KeyID() != first.Public().KeyID() || now.Public().KeyID() == first.Public().KeyID() {
		t.Fatalf("versions are mixed up (%v)", err)
	}
	if err := k.Update(func(e *Edit) error { return e.Delete("online", 1) }); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), path, lock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Signing("online", 1, PurposeOnline); !errors.Is(err, ErrNotFound) {
		t.Errorf("the old key is still there: %v", err)
	}
	if newest, err := again.Signing("online", 0, PurposeOnline); err != nil || newest.Public().KeyID() != now.Public().KeyID() {
		t.Errorf("the new key: %v", err)
	}
}

// What f does is not half done if f fails.
func TestAFailedUpdateChangesNothing(t *testing.T) {
	path, lock := filepath.Join(t.TempDir(), "keys"), device(t)
	k, err := CreateWith(t.Context(), path, lock, fill)
	if err != nil {
		t.Fatal(err)
	}
	want := content(t, k)
	for name, f := range map[string]func(*Edit) error{
		"unknown": func(e *Edit) error { return errors.Join(e.Delete("seed", 1), e.Delete("nothing", 1)) },
		"twice": func(e *Edit) error {
			return e.Import(Key{Name: "seed", Version: 1, Kind: KindSecret}, make([]byte, 32))
		},
		"no name":    func(e *Edit) error { return second(e.Generate(Key{Kind: KindSecret})) },
		"bad name":   func(e *Edit) error { return second(e.Generate(Key{Name: "../x/", Kind: KindSecret})) },
		"no purpose": func(e *Edit) error { return second(e.Generate(Key{Name: "x", Kind: KindSigning})) },
		"a purpose":  func(e *Edit) error { return second(e.Generate(Key{Name: "x", Kind: KindKEM, Purpose: PurposeRoot})) },
		"no kind":    func(e *Edit) error { return second(e.Generate(Key{Name: "x", Kind: 9})) },
		"short":      func(e *Edit) error { return e.Import(Key{Name: "x", Version: 1, Kind: KindSecret}, make([]byte, 31)) },
	} {
		if err := k.Update(f); err == nil {
			t.Errorf("%s: no error", name)
		}
		if content(t, k) != want {
			t.Fatalf("%s: changed something", name)
		}
	}
}

// No byte of the file can be changed, and nothing can be cut off or added.
func TestEveryByteMatters(t *testing.T) {
	path, lock := filepath.Join(t.TempDir(), "keys"), device(t)
	if _, err := CreateWith(t.Context(), path, lock, func(e *Edit) error {
		return second(e.Generate(Key{Name: "seed", Kind: KindSecret}))
	}); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(data []byte) error {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return second(Open(t.Context(), path, lock))
	}
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 1
		if try(bad) == nil {
			t.Errorf("byte %d does not matter", at)
		}
		if try(good[:at]) == nil {
			t.Errorf("opens when cut at %d", at)
		}
	}
	if try(append(bytes.Clone(good), 0)) == nil {
		t.Error("opens with a byte more")
	}
	if err := try(good); err != nil {
		t.Error(err)
	}
	if err := try(make([]byte, maxFile+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a file over the limit: %v", err)
	}
}

func TestAnotherWriterIsNoticed(t *testing.T) {
	path, lock := filepath.Join(t.TempDir(), "keys"), device(t)
	a, err := Create(t.Context(), path, lock)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(t.Context(), path, lock)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Update(fill); err != nil {
		t.Fatal(err)
	}
	if err := a.Update(fill); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
	if err := a.Rekey(t.Context(), lock); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
	again, err := Open(t.Context(), path, lock)
	if err != nil || content(t, again) != content(t, b) {
		t.Errorf("the other writer's work is lost: %v", err)
	}
}

// The blocks of the old file are overwritten, but not those of a backup that
// somebody made by linking it.
func TestOldFilesAreOverwritten(t *testing.T) {
	path, lock := filepath.Join(t.TempDir(), "keys"), device(t)
	k, err := CreateWith(t.Context(), path, lock, fill)
	if err != nil {
		t.Fatal(err)
	}
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	held, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := k.Update(fill); err != nil {
		t.Fatal(err)
	}
	left, err := readAll(held, maxFile)
	if err != nil || len(left) != len(was) || bytes.Contains(left, was[:64]) || bytes.Contains(left, was[len(was)-64:]) {
		t.Errorf("the old file is still readable (%v)", err)
	}

	if err := os.Link(path, path+".backup"); err != nil {
		t.Fatal(err)
	}
	if was, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if err := k.Update(fill); err != nil {
		t.Fatal(err)
	}
	if backup, err := os.ReadFile(path + ".backup"); err != nil || !bytes.Equal(backup, was) {
		t.Errorf("somebody's backup was destroyed: %v", err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	e := entry{Key: Key{Name: "seed"}}
	copy(e.secret[:], bytes.Repeat([]byte{0x41}, len(e.secret)))
	p := Passphrase{Text: []byte("AAAAAAAA")}
	for _, v := range []any{e, &e, []entry{e}, p, &p, struct{ P Passphrase }{p}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%q"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "AAAA") || strings.Contains(s, "4141") || strings.Contains(s, "65 65") || strings.Contains(s, "0x41") {
				t.Errorf("%s of %T printed %.80q", verb, v, s)
			}
		}
	}
	if _, err := p.MarshalJSON(); err == nil {
		t.Error("a passphrase became JSON")
	}
}
