package keyring

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/wire"
)

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// folder is where a ring may lie, with room beside it for its device key.
func folder(t *testing.T) string { return filepath.Join(t.TempDir(), "keys") }

func open(t *testing.T, dir string, now time.Time) *Ring {
	t.Helper()
	r, err := Open(t.Context(), dir, "example.org", Seal{}, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAYearOfBundles walks through 400 days in steps of six hours and checks,
// as a hub would, that at each step the Bundle is valid for a day to come and
// that the one before was accepted for a day.
func TestAYearOfBundles(t *testing.T) {
	now := start()
	dir := folder(t)
	r := open(t, dir, now)
	pin := bundle.NewPin(bundle.URL{Host: "example.org", Root: r.Root()})
	type seen struct {
		id   wire.ID
		last time.Time // when it was current for the last time
	}
	var all []seen
	sets := map[wire.ID]time.Time{} // when a key set issued for the last time
	for range 400 * 4 {
		now = now.Add(6 * time.Hour)
		if _, err := r.Renew(now); err != nil {
			t.Fatal(err)
		}
		g := r.Current()
		b, err := bundle.Parse(g.Signed, r.Root())
		if err != nil {
			t.Fatal(err)
		}
		if pin, err = pin.Accept(b, bundle.Clock{Now: now, Trusted: true}); err != nil {
			t.Fatalf("%v: %v", now, err)
		}
		if left := time.UnixMilli(int64(b.NotAfter)).Sub(now); left < 24*time.Hour {
			t.Fatalf("%v: the newest bundle ends in %v", now, left)
		}
		if len(all) == 0 || all[len(all)-1].id != g.ID {
			all = append(all, seen{id: g.ID})
		}
		all[len(all)-1].last = now
		for _, s := range all[:len(all)-1] {
			_, ok := r.ByID(s.id)
			if age := now.Sub(s.last); ok != (age < 30*time.Hour) { // retired within the 6 h after last
				t.Fatalf("%v: a bundle replaced %v ago is accepted: %v", now, age, ok)
			}
		}
		if issuing := r.Issuing().Terms().IssueUntil; !now.Before(issuing) || b.KeySets[0] != r.Issuing().ID() {
			t.Fatalf("%v: the issuing key set ended at %v", now, issuing)
		}
		for id, last := range sets {
			if _, ok := r.Mint(id); !ok && now.Sub(last) < 180*24*time.Hour {
				t.Fatalf("%v: tokens of %v are refused", now, last)
			}
		}
		sets[r.Issuing().ID()] = now
	}
	if len(all) < 400/7 || len(sets) < 4 {
		t.Errorf("%d bundles, %d key sets in 400 days", len(all), len(sets))
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) > 1+2+4 {
		t.Errorf("%d files are left; what is erased must go from the disk", len(files))
	}
	if n := len(r.chain.Keys()); n > 2+2*2+4 {
		t.Errorf("%d keys are left; what is erased must go from the keychain", n)
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	dir, now := folder(t), start()
	r := open(t, dir, now)
	later := now.Add(6 * 24 * time.Hour) // the second bundle is due
	for _, when := range []time.Time{now, later, later.Add(time.Hour)} {
		if _, err := r.Renew(when); err != nil {
			t.Fatal(err)
		}
		again := open(t, dir, when)
		if again.Root() != r.Root() || again.Creator().Public().KeyID() != r.Creator().Public().KeyID() {
			t.Fatal("identities changed")
		}
		if len(again.gens) != len(r.gens) || again.Issuing().ID() != r.Issuing().ID() {
			t.Fatalf("%d bundles after a restart, %d before", len(again.gens), len(r.gens))
		}
		for i, g := range r.gens {
			h := again.gens[i]
			if h.ID != g.ID || !bytes.Equal(h.Online.Seeds(), g.Online.Seeds()) || !bytes.Equal(h.KEM.Seed(), g.KEM.Seed()) || !h.retired.Equal(g.retired) {
				t.Errorf("bundle %d changed by a restart", i)
			}
		}
	}
	if len(r.gens) != 2 {
		t.Errorf("%d bundles, want the new and the old one", len(r.gens))
	}
	// A crash between writing the new bundle and retiring the old one.
	data, err := os.ReadFile(r.generationPath(1))
	if err != nil {
		t.Fatal(err)
	}
	cut := data[:bytes.Index(data, []byte(`,"retired_ms"`))]
	if err := os.WriteFile(r.generationPath(1), append(cut, '}'), 0o600); err != nil {
		t.Fatal(err)
	}
	if again := open(t, dir, later); !again.gens[1].retired.Equal(later) {
		t.Errorf("an old bundle came back without an end: %v", again.gens[1].retired)
	}
}

func TestOtherHostNeedsAnotherBundle(t *testing.T) {
	dir, now := folder(t), start()
	old := open(t, dir, now).Current()
	r, err := Open(t.Context(), dir, "192.0.2.1", Seal{}, now.Add(time.Minute), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b := r.Current().Bundle; b.Host != "192.0.2.1" || b.Seq != old.Bundle.Seq+1 {
		t.Errorf("host %q, seq %d", b.Host, b.Seq)
	}
	if _, ok := r.ByID(old.ID); !ok {
		t.Error("the bundle before is refused at once")
	}
}

func TestFilesAreTheOwnersAndDamageIsTold(t *testing.T) {
	dir := folder(t)
	open(t, dir, start())
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
		names = append(names, f.Name())
	}
	if !slices.Contains(names, "keychain") || len(names) != 3 {
		t.Fatalf("files %v", names)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Repeat("x", len(good))), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), dir, "example.org", Seal{}, start(), nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("damaged %s: %v", name, err)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
