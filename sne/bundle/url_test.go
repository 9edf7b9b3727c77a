package bundle_test

import (
	"errors"
	"strings"
	"testing"

	"sonahub/sne/bundle"
	"sonahub/sne/wire"
)

func TestURLRoundTrip(t *testing.T) {
	root, b := wire.ID{1}, wire.ID{2}
	for _, tc := range []struct {
		u        bundle.URL
		s, hosts string
	}{
		{bundle.URL{Host: "origin.example", Root: root}, "sne://origin.example/" + root.String(), "origin.example:443"},
		{bundle.URL{Host: "127.0.0.1", Port: 8443, Root: root, Broadcast: b}, "sne://127.0.0.1:8443/" + root.String() + "/" + b.String(), "127.0.0.1:8443"},
		{bundle.URL{Host: "::1", Port: 1, Root: root, Broadcast: b, Tier: 2}, "sne://[::1]:1/" + root.String() + "/" + b.String() + "/2", "[::1]:1"},
	} {
		if got := tc.u.String(); got != tc.s {
			t.Errorf("wrote %s", got)
		}
		if got, err := bundle.ParseURL(tc.s); err != nil || got != tc.u {
			t.Errorf("%s: read %+v, %v", tc.s, got, err)
		}
		if got := tc.u.HostPort(); got != tc.hosts {
			t.Errorf("dials %s", got)
		}
	}
	if u, err := bundle.ParseURL("sne://ORIGIN.Example/" + root.String()); err != nil || u.Host != "origin.example" {
		t.Errorf("upper case: %v, %v", u, err)
	}
}

func TestURLRefuses(t *testing.T) {
	id := wire.ID{1}.String()
	for _, s := range []string{
		"", "sne:", "sne://", "sne://h", "sne://h/", "http://h/" + id, "sne:" + id, "sne:///" + id, "sne://h/" + id[1:],
		"sne://h/" + strings.ToUpper(id), "sne://h/" + id + "/", "sne://h/" + id + "/" + id + "/", "sne://h/" + id + "/" + id + "/0",
		"sne://h/" + id + "/" + id + "/01", "sne://h/" + id + "/" + id + "/65536", "sne://h/" + id + "/" + id + "/1/2",
		"sne://u@h/" + id, "sne://h/" + id + "?q", "sne://h/" + id + "?", "sne://h/" + id + "#", "sne://h:0/" + id,
		"sne://h:65536/" + id, "sne://h:/" + id, "sne://" + strings.Repeat("h", 600) + "/" + id,
	} {
		if u, err := bundle.ParseURL(s); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: %+v, %v", s, u, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("sne://h/" + wire.ID{1}.String())
	f.Add("sne://[::1]:8/" + wire.ID{1}.String() + "/" + wire.ID{2}.String() + "/3")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := bundle.ParseURL(s)
		if err != nil {
			return
		}
		if again, err := bundle.ParseURL(u.String()); err != nil || again.HostPort() != u.HostPort() || again.Root != u.Root {
			t.Fatalf("%q became %q, then %+v, %v", s, u.String(), again, err)
		}
	})
}
