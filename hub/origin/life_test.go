package origin_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/sne/fetch"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/sale"
	"sonahub/wallet/ffxs/token"
)

// TestRestartKeepsEverything closes a platform and opens it again on the same
// state: URL, keys, catalogue, money; a body of before is answered again.
func TestRestartKeepsEverything(t *testing.T) {
	state, music := t.TempDir(), t.TempDir()
	origintest.Music(t, music, origintest.Track{Name: "1.flac", Title: "One", Seed: 1})
	c := origin.Config{State: state, Music: music, NoOpus: true}
	o := origintest.Start(t, c)
	if _, err := origin.Open(t.Context(), c); err == nil {
		t.Error("two platforms opened one state folder")
	}
	ready(t, o.Done)
	h := newHub(t, o)
	h.topUp()
	_, records := h.records(h.item("One").ID, 2)
	body, _ := h.body(10)
	first, err := h.Redeem(t.Context(), records[1:2], body)
	if err != nil {
		t.Fatal(err)
	}
	_, page := h.call("GET", "/sne/1/catalog", nil)
	before, url := audit(t, o), o.URL()
	c.Listen = o.Addr().String()
	origintest.Close(t, o)

	o = origintest.Start(t, c)
	ready(t, o.Done)
	if o.URL() != url {
		t.Errorf("URL %s, before %s", o.URL(), url)
	}
	again, err := h.Redeem(t.Context(), records[1:2], body) // the same client: its session is gone
	if err != nil || !sameKeys(first, again) {
		t.Errorf("a body of before the restart: %v", err)
	}
	after := audit(t, o)
	if after.AmountMsat != before.AmountMsat || after.Grants != 1 || after.Outstanding != before.Outstanding {
		t.Errorf("books before %+v, after %+v", before, after)
	}
	_, newer := h.call("GET", "/sne/1/catalog", nil)
	const seqAt, seqEnd = 38, 46 // u8 u8 u16 u16 id[32] u64 seq
	if bytes.Compare(newer[seqAt:seqEnd], page[seqAt:seqEnd]) <= 0 {
		t.Error("the catalogue's number did not rise")
	}
	if it := newHub(t, o).item("One"); it.ID != records[0].Broadcast {
		t.Error("the track is another broadcast now")
	}
}

// TestBundlesAreRenewedUnderway moves the clock on by days while a session
// lives: the next Bundle signs the catalogue, the old one is still accepted.
func TestBundlesAreRenewedUnderway(t *testing.T) {
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	now := func() time.Time { return time.Unix(0, clock.Load()) }
	o, _ := shop(t, func(c *origin.Config) { c.NoOpus, c.Clock = true, now })
	h := newHubAt(t, o, now)
	old, err := h.Bundle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, records := h.records(h.item("One").ID, 2)
	clock.Add(int64(6 * 24 * time.Hour))
	if err := o.Renew(); err != nil {
		t.Fatal(err)
	}
	ready(t, o.Done)
	if _, err := h.Grant(t.Context(), records[:1]); err != nil { // a handshake by the old Bundle
		t.Errorf("the old bundle, within its day of grace: %v", err)
	}
	if _, err := h.Catalog(t.Context()); err != nil {
		t.Errorf("a catalogue signed by the new one: %v", err)
	}
	clock.Add(int64(25 * time.Hour))
	if err := o.Renew(); err != nil {
		t.Fatal(err)
	}
	id, err := old.ID()
	if err != nil {
		t.Fatal(err)
	}
	if res, _ := h.call("GET", "/sne/1/bundle/"+id.String(), nil); res.StatusCode != 404 {
		t.Errorf("the old bundle after its grace: %d", res.StatusCode)
	}
}

