package ui

import (
	"bytes"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/a-h/templ/generator"
	"github.com/a-h/templ/parser/v2"
	"github.com/a-h/templ/parser/v2/visitor"
)

// templates calls f for every template.
func templates(t *testing.T, f func(path string, tpl *parser.TemplateFile)) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".templ" {
			return err
		}
		tpl, err := parser.Parse(path)
		if err == nil {
			n++
			f(path, tpl)
		}
		return err
	})
	if err != nil || n < 5 {
		t.Fatalf("%d templates read: %v", n, err)
	}
}

// TestGenerated wants the committed Go code to be what the templates make.
// To see it fail: change a template and do not call `make generate`.
func TestGenerated(t *testing.T) {
	templates(t, func(path string, tpl *parser.TemplateFile) {
		var b bytes.Buffer
		if _, err := generator.Generate(tpl, &b, generator.WithFileName("ui/"+path)); err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		want, err := format.Source(b.Bytes())
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		got, err := os.ReadFile(strings.TrimSuffix(path, ".templ") + "_templ.go")
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: its Go code is old; call `make generate` (%v)", path, err)
		}
	})
}

// TestNoLiteralText wants every word in the catalogues. To see it fail: write
// a word into a template.
func TestNoLiteralText(t *testing.T) {
	spoken := []string{"alt", "aria-label", "aria-valuetext", "placeholder", "title"}
	templates(t, func(path string, tpl *parser.TemplateFile) {
		v := visitor.New()
		v.Text = func(n *parser.Text) error {
			if strings.ContainsFunc(n.Value, unicode.IsLetter) {
				t.Errorf("%s:%d: text %q", path, n.Range.From.Line+1, n.Value)
			}
			return nil
		}
		v.ConstantAttribute = func(n *parser.ConstantAttribute) error {
			if slices.Contains(spoken, n.Key.String()) && n.Value != "" {
				t.Errorf("%s: attribute %s", path, n)
			}
			if slices.Contains([]string{"style", "onclick"}, n.Key.String()) {
				t.Errorf("%s: inline %s", path, n)
			}
			return nil
		}
		if err := tpl.Visit(v); err != nil {
			t.Error(err)
		}
	})
}
