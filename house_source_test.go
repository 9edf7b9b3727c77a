package sonahub

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const maxLines = 500 // a file is one idea

// files calls f for every Go file of the module that a person wrote.
func files(t *testing.T, f func(rel string, src []byte)) {
	t.Helper()
	seen := 0
	for _, p := range list(t) {
		for _, group := range [][]string{p.GoFiles, p.TestGoFiles, p.XTestGoFiles} {
			for _, name := range group {
				src, err := os.ReadFile(filepath.Join(p.Dir, name))
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(src[:min(len(src), 2000)], []byte("DO NOT EDIT")) {
					continue
				}
				seen++
				f(filepath.Join(p.rel(), name), src)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("only %d files found", seen)
	}
}

// TestFileSize keeps files readable. To see it fail: set maxLines to 100.
func TestFileSize(t *testing.T) {
	files(t, func(rel string, src []byte) {
		if n := bytes.Count(src, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines; at most %d", rel, n, maxLines)
		}
	})
}

// TestHabits forbids init functions, panics, sleeps and exits where the house
// does not want them. To see it fail: add `panic("x")` anywhere.
func TestHabits(t *testing.T) {
	files(t, func(rel string, src []byte) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, rel, src, 0)
		if err != nil {
			t.Error(err)
			return
		}
		test := strings.HasSuffix(rel, "_test.go")
		say := func(n ast.Node, what string) { t.Errorf("%s: %s", fset.Position(n.Pos()), what) }
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					say(n, "init function")
				}
			case *ast.CallExpr:
				switch name := called(n); {
				case name == "panic" && !test:
					say(n, "panic")
				case name == "time.Sleep":
					say(n, "sleep: wait for the event instead")
				case name == "os.Exit" && !strings.HasPrefix(rel, "hub/cmd/") && !test:
					say(n, "exit outside a command")
				}
			}
			return true
		})
	})
}

// called gives the name of a called function as written: "panic", "time.Sleep".
func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}
