package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/exhibit"
)

// TestVerifyExhibit judges files on a machine that has nothing else.
func TestVerifyExhibit(t *testing.T) {
	t.Setenv("SONAHUB_STATE", filepath.Join(t.TempDir(), "nothing"))
	root, err := composite.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	var two [2][]byte
	for i := range two {
		b := &bundle.Bundle{Seq: 3, Host: "sona.example", NotAfter: uint64(i)}
		if two[i], err = b.Sign(root); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := exhibit.Bundles(two[0], two[1])
	if err != nil {
		t.Fatal(err)
	}
	dir, id := t.TempDir(), root.Public().KeyID().String()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	if err := errors.Join(os.WriteFile(good, raw, 0o600), os.WriteFile(bad, raw[:len(raw)-1], 0o600)); err != nil {
		t.Fatal(err)
	}
	other := strings.Repeat("a", 52)
	for _, tc := range []struct {
		args []string
		says string // in the answer, or in the error if it begins with "!"
	}{
		{[]string{good, "--accused", id}, "proved (bundle): origin " + id},
		{[]string{"--accused", id, good}, "proved"},
		{[]string{good, "--accused", other}, "!proves nothing against " + other},
		{[]string{bad, "--accused", id}, "!proves nothing"},
		{[]string{good}, "!usage"},
		{[]string{"--accused", id}, "!usage"},
		{[]string{good, "--accused", "abc"}, "!is no KeyID"},
		{[]string{filepath.Join(dir, "none"), "--accused", id}, "!no such file"},
	} {
		var out strings.Builder
		err := ctl(context.Background(), append([]string{"verify-exhibit"}, tc.args...), &out)
		want, wrong := strings.CutPrefix(tc.says, "!")
		if wrong != (err != nil) || wrong && (!strings.Contains(err.Error(), want) || out.Len() > 0) || !wrong && !strings.Contains(out.String(), want) {
			t.Errorf("%v: %q, %v", tc.args, out.String(), err)
		}
	}
}
