package sonahub

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// pkg is the part of `go list -json` that the house tests look at.
type pkg struct {
	ImportPath   string
	Dir          string
	Doc          string
	Name         string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
}

// rel is the import path without the module's name; "." is the root.
func (p pkg) rel() string { return rel(p.ImportPath) }

func rel(path string) string {
	if path == "sonahub" {
		return "."
	}
	return strings.TrimPrefix(path, "sonahub/")
}

func ours(path string) bool { return path == "sonahub" || strings.HasPrefix(path, "sonahub/") }

// list returns every package of the module, those behind the lab tag included.
func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-tags", "lab", "-json=ImportPath,Dir,Doc,Name,GoFiles,TestGoFiles,XTestGoFiles,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}

// under reports whether path is the folder dir or lies below it.
func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// rule says what the packages at or below a folder may import of ours, beside
// nothing. "self" is the folder's own subtree; a trailing "/..." means a
// subtree, otherwise the one package.
type rule struct {
	folder string
	may    []string
}

// rules is the import table of the house; the first rule that fits a package
// decides, and what no rule names is forbidden.
func rules() []rule {
	return []rule{
		{"hub/audio/...", []string{"self"}},
		{"hub/room", nil},
		{"wallet/ledger", []string{"wallet", "self"}},
		{"wallet/railtest", []string{"wallet/..."}},
		{"wallet/ffxs/...", []string{"wallet", "self", "wallet/railtest"}},
		{"wallet/lightning/...", []string{"wallet", "self", "wallet/railtest"}},
		{"wallet/dogecoin/...", []string{"wallet", "self", "wallet/railtest"}},
		{"wallet", nil},
		{"homekit/pairing/...", []string{"self"}},
		{"homekit/...", []string{"hub/room", "self"}},
		{"sonos/emulator/...", []string{"self"}},
		{"sonos/...", []string{"self", "hub/audio/..."}},
		{"airplay/...", []string{"self", "hub/audio/...", "homekit/pairing/..."}},
		{"sne/...", []string{"self"}},
		{"hub/jack/...", []string{"self", "hub/audio/..."}},
		{"hub/virtual/...", []string{"self", "hub/audio/..."}},
		{"hub/api/...", []string{"hub/room", "wallet", "self"}},
		{"ui/...", []string{"hub/room", "wallet", "self", "hub/api/guard", "hub/api/sse"}},
		{"hub/stream/...", []string{"self", "hub/audio/...", "wallet", "sne/..."}},
		{"hub/player/...", []string{"self", "hub/audio/...", "hub/room"}},
		{"hub/store/...", []string{"self", "hub/room"}},
		{"hub/discover/...", []string{"self"}},
		{"firmware/...", []string{"self", "sne/..."}},
		{"hub/origin/...", []string{"self", "hub/audio/...", "sne/...", "wallet", "wallet/ffxs/mint", "wallet/ffxs/token"}},
		{"hub/app/...", []string{"..."}},
		{"hub/cmd/...", []string{"..."}},
		{"hub/lab/...", []string{"..."}},
		{".", nil},
	}
}

func fits(path, pattern string) bool {
	if pattern == "..." {
		return true
	}
	if dir, ok := strings.CutSuffix(pattern, "/..."); ok {
		return under(path, dir)
	}
	return path == pattern
}

func allowed(from, to string) (bool, string) {
	for _, r := range rules() {
		if !fits(from, r.folder) {
			continue
		}
		for _, m := range r.may {
			if m == "self" {
				m = strings.TrimSuffix(r.folder, "/...") + "/..."
			}
			if fits(to, m) {
				return true, ""
			}
		}
		return false, "not in the row of " + r.folder
	}
	return false, "no row of the import table names " + from
}

// isTestOnly says that a package is a fake or an emulator, for tests and lab.
func isTestOnly(path string) bool {
	last := path[strings.LastIndex(path, "/")+1:]
	return strings.HasSuffix(last, "test") || under(path, "sonos/emulator")
}

// TestImports enforces the import table. To see it fail: import hub/room in
// hub/audio.
func TestImports(t *testing.T) {
	for _, p := range list(t) {
		for _, imp := range p.Imports {
			if !ours(imp) {
				continue
			}
			from, to := p.rel(), rel(imp)
			if ok, why := allowed(from, to); !ok {
				t.Errorf("%s imports %s: %s", from, to, why)
			}
			if under(to, "hub/app") && !under(from, "hub/cmd") && !under(from, "hub/lab") && !under(from, "hub/app") {
				t.Errorf("%s imports %s: only the commands and the lab may", from, to)
			}
			if isTestOnly(to) && !isTestOnly(from) && !under(from, "hub/lab") {
				t.Errorf("%s imports %s: fakes are for tests and the lab", from, to)
			}
		}
	}
}

// secluded names third-party packages that one room alone may see.
func secluded() map[string]string {
	return map[string]string{
		"github.com/lightningnetwork/lnd": "wallet/lightning",
		"github.com/brutella/hap":         "homekit",
		"github.com/ebitengine/oto":       "hub/jack",
		"modernc.org/sqlite":              "", // any, listed so that the spelling is checked
	}
}

// TestSecluded keeps heavy or risky libraries in one room each. To see it
// fail: import oto in hub/player.
func TestSecluded(t *testing.T) {
	for _, p := range list(t) {
		for _, imp := range p.Imports {
			for lib, room := range secluded() {
				if room != "" && under(imp, lib) && !under(p.rel(), room) {
					t.Errorf("%s imports %s: only %s may", p.rel(), imp, room)
				}
			}
		}
	}
}

// TestDocs wants a package comment that says more than the name. To see it
// fail: delete one.
func TestDocs(t *testing.T) {
	for _, p := range list(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		if len(strings.Fields(p.Doc)) < 6 {
			t.Errorf("%s has no package comment worth the name: %q", p.rel(), p.Doc)
		}
	}
}