// TestVoucherOutlivesItsKeySet redeems a voucher and shows it again when its
// key set signs nothing new any more: a hub whose answer was lost gets the
// same units, and another voucher for that key set is refused.
func TestVoucherOutlivesItsKeySet(t *testing.T) {
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	now := func() time.Time { return time.Unix(0, clock.Load()) }
	o, _ := shop(t, func(c *origin.Config) { c.NoOpus, c.Clock = true, now })
	h := newHubAt(t, o, now)
	var codes [2]string
	for i := range codes {
		var err error
		if codes[i], err = o.Voucher(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
	}
	b := h.blind(100)
	set := h.set
	if _, err := h.TopUp(t.Context(), set, b.bytes(t), codes[0]); err != nil {
		t.Fatal(err)
	}
	raw, err := h.KeySet(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	terms, err := token.ParseKeySet(raw)
	if err != nil {
		t.Fatal(err)
	}
	clock.Store(terms.IssueUntil.Add(time.Hour).UnixNano())
	if err := o.Renew(); err != nil {
		t.Fatal(err)
	}
	late := newHubAt(t, o, now)
	evals, err := late.TopUp(t.Context(), set, b.bytes(t), codes[0])
	if err != nil {
		t.Fatalf("the same voucher and blinds again: %v", err)
	}
	late.finish(b, evals)
	_, err = late.TopUp(t.Context(), set, b.bytes(t), codes[1])
	wantCode(t, "another voucher", err, message.CodeKeySet)
	if a := audit(t, o); a.VoucherUnitsRedeemed != 100 {
		t.Errorf("%d units were given", a.VoucherUnitsRedeemed)
	}
}

// TestCloseEndsEverything closes a platform in the midst of its ingest and
// of a request that nobody answers.
func TestCloseEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	faults := &origintest.Faults{}
	faults.Set(origintest.Stall)
	o, err := origin.Open(t.Context(), origin.Config{State: t.TempDir(), Wrap: faults.Wrap})
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := client.Get("http://" + o.Addr().String() + "/sne/1/bundle"); err == nil {
			_ = res.Body.Close()
		}
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for faults.Count(resource.Bundle) == 0 {
		<-tick.C
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := o.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a request was cut off: %v", err)
	}
	<-done
	for i := 0; runtime.NumGoroutine() > before && i < 400; i++ {
		<-tick.C
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines are left of %d\n%s", n, before, buf[:runtime.Stack(buf, true)])
	}
}

func TestFaults(t *testing.T) {
	faults := &origintest.Faults{}
	_, h := shop(t, func(c *origin.Config) { c.NoOpus, c.Wrap = true, faults.Wrap })
	one, two := h.item("One"), h.item("2")
	_, records := h.records(one.ID, 2)
	for _, c := range []struct {
		mode origintest.Mode
		want error
	}{
		{origintest.Truncate, sale.ErrObject}, {origintest.BitFlip, sale.ErrObject}, {origintest.WrongMIME, fetch.ErrMalformed},
		{origintest.CutOff, fetch.ErrUnreachable}, {origintest.Die, fetch.ErrUnreachable}, {origintest.Flood, fetch.ErrTooBig},
		{origintest.Busy, fetch.ErrBusy}, {origintest.Missing, fetch.ErrNotFound}, {origintest.Pass, nil},
	} {
		faults.Set(c.mode, resource.Segment)
		if _, err := h.Segment(t.Context(), records[0], 1); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("mode %d: got %v, want %v", c.mode, err, c.want)
		}
	}
	faults.Foreign(two.ID)
	fresh := h.fresh()
	if _, err := fresh.Head(t.Context(), one.ID, 2); err == nil {
		t.Error("the manifest of another broadcast was accepted")
	}
	faults.Set(origintest.Stall)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.Segment(ctx, records[0], 1); err == nil {
		t.Error("a stalled origin answered")
	}
	faults.Set(origintest.Pass)
	if _, err := h.Segment(t.Context(), records[0], 1); err != nil {
		t.Errorf("after the faults: %v", err)
	}
}

// certificate writes a certificate for 127.0.0.1 and its key into files.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := errors.Join(os.WriteFile(certFile, certPEM, 0o600), os.WriteFile(keyFile, keyPEM, 0o600)); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, pool
}

func TestTLS(t *testing.T) {
	cert, key, pool := certificate(t)
	o := origintest.Start(t, origin.Config{Music: t.TempDir(), CertFile: cert, KeyFile: key})
	for _, c := range []struct {
		scheme string
		max    uint16
		ok     bool
	}{{"https", 0, true}, {"https", tls.VersionTLS12, false}, {"http", 0, false}} {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MaxVersion: c.max}}}
		res, err := client.Get(c.scheme + "://" + o.Addr().String() + "/sne/1/bundle")
		ok := err == nil && res.StatusCode == http.StatusOK
		if ok != c.ok {
			t.Errorf("%s, TLS up to %#x: %v", c.scheme, c.max, err)
		}
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		client.CloseIdleConnections()
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]origin.Config{
		"state folder":   {},
		"no such file":   {State: t.TempDir(), Music: file + "x"},
		"not a folder":   {State: t.TempDir(), Music: file},
		"certificate":    {State: t.TempDir(), CertFile: file},
		"edges":          {State: t.TempDir(), Edges: make([]string, 9)},
		"below zero":     {State: t.TempDir(), Lossless: -1},
		"missing port":   {State: t.TempDir(), Music: t.TempDir(), Listen: "127.0.0.1"},
		"public address": {State: t.TempDir(), Music: t.TempDir(), Listener: public{}},
	} {
		if o, err := origin.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
			if o != nil {
				origintest.Close(t, o)
			}
		}
	}
}

// public is a listener on an address of the documentation's.
type public struct{}

func (public) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (public) Close() error              { return nil }
func (public) Addr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 80} }
