package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sonahub/hub/origin/live"
	"sonahub/sne/wire"
)

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want error
	}{
		{[]string{"--print-config", "--welcome", "0", "--listen", ":1"}, nil},
		{[]string{"--help"}, flag.ErrHelp},
		{[]string{"--station", "=x"}, errUsage},
		{[]string{"--revoke-creator", "somebody"}, errUsage},
		{[]string{"--lossless-price", "x"}, errUsage},
		{[]string{"music"}, errUsage},
	} {
		var out, log bytes.Buffer
		if err := run(c.args, &out, &log, false); !errors.Is(err, c.want) {
			t.Errorf("%v: got %v, want %v", c.args, err, c.want)
		}
		if c.want != nil {
			continue
		}
		var s settings
		if err := json.Unmarshal(out.Bytes(), &s); err != nil || s.Listen != ":1" || s.Lossless != 500 || s.Welcome != 0 {
			t.Errorf("%s: %+v, %v", out.Bytes(), s, err)
		}
		if !s.config(nil).Welcome.Off {
			t.Error("a welcome of 0 units is not off")
		}
	}
}

// TestStationFlags reads stations and revocations.
func TestStationFlags(t *testing.T) {
	id := wire.ID{7}
	s, _, err := parse([]string{"--station", "Radio=radio/day=night", "--station", "All", "--live-window", "3m", "--revoke-creator", id.String(), "--revoke-keys"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := []live.Plan{{Name: "Radio", Playlist: "radio/day=night", Window: 3 * time.Minute}, {Name: "All", Window: 3 * time.Minute}}
	if got := s.config(nil).Stations; !slices.Equal(got, want) {
		t.Errorf("stations %+v", got)
	}
	if !slices.Equal(s.RevokeCreators, []wire.ID{id}) || !s.RevokeKeys {
		t.Errorf("revocation %+v", s.revocation)
	}
}

func TestPassphrase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passphrase")
	for text, want := range map[string]string{"correct horse\nbattery\n": "correct horse", "correct horse\r\n": "correct horse", "\nx": "", strings.Repeat("x", 2000): ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		seal, err := settings{PassphraseFile: path, DeviceKeys: "d"}.seal()
		if (err == nil) != (want != "") || err == nil && (string(seal.Passphrase.Text) != want || seal.DeviceDir != "d") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	t.Setenv(passphraseVar, "battery staple")
	seal, err := settings{}.seal()
	if _, left := os.LookupEnv(passphraseVar); err != nil || left || string(seal.Passphrase.Text) != "battery staple" {
		t.Errorf("from the environment: %v, left there: %v", err, left)
	}
	if _, err := (settings{KMIP: "127.0.0.1:1", KMIPAuthority: path}).seal(); err == nil {
		t.Error("a KMIP server without certificates was taken")
	}
	if seal, err := (settings{}).seal(); err != nil || seal.Passphrase.Text != nil {
		t.Errorf("without a passphrase: %v", err)
	}
}

// TestRunUntilSignal runs the program in this process: the URL comes out, an
// unreadable file is named, and SIGTERM ends it without an error.
func TestRunUntilSignal(t *testing.T) {
	music := t.TempDir()
	if err := os.WriteFile(filepath.Join(music, "noise.mp3"), []byte("no music at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, log := pipe(t), pipe(t)
	done := make(chan error, 1)
	go func() {
		done <- run([]string{"--music", music, "--state", t.TempDir(), "--listen", "127.0.0.1:0"}, out.w, log.w, false)
	}()
	out.waitFor("sne://127.0.0.1:")
	log.waitFor(`skipped "noise.mp3": `)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("did not end")
	}
}

// stream is one of the program's outputs, read line by line.
type stream struct {
	t     *testing.T
	w     *os.File
	lines *bufio.Scanner
}

func pipe(t *testing.T) stream {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	if err := r.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return stream{t, w, bufio.NewScanner(r)}
}

func (s stream) waitFor(start string) {
	s.t.Helper()
	for s.lines.Scan() {
		if strings.HasPrefix(s.lines.Text(), start) {
			return
		}
	}
	s.t.Fatalf("no line begins with %q: %v", start, s.lines.Err())
}
