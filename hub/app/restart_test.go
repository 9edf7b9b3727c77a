package app_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sonahub/hub/app"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/room"
	"sonahub/wallet"
)

// close ends the hub in order.
func (h *home) close() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		h.t.Fatal(err)
	}
}

// TestSecondHub starts a second hub on the same folder: it is told so, and
// the first one, its place and its money are as before.
func TestSecondHub(t *testing.T) {
	t.Parallel()
	h := newHome(t, 1, nil, origin.Config{NoOpus: true}, piece{cd, 20})
	h.do(room.Play{})
	h.at(0, time.Second)
	if _, err := app.Open(t.Context(), h.config, app.Options{}); err == nil || !strings.Contains(err.Error(), "another hub runs") {
		t.Fatalf("the second hub: %v", err)
	}
	if _, err := os.Stat(filepath.Join(h.config.State, app.SocketName)); err != nil {
		t.Errorf("the first one's socket is gone: %v", err)
	}
	h.at(0, 2*time.Second)
	h.agree()
}

// TestRestart closes a playing hub in order. It does not start to sound by
// itself, unless the owner says so; queue, place, volume and group are as they
// were, and nothing is bought twice. A start that fails changes none of it. To
// see it fail: save the place with running true in Close.
func TestRestart(t *testing.T) {
	t.Parallel()
	h := newHome(t, 1, nil, origin.Config{NoOpus: true}, piece{cd, 20}, piece{cd, 20})
	h.do(room.Play{})
	h.do(room.Next{})
	h.at(1, 2*time.Second)
	h.do(room.SetVolume{Room: "virtual-1", Percent: 42})
	h.close()
	busy := h.config
	busy.Listen = "192.0.2.1:1" // not an address of this machine
	if _, err := app.Open(t.Context(), busy, app.Options{}); err == nil {
		t.Fatal("an impossible address was taken")
	}
	sounded := len(h.rec.PCM("virtual-1"))
	hub, err := app.Open(t.Context(), h.config, app.Options{Log: logger(t), Captured: h.rec.Capture})
	if err != nil {
		t.Fatal(err)
	}
	h.Hub = hub
	s := h.until(5*time.Second, "the room", func(s room.House) bool { return len(s.Members("main")) == 1 })
	g, r := s.Groups[0], s.Rooms[0]
	if g.Transport != room.Paused || g.Queue.Current != 1 || g.Position < 2*time.Second || g.Position > 4*time.Second || len(g.Queue.Items) != 2 || r.Volume != 42 {
		t.Errorf("after the restart: %+v, %+v", g, r)
	}
	<-time.After(700 * time.Millisecond)
	if n := len(h.rec.PCM("virtual-1")); n != sounded {
		t.Error("it sounded by itself")
	}
	h.close()
	h.config.Play = true
	h.open()
	h.at(1, g.Position+time.Second)
	h.agree()
}

// TestDeviceStaysPaired lets a browser in by the code, restarts the hub, and
// wants that browser to be let in still and a stranger not; a request under a
// foreign name is refused.
func TestDeviceStaysPaired(t *testing.T) {
	t.Parallel()
	h := newHome(t, 1, nil, origin.Config{NoOpus: true}, piece{cd, 20})
	ask := func(path, body, host, kind string, cookies ...*http.Cookie) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			req.Host = host
		}
		req.Header.Set("Content-Type", kind)
		for _, c := range cookies {
			req.AddCookie(c)
		}
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	const form, json = "application/x-www-form-urlencoded", "application/json"
	if resp := ask("/api/command/pause", "{}", "", json); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a stranger may act: %s", resp.Status)
	}
	code := h.Code()
	cookies := ask("/enter", url.Values{"code": {code}}.Encode(), "", form).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("the code gave %d cookies", len(cookies))
	}
	if h.Code() == code || len(ask("/enter", url.Values{"code": {code}}.Encode(), "", form).Cookies()) != 0 {
		t.Error("the code works twice")
	}
	h.close()
	h.open()
	if resp := ask("/api/command/pause", "{}", "", json, cookies...); resp.StatusCode != http.StatusOK {
		t.Errorf("after a restart the paired browser gets %s", resp.Status)
	}
	if resp := ask("/api/command/pause", "{}", "rebound.example", json, cookies...); resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("under a foreign name: %s", resp.Status)
	}
}

