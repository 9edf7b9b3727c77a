package airplay

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"sonahub/airplay/raop"
	"sonahub/hub/audio"
)

func TestSpeakerOf(t *testing.T) {
	here := []netip.Addr{netip.MustParseAddr("10.0.0.7")}
	s, err := SpeakerOf("AABBCCDDEEFF@K\x1bitchen\n "+strings.Repeat("x", 100), here, 5000, map[string]string{"et": "0,1"})
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != "aabbccddeeff" || !strings.HasPrefix(s.Name, "Kitchen x") || len(s.Name) > maxName || s.Addrs[0].String() != "10.0.0.7:5000" {
		t.Errorf("got %+v", s)
	}
	for name, c := range map[string]struct {
		instance string
		addrs    []netip.Addr
		port     int
	}{
		"no name":    {"AABBCCDDEEFF", here, 5000},
		"no MAC":     {"Kitchen@home", here, 5000},
		"bad MAC":    {"AABBCCDDEEFG@x", here, 5000},
		"no address": {"AABBCCDDEEFF@x", nil, 5000},
		"no port":    {"AABBCCDDEEFF@x", here, 0},
		"big port":   {"AABBCCDDEEFF@x", here, 65536},
	} {
		if _, err := SpeakerOf(c.instance, c.addrs, c.port, nil); !errors.Is(err, ErrSpeaker) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUsable(t *testing.T) {
	for name, c := range map[string]struct {
		txt  map[string]string
		want string // part of the sentence, "" = usable
		auth bool
	}{
		"unknown":           {nil, "", false},
		"shairport-sync":    {map[string]string{"et": "0,1", "cn": "0,1", "pw": "false"}, "", false},
		"licensed speaker":  {map[string]string{"et": "0,4", "cn": "0,1"}, "", true},
		"password":          {map[string]string{"et": "0,1", "cn": "0,1", "pw": "true"}, "password", false},
		"PCM only":          {map[string]string{"cn": "0"}, "Apple Lossless", false},
		"encryption wanted": {map[string]string{"et": "1,3", "cn": "1"}, "encrypted", false},
	} {
		s := Speaker{TXT: c.txt, Addrs: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:1")}}
		err := s.usable()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if s.authSetup() != c.auth {
			t.Errorf("%s: auth-setup %v", name, s.authSetup())
		}
	}
}

func TestVolume(t *testing.T) {
	for g, want := range map[audio.Gain]float64{0: 0, -12.5: -12.5, -30: -30, -31: -30, -90: -30, 6: 0, audio.Mute(): raop.Mute} {
		if got := volume(g); got != want {
			t.Errorf("gain %v: volume %v, want %v", g, got, want)
		}
	}
}

func TestRegistry(t *testing.T) {
	var r Registry
	r.Put(Speaker{ID: "b", Name: "old"})
	r.Put(Speaker{ID: "b", Name: "new"})
	r.Put(Speaker{ID: "a"})
	if all := r.All(); len(all) != 2 || all[0].ID != "a" || all[1].Name != "new" {
		t.Errorf("got %+v", all)
	}
	r.Remove("b")
	if _, ok := r.Speaker("b"); ok {
		t.Error("who was removed is still there")
	}
}

func FuzzSpeakerOf(f *testing.F) {
	f.Add("AABBCCDDEEFF@Kitchen", 5000)
	f.Add("@", -1)
	here := []netip.Addr{netip.MustParseAddr("10.0.0.7")}
	f.Fuzz(func(t *testing.T, instance string, port int) {
		s, err := SpeakerOf(instance, here, port, nil)
		if err == nil && (len(s.ID) != 12 || s.Name == "" || len(s.Name) > maxName || strings.ContainsAny(s.Name, "\x00\n\x1b")) {
			t.Errorf("%q became %+v", instance, s)
		}
	})
}
