package api

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// document is the part of OpenAPI that the test compares.
type document struct {
	Paths map[string]map[string]struct {
		RequestBody struct {
			Content map[string]struct {
				Schema struct {
					Ref string `yaml:"$ref"`
				}
			}
		} `yaml:"requestBody"`
	}
	Components struct {
		Schemas map[string]schema
	}
}

type schema struct {
	Required   []string
	Properties map[string]struct {
		Type  string
		Ref   string `yaml:"$ref"`
		Items struct {
			Type string
			Ref  string `yaml:"$ref"`
		}
		Enum []string
	}
}

// TestDocument compares openapi.yaml with the routes and the Go types. To see
// it fail: rename a JSON field.
func TestDocument(t *testing.T) {
	var doc document
	if err := yaml.Unmarshal(specification, &doc); err != nil {
		t.Fatal(err)
	}
	var written, served []string
	for path, methods := range doc.Paths {
		for m := range methods {
			written = append(written, strings.ToUpper(m)+" "+path)
		}
	}
	for _, r := range New(Config{}).routes() {
		served = append(served, r.method+" "+r.path)
	}
	slices.Sort(written)
	slices.Sort(served)
	if !slices.Equal(written, served) {
		t.Errorf("written and served differ:\n%v\n%v", written, served)
	}
	seen := map[string]bool{}
	for _, f := range forms() {
		ref := doc.Paths["/api/command/"+f.name]["post"].RequestBody.Content["application/json"].Schema.Ref
		typ := reflect.TypeOf(f.body)
		if want := "#/components/schemas/" + strings.ToUpper(typ.Name()[:1]) + typ.Name()[1:]; ref != want {
			t.Errorf("%s: body %q, want %q", f.name, ref, want)
		}
		compare(t, doc, typ, seen)
	}
	for _, v := range []any{State{}, Done{}, Problem{}} {
		compare(t, doc, reflect.TypeOf(v), seen)
	}
	for name := range doc.Components.Schemas {
		if !seen[name] {
			t.Errorf("schema %s belongs to no type", name)
		}
	}
}

// compare checks one type against its schema, and those it is made of.
func compare(t *testing.T, doc document, typ reflect.Type, seen map[string]bool) {
	t.Helper()
	name := strings.ToUpper(typ.Name()[:1]) + typ.Name()[1:]
	if seen[name] {
		return
	}
	seen[name] = true
	s, ok := doc.Components.Schemas[name]
	if !ok {
		t.Errorf("there is no schema %s", name)
		return
	}
	fields := map[string]bool{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		key, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[key] = true
		p, ok := s.Properties[key]
		if !ok {
			t.Errorf("%s.%s is not written down", name, key)
			continue
		}
		if required := opts == ""; required != slices.Contains(s.Required, key) {
			t.Errorf("%s.%s: required is %v in Go", name, key, required)
		}
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		got, want := p.Type+p.Ref, jsonType(ft)
		if ft.Kind() == reflect.Slice {
			got, want = p.Type+" of "+p.Items.Type+p.Items.Ref, "array of "+jsonType(ft.Elem())
			ft = ft.Elem()
		}
		if got != want {
			t.Errorf("%s.%s is %s in Go, %s in the document", name, key, want, got)
		}
		if ft.Kind() == reflect.Struct {
			compare(t, doc, ft, seen)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
		if !fields[key] {
			t.Errorf("%s.%s is written down and not there", name, key)
		}
	}
}

func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Struct:
		return "#/components/schemas/" + t.Name()
	case reflect.Map:
		return "object"
	default:
		return "integer"
	}
}

// TestDocumentNamesEveryProblem keeps the list of codes whole.
func TestDocumentNamesEveryProblem(t *testing.T) {
	var doc document
	if err := yaml.Unmarshal(specification, &doc); err != nil {
		t.Fatal(err)
	}
	for _, code := range doc.Components.Schemas["Problem"].Properties["code"].Enum {
		if (Problem{Code: code}).status() == 500 {
			t.Errorf("code %s has no status of its own", code)
		}
	}
}
