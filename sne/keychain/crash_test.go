package keychain

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// folder is a place with keychain and device keys that can be copied as a crash
// would leave it.
type folder struct{ dir string }

func (f folder) keys() string { return filepath.Join(f.dir, "keys") }

func (f folder) copy(t *testing.T) folder {
	t.Helper()
	to := folder{t.TempDir()}
	err := os.CopyFS(to.dir, os.DirFS(f.dir))
	if err == nil {
		err = filepath.WalkDir(to.dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			return os.Chmod(path, 0o600) // CopyFS adds bits
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// deviceIn is the lock as it stands after that folder was copied elsewhere.
func (f folder) device(d disk) DeviceKey {
	return DeviceKey{Dir: filepath.Join(f.dir, "device"), disk: d}
}

// lockIn builds the lock of a case for a folder and a disk.
type lockIn func(folder, disk) Lock

func deviceIn(f folder, d disk) Lock { return f.device(d) }

func passIn(text string) lockIn { return func(folder, disk) Lock { return cheap(text) } }

// TestCrashAtEveryStep copies the files at each step of each operation, as if
// the power had gone, and wants of every copy: it opens with the lock before or
// the lock after, it holds what was before or what came after, and once it is
// finished nothing of the old lock is left.
func TestCrashAtEveryStep(t *testing.T) {
	v := newVault()
	remoteIn := func(f folder, d disk) Lock { return Remote{Device: f.device(d), Vault: keep{v}} }
	rotate := func(k *Keychain, _ Lock) error {
		return k.Update(func(e *Edit) error {
			if _, err := e.Generate(Key{Name: "online", Kind: KindSigning, Purpose: PurposeOnline}); err != nil {
				return err
			}
			return e.Delete("online", 1)
		})
	}
	rekey := func(k *Keychain, next Lock) error { return k.Rekey(context.Background(), next) }
	for name, c := range map[string]struct {
		before, after lockIn
		act           func(k *Keychain, next Lock) error
		devices       int // key files at the end
		least         int // steps that must be seen
	}{
		"rotate a key":          {deviceIn, deviceIn, rotate, 1, 5},
		"device to device":      {deviceIn, deviceIn, rekey, 1, 15},
		"device to passphrase":  {deviceIn, passIn("correct horse"), rekey, 0, 13},
		"passphrase to device":  {passIn("correct horse"), deviceIn, rekey, 1, 13},
		"passphrase to another": {passIn("correct horse"), passIn("battery staple"), rekey, 0, 10},
		"device to remote":      {deviceIn, remoteIn, rekey, 1, 15},
		"remote to remote":      {remoteIn, remoteIn, rekey, 1, 15},
		"remote to device":      {remoteIn, deviceIn, rekey, 1, 15},
	} {
		t.Run(name, func(t *testing.T) {
			f := folder{t.TempDir()}
			type crash struct {
				step string
				at   folder
			}
			var crashes []crash
			recording := false
			d := disk{lazy: true, step: func(step string) {
				if recording {
					crashes = append(crashes, crash{step, f.copy(t)})
				}
			}}
			k, err := create(t.Context(), d, f.keys(), c.before(f, d), fill)
			if err != nil {
				t.Fatal(err)
			}
			before, first := content(t, k), k.box.params
			recording = true
			if err := c.act(k, c.after(f, d)); err != nil {
				t.Fatal(err)
			}
			recording = false
			after := content(t, k)
			crashes = append(crashes, crash{"the end", f})
			if len(crashes) < c.least {
				t.Fatalf("only %d steps were seen", len(crashes))
			}
			sawBefore, sawAfter := false, false
			for _, crash := range crashes {
				at := crash.at
				old, next := c.before(at, disk{lazy: true}), c.after(at, disk{lazy: true})
				k, err := open(t.Context(), disk{lazy: true}, at.keys(), next)
				if err != nil {
					k, err = open(t.Context(), disk{lazy: true}, at.keys(), old)
				}
				if err != nil {
					t.Errorf("after %q: %v", crash.step, err)
					continue
				}
				orphans := 0
				if bytes.Equal(k.box.params, first) {
					orphans = 1
				}
				got := content(t, k)
				if got != before && got != after {
					t.Errorf("after %q: neither the old nor the new content", crash.step)
				}
				sawBefore = sawBefore || got == before
				sawAfter = sawAfter || got == after
				if err := k.Finish(t.Context(), old); err != nil || k.Pending() != 0 {
					t.Errorf("after %q: finish: %v, %d pending", crash.step, err, k.Pending())
				}
				if err := k.Update(fill); err != nil {
					t.Errorf("after %q: update: %v", crash.step, err)
				}
				// Once more to the end: nothing of before may be left, except
				// for keys that were made and never locked anything.
				if err := k.Rekey(t.Context(), next); err != nil {
					t.Errorf("after %q: rekey: %v", crash.step, err)
				}
				if _, err := open(t.Context(), disk{lazy: true}, at.keys(), next); err != nil {
					t.Errorf("after %q: %v", crash.step, err)
					continue
				}
				if n := countDevices(t, at); n < c.devices || n > c.devices+orphans {
					t.Errorf("after %q: %d device keys are left, want %d", crash.step, n, c.devices)
				}
			}
			if !sawBefore || !sawAfter {
				t.Error("the copies do not span the change, so this shows nothing")
			}
		})
	}
}

// keep is a vault whose keys outlive their destruction: the copies of a folder
// are looked at after the real one has gone on.
type keep struct{ *vault }

func (keep) Destroy(context.Context, []byte) error { return nil }

func countDevices(t *testing.T, f folder) int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(f.dir, "device", "*.key"))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// A crash while the very first file is made leaves no file or a whole one.
func TestCrashWhileCreating(t *testing.T) {
	f := folder{t.TempDir()}
	var at []folder
	d := disk{lazy: true, step: func(string) { at = append(at, f.copy(t)) }}
	if _, err := create(t.Context(), d, f.keys(), f.device(d), fill); err != nil {
		t.Fatal(err)
	}
	for i, c := range at {
		k, err := open(t.Context(), disk{lazy: true}, c.keys(), c.device(disk{lazy: true}))
		if errors.Is(err, os.ErrNotExist) {
			k, err = create(t.Context(), disk{lazy: true}, c.keys(), c.device(disk{lazy: true}), fill)
		}
		if err != nil || len(k.Keys()) != 6 {
			t.Errorf("step %d: %v", i, err)
		}
	}
	if len(at) < 8 {
		t.Errorf("only %d steps were seen", len(at))
	}
}

// A vault out of reach holds up neither the new lock nor the memory of what is
// still to be destroyed there.
func TestVaultOutOfReach(t *testing.T) {
	f, v := folder{t.TempDir()}, newVault()
	remote := Remote{Device: f.device(disk{lazy: true}), Vault: v}
	k, err := create(t.Context(), disk{lazy: true}, f.keys(), remote, fill)
	if err != nil {
		t.Fatal(err)
	}
	v.down = true
	if err := second(open(t.Context(), disk{lazy: true}, f.keys(), remote)); !errors.Is(err, errDown) {
		t.Errorf("open: %v", err)
	}
	if err := k.Rekey(t.Context(), remote); !errors.Is(err, errDown) || errors.Is(err, ErrErase) {
		t.Errorf("a new key from a vault out of reach: %v", err)
	}
	if err := k.Rekey(t.Context(), cheap("correct horse")); !errors.Is(err, ErrErase) || !errors.Is(err, errDown) {
		t.Errorf("leaving a vault out of reach: %v", err)
	}
	k, err = open(t.Context(), disk{lazy: true}, f.keys(), cheap("correct horse"))
	if err != nil || k.Pending() != 1 {
		t.Fatalf("%v", err)
	}
	if err := k.Finish(t.Context()); !errors.Is(err, ErrErase) {
		t.Errorf("finish without the old lock: %v", err)
	}
	if err := k.Finish(t.Context(), remote); !errors.Is(err, ErrErase) || len(v.keys) != 1 {
		t.Errorf("finish while it is out of reach: %v", err)
	}
	v.down = false
	if err := k.Finish(t.Context(), remote); err != nil || k.Pending() != 0 || len(v.keys) != 0 {
		t.Errorf("finish: %v, %d keys in the vault", err, len(v.keys))
	}
	if countDevices(t, f) != 1 { // the one of the Rekey that the vault refused
		t.Errorf("%d device keys", countDevices(t, f))
	}
}

func TestPendingLocksAreBounded(t *testing.T) {
	f, v := folder{t.TempDir()}, newVault()
	lock := Remote{Device: f.device(disk{lazy: true}), Vault: stuck{v}}
	k, err := create(t.Context(), disk{lazy: true}, f.keys(), lock, nil)
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for range maxRetired + 1 {
		if last = k.Rekey(t.Context(), lock); last != nil && !errors.Is(last, ErrErase) {
			break
		}
	}
	if !errors.Is(last, ErrPending) || k.Pending() != maxRetired {
		t.Errorf("%v, %d pending", last, k.Pending())
	}
}

// stuck is a vault that destroys nothing.
type stuck struct{ *vault }

func (stuck) Destroy(context.Context, []byte) error { return errDown }