// TestDamagedFiles spoils the house file: it is kept aside, people are told,
// and the money is untouched without a second gift. Then the ledger: the hub
// does not start, says what to do, and does not touch it.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	h := newHome(t, 1, nil, origin.Config{NoOpus: true}, piece{cd, 20})
	h.do(room.Play{})
	h.at(0, 2500*time.Millisecond)
	h.agree()
	h.close()
	spoil(t, filepath.Join(h.config.State, "house.db"))
	h.open()
	if s := h.State(); !strings.Contains(s.Notice, "house.db.damaged-") {
		t.Errorf("people read %q", s.Notice)
	}
	audit, err := h.platform.Books().Audit(t.Context())
	if err != nil || audit.VouchersIssued != 1 {
		t.Errorf("%d gifts were given, %v", audit.VouchersIssued, err)
	}
	h.agree()
	h.close()
	ledger := filepath.Join(h.config.State, "ledger.db")
	good, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	spoil(t, ledger)
	spoiled, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.Open(t.Context(), h.config, app.Options{}); err == nil || !strings.Contains(err.Error(), "backup") || !strings.Contains(err.Error(), ledger) {
		t.Errorf("a damaged ledger: %v", err)
	}
	if now, err := os.ReadFile(ledger); err != nil || !bytes.Equal(now, spoiled) {
		t.Errorf("the damaged ledger was touched: %v", err)
	}
	key := filepath.Join(h.config.State, "device.key")
	if err := errors.Join(os.WriteFile(ledger, good, 0o600), os.Rename(key, key+".away")); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Open(t.Context(), h.config, app.Options{}); err == nil || !strings.Contains(err.Error(), "device.key is missing") {
		t.Errorf("without the device key: %v", err)
	}
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}
	h.open()
	h.agree()
}

func spoil(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(text, "a bad card wrote over this")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPlatformComesLate starts a hub while its platform is away: it starts,
// says so, and plays by itself within seconds when the platform is there. The
// gift is given once. To see it fail: leave out the poke in keepBrowsing.
func TestPlatformComesLate(t *testing.T) {
	t.Parallel()
	o, faults := newPlatform(t, origin.Config{NoOpus: true}, piece{cd, 20})
	faults.Set(origintest.Die)
	h := &home{t: t, platform: o, faults: faults, config: app.Config{
		State: filepath.Join(t.TempDir(), "hub"), Origin: o.URL(), Listen: "127.0.0.1:0", Virtual: 1, Welcome: true, Play: true,
	}}
	hub, err := app.Open(t.Context(), h.config, app.Options{Log: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	h.Hub = hub
	t.Cleanup(h.close)
	h.until(5*time.Second, "the notice", func(s room.House) bool { return strings.Contains(s.Notice, "cannot be reached") })
	<-time.After(4 * time.Second) // by now the pauses between tries have grown
	faults.Set(origintest.Pass)
	s := h.until(6*time.Second, "music", transport(room.Playing))
	if s.Notice != "" {
		t.Errorf("people still read %q", s.Notice)
	}
	h.at(0, 2500*time.Millisecond)
	h.agree()
	audit, err := o.Books().Audit(t.Context())
	if err != nil || audit.VouchersIssued != 1 || audit.VouchersRedeemed != 1 {
		t.Errorf("%d gifts given, %d taken, %v", audit.VouchersIssued, audit.VouchersRedeemed, err)
	}
}

// TestPlatformRestarts ends the platform in the middle of a piece and starts
// it again at its address: no frame is missing.
func TestPlatformRestarts(t *testing.T) {
	t.Parallel()
	p := piece{cd, 16}
	c := origin.Config{NoOpus: true, State: t.TempDir()}
	h := newHome(t, 1, nil, c, p)
	h.do(room.Play{})
	h.at(0, 6*time.Second)
	c.Listen, c.Music = h.platform.Addr().String(), h.music
	origintest.Close(t, h.platform)
	<-time.After(time.Second)
	h.platform = origintest.Start(t, c)
	h.until(30*time.Second, "the end", transport(room.Stopped))
	h.sounded("virtual-1", p.pcm(0))
	h.agree()
}

// TestDiskFull holds the house file so that nothing can be written to it: the
// music goes on, people are told, and told when it is over.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	p := piece{cd, 14}
	h := newHome(t, 1, nil, origin.Config{NoOpus: true}, p)
	h.do(room.Play{})
	h.at(0, 3*time.Second)
	release := hold(t, filepath.Join(h.config.State, "house.db"))
	h.until(15*time.Second, "the notice", func(s room.House) bool { return strings.Contains(s.Notice, "cannot write to its disk") })
	release()
	h.until(15*time.Second, "the notice to go", func(s room.House) bool { return s.Notice == "" })
	h.until(30*time.Second, "the end", transport(room.Stopped))
	h.sounded("virtual-1", p.pcm(0))
	h.until(5*time.Second, "the ledger to know what was heard", func(room.House) bool {
		s, err := h.Spending(t.Context())
		return err == nil && s.DayBought == s.DayHeard && s.DayBought > wallet.Msat(0)
	})
	h.agree()
}

// hold takes the file's write lock as another process would, until released.
func hold(t *testing.T, path string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err == nil {
		_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(conn.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}
