package secretmem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listed is the part of `go list -json` that the lint needs.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// module knows every package that the linted ones need, compiled.
type module struct {
	fset    *token.FileSet
	exports map[string]string // import path to export data
	linted  []listed
	types   types.Importer
}

// load compiles what the lint looks at and needs.
func load(t *testing.T) *module {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", "sonahub/sne/...", "sonahub/wallet/ffxs/...", "encoding/gob", "encoding/json", "reflect") // the last three for what is planted
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	m := &module{fset: token.NewFileSet(), exports: map[string]string{}}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		m.exports[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, "sonahub/sne") || strings.HasPrefix(p.ImportPath, "sonahub/wallet/ffxs") {
			m.linted = append(m.linted, p)
		}
	}
	m.types = importer.ForCompiler(m.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(m.exports[path]) })
	return m
}

// check parses and type-checks one package.
func (m *module) check(t *testing.T, p listed) ([]*ast.File, *types.Package, *types.Info) {
	t.Helper()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(m.fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{Importer: m.types}
	pkg, err := config.Check(p.ImportPath, m.fset, files, info)
	if err != nil {
		t.Fatalf("%s: %v", p.ImportPath, err)
	}
	return files, pkg, info
}

// lint gives what is wrong in one package, as "file:line: what".
func (m *module) lint(t *testing.T, p listed) (found []string, secrets int) {
	t.Helper()
	files, _, info := m.check(t, p)
	l := &linter{info: info, raw: map[types.Object]bool{}}
	for _, f := range files {
		l.file(f)
	}
	for _, o := range l.offences {
		at := m.fset.Position(o.pos)
		found = append(found, fmt.Sprintf("%s:%d: %s", filepath.Base(at.Filename), at.Line, o.what))
	}
	return found, l.seen
}

// TestSecretsAreHandledAsSuch forbids, in sne and wallet/ffxs, whatever could
// show a secret or compare it in a time that depends on it.
func TestSecretsAreHandledAsSuch(t *testing.T) {
	m := load(t)
	if len(m.linted) < 15 {
		t.Fatalf("only %d packages", len(m.linted))
	}
	all := 0
	for _, p := range m.linted {
		found, secrets := m.lint(t, p)
		for _, f := range found {
			t.Errorf("%s/%s", strings.TrimPrefix(p.ImportPath, "sonahub/"), f)
		}
		all += secrets
	}
	if all < 200 {
		t.Errorf("only %d expressions with secrets were seen", all)
	}
	t.Logf("%d packages, %d expressions of secret types", len(m.linted), all)
}

// TestSecretTypesHideThemselves wants every type that hides from slog to hide
// from fmt too, with all its verbs.
func TestSecretTypesHideThemselves(t *testing.T) {
	m, secrets := load(t), 0
	for _, p := range m.linted {
		_, pkg, _ := m.check(t, p)
		for _, name := range pkg.Scope().Names() {
			o, ok := pkg.Scope().Lookup(name).(*types.TypeName)
			if !ok || !isSecret(o.Type()) {
				continue
			}
			secrets++
			for _, method := range []string{"String", "Format"} {
				found, _, _ := types.LookupFieldOrMethod(types.NewPointer(o.Type()), false, pkg, method)
				if _, ok := found.(*types.Func); !ok {
					t.Errorf("%s.%s has no method %s", p.ImportPath, name, method)
				}
			}
		}
	}
	if secrets < 8 {
		t.Errorf("only %d secret types were found", secrets)
	}
}

// TestLintFindsPlantedOffences wants each line of testdata/planted that says
// "offence" found, with that word of its kind, and no other.
func TestLintFindsPlantedOffences(t *testing.T) {
	m := load(t)
	p := listed{ImportPath: "sonahub/sne/internal/secretmem/testdata/planted", Dir: "testdata/planted", GoFiles: []string{"planted.go"}}
	got, _ := m.lint(t, p)
	src, err := os.ReadFile("testdata/planted/planted.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i, line := range strings.Split(string(src), "\n") {
		if _, what, ok := strings.Cut(line, "// offence: "); ok {
			want = append(want, fmt.Sprintf("planted.go:%d: %s", i+1, what))
		}
	}
	slices.Sort(got)
	got = slices.Compact(got)
	slices.Sort(want)
	if len(want) < 20 {
		t.Fatalf("only %d offences are planted", len(want))
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("not found: %s", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("found where nothing is wrong: %s", g)
		}
	}
}
