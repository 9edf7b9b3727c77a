package origin_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/sne/fetch"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/sale"
	"sonahub/sne/session"
	"sonahub/sne/wire"
)

// shop sells two short tracks, both tiers, ready.
func shop(t *testing.T, change func(*origin.Config)) (*origin.Origin, *hub) {
	t.Helper()
	c := origin.Config{Music: t.TempDir()}
	origintest.Music(t, c.Music, origintest.Track{Name: "1.flac", Title: "One", Frames: 3*88200 + 5, Seed: 1}, origintest.Track{Name: "2.wav", Frames: 9999, Seed: 2})
	if change != nil {
		change(&c)
	}
	o := origintest.Start(t, c)
	ready(t, o.Done)
	return o, newHub(t, o)
}

// TestResources asks for everything in SNE-SPEC section 9, the good and the
// bad, and checks status, type and cache of each answer.
func TestResources(t *testing.T) {
	o, h := shop(t, nil)
	it := h.item("One")
	head, _ := h.records(it.ID, 2)
	size := head.TreeSize
	b, err := h.Bundle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, err := b.ID()
	if err != nil {
		t.Fatal(err)
	}
	const immutable, stranger = "public, max-age=31536000, immutable", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	item := it.ID.String()
	for _, c := range []struct {
		method, path string
		status       int
		cache        string
	}{
		{"GET", "/bundle", 200, "max-age=300"},
		{"GET", "/bundle/" + id.String(), 200, immutable},
		{"GET", "/bundle/" + stranger, 404, "no-store"},
		{"GET", "/key/" + it.Creator.String(), 200, immutable},
		{"GET", "/key/" + stranger, 404, "no-store"},
		{"GET", "/ffxs/" + b.KeySets[0].String(), 200, immutable},
		{"GET", "/ffxs/" + stranger, 404, "no-store"},
		{"GET", "/catalog", 200, "max-age=60"},
		{"GET", "/catalog/999/0", 404, "no-store"},
		{"GET", "/blob/" + stranger, 404, "no-store"},
		{"GET", "/b/" + item + "/2/head", 200, "max-age=3600"},
		{"GET", "/b/" + item + "/3/head", 404, "no-store"},
		{"GET", "/b/" + stranger + "/2/head", 404, "no-store"},
		{"GET", fmt.Sprintf("/b/%s/2/records/%d/0/32", item, size), 200, immutable},
		{"GET", fmt.Sprintf("/b/%s/2/records/%d/0/33", item, size), 404, "no-store"},
		{"GET", fmt.Sprintf("/b/%s/2/records/%d/0/8", item, size-1), 404, "no-store"},
		{"GET", fmt.Sprintf("/b/%s/2/records/%d/%d/1", item, size, size), 404, "no-store"},
		{"GET", fmt.Sprintf("/b/%s/2/consistency/%d/%d", item, size, size), 200, immutable},
		{"GET", fmt.Sprintf("/b/%s/2/consistency/1/%d", item, size), 404, "no-store"},
		{"GET", "/c/" + item + "/2/0/1", 200, immutable},
		{"GET", "/c/" + item + "/1/0/3", 200, immutable},
		{"GET", "/c/" + item + "/2/0/9", 404, "no-store"},
		{"GET", "/c/" + item + "/2/" + strconv.FormatUint(size, 10) + "/1", 404, "no-store"},
		{"GET", "/c/" + item + "/02/0/1", 404, "no-store"},
		{"GET", "/c/" + item + "/2/0/1/", 404, "no-store"},
		{"GET", "/c/" + item + "/2/0/1?x=1", 404, "no-store"},
		{"GET", "/c/" + item + "/2/0/%31", 404, "no-store"},
		{"GET", "/c/" + strings.ToUpper(item) + "/2/0/1", 404, "no-store"},
		{"GET", "/c/../c/" + item + "/2/0/1", 404, "no-store"},
		{"GET", "/blob/../../../shelf.db", 404, "no-store"},
		{"GET", "", 404, "no-store"},
		{"POST", "/bundle", 405, "no-store"},
		{"HEAD", "/bundle", 405, "no-store"},
		{"GET", "/session", 405, "no-store"},
		{"POST", "/session", 400, "no-store"},
		{"POST", "/session/aaaaaaaaaaaaaaaaaaaaaaaaaa", 410, "no-store"},
	} {
		res, body := h.call(c.method, "/sne/1"+c.path, nil)
		if res.StatusCode != c.status || res.Header.Get("Cache-Control") != c.cache {
			t.Errorf("%s %s: %d, %q; want %d, %q", c.method, c.path, res.StatusCode, res.Header.Get("Cache-Control"), c.status, c.cache)
		}
		if c.status == 200 && (res.Header.Get("Content-Type") != "application/octet-stream" || len(body) == 0 || res.ContentLength != int64(len(body))) {
			t.Errorf("%s: type %q, %d bytes, length %d", c.path, res.Header.Get("Content-Type"), len(body), res.ContentLength)
		}
		if c.status != 200 && len(body) > 0 {
			t.Errorf("%s: a refusal says %q", c.path, body)
		}
	}
	if before := o.Progress(); before.Phase != "done" {
		t.Errorf("progress %+v", before)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	_, h := shop(t, func(c *origin.Config) { c.NoOpus = true })
	big := make([]byte, session.MaxResponse+1)
	if res, _ := h.post(resource.Resource{Kind: resource.Session}, big); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a handshake of %d bytes: %d", len(big), res.StatusCode)
	}
	_, msg1 := h.msg1()
	foreign := bytes.Clone(msg1)
	foreign[10] ^= 1 // in the bundle_id
	if res, _ := h.post(resource.Resource{Kind: resource.Session}, foreign); res.StatusCode != http.StatusGone {
		t.Errorf("a handshake for another bundle: %d", res.StatusCode)
	}
	bent := bytes.Clone(msg1)
	bent[len(bent)-1] ^= 1
	if res, body := h.post(resource.Resource{Kind: resource.Session}, bent); res.StatusCode != http.StatusBadRequest || len(body) > 0 {
		t.Errorf("a bent handshake: %d, %q", res.StatusCode, body)
	}
	s := h.session()
	exchange := resource.Resource{Kind: resource.Exchange, Session: s.s.Session()}
	if res, _ := h.post(exchange, big); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a request of %d bytes: %d", len(big), res.StatusCode)
	}
	if res, _ := h.post(exchange, []byte("x")); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a request that does not open: %d", res.StatusCode)
	}
	// The session lived through that.
	if a := s.ask(message.Frame{Kind: message.KindHello, ID: 7, Body: []byte{0}}); len(a) != 1 || a[0].Kind != message.KindWelcome || a[0].ID != 7 {
		t.Errorf("answers %+v", a)
	}
}

func TestHandshakesAreRationed(t *testing.T) {
	_, h := shop(t, func(c *origin.Config) {
		c.NoOpus = true
		c.Limits = origin.Limits{Handshakes: 0.001, Burst: 3}
	})
	_, msg1 := h.msg1()
	for i := range 5 {
		res, _ := h.post(resource.Resource{Kind: resource.Session}, msg1)
		want := http.StatusOK
		if i >= 3 {
			want = http.StatusTooManyRequests
		}
		if res.StatusCode != want || (i >= 3) != (res.Header.Get("Retry-After") != "") {
			t.Errorf("handshake %d: %d, Retry-After %q", i, res.StatusCode, res.Header.Get("Retry-After"))
		}
	}
}

func TestSessionsAreBounded(t *testing.T) {
	_, h := shop(t, func(c *origin.Config) { c.NoOpus, c.Limits.Sessions = true, 2 })
	for i := range 3 {
		_, msg1 := h.msg1()
		res, _ := h.post(resource.Resource{Kind: resource.Session}, msg1)
		if full := res.StatusCode == http.StatusServiceUnavailable; full != (i == 2) {
			t.Errorf("session %d: %d", i, res.StatusCode)
		}
	}
}

func TestWelcomeIsRationed(t *testing.T) {
	_, h := shop(t, func(c *origin.Config) { c.NoOpus, c.Welcome = true, origin.Welcome{Units: 77, PerAddress: 2} })
	for i := range 3 {
		code, units, status := h.voucher()
		if i < 2 && (status != 200 || units != 77 || !strings.HasPrefix(code, "77-")) || i == 2 && status != 429 {
			t.Errorf("welcome %d: %q, %d units, status %d", i, code, units, status)
		}
	}
	if res, _ := h.call("GET", "/welcome", nil); res.StatusCode != 405 {
		t.Errorf("GET: %d", res.StatusCode)
	}
	if res, _ := h.call("POST", "/welcome", []byte("x")); res.StatusCode != 400 {
		t.Errorf("with a body: %d", res.StatusCode)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.base+"/welcome", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 400 {
		t.Errorf("from a foreign web page: %d", res.StatusCode)
	}
	_, off := shop(t, func(c *origin.Config) { c.NoOpus, c.Welcome.Off = true, true })
	if _, _, status := off.voucher(); status != 404 {
		t.Errorf("switched off: %d", status)
	}
}

// TestAnyWebServerCanServeTheSegments puts a bare file server before the
// public folder and reads every segment from there, as an edge would hand
// them out.
func TestAnyWebServerCanServeTheSegments(t *testing.T) {
	o, h := shop(t, nil)
	edge := httptest.NewServer(http.FileServer(http.Dir(o.Public())))
	defer edge.Close()
	c, err := fetch.New(edge.URL, fetch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	it := h.item("One")
	grant := map[uint16]*sale.Grant{}
	for _, tier := range it.Tiers {
		head, records := h.records(it.ID, tier.Tier)
		for i, rec := range records {
			for _, r := range rec.Renditions {
				object, err := c.Get(t.Context(), resource.Resource{Kind: resource.Segment, ID: rec.Broadcast, Tier: rec.Tier, Epoch: rec.Number, Rendition: r.R})
				if err != nil {
					t.Fatal(err)
				}
				if err := sale.CheckObject(rec, r.R, object); err != nil {
					t.Error(err)
				}
				if i > 0 {
					continue
				}
				if grant[tier.Tier] == nil { // one opening a session and broadcast
					if grant[tier.Tier], err = newHub(t, o).Grant(t.Context(), records[:1]); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := sale.OpenEpoch(head, rec, r.R, object, grant[tier.Tier].Keys[0]); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestComposedAlbum starts without any music: all four pieces are listed with
// covers when the first can be bought.
func TestComposedAlbum(t *testing.T) {
	o := origintest.Start(t, origin.Config{NoOpus: true})
	ready(t, o.Ready)
	h := newHub(t, o)
	c, err := h.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"First Light": "FLAC 16 bit 44.1 kHz", "Copper Rain": "FLAC 24 bit 48 kHz", "Paper Boats": "FLAC 16 bit 48 kHz", "Night Tram": "FLAC 24 bit 48 kHz (from 96 kHz)"}
	if len(c.Items) != len(names) {
		t.Fatalf("%d items", len(c.Items))
	}
	for i, it := range c.Items {
		if it.Index != i+1 || it.Album == "" || it.Artist == "" || it.FreeEpochs != 1 || names[it.Title] != it.Tiers[0].Name || it.Tiers[0].PriceMsatS != 500 {
			t.Errorf("item %+v", it)
		}
		art, err := h.Blob(t.Context(), it.Art)
		if err != nil {
			t.Fatal(err)
		}
		if http.DetectContentType(art) != "image/png" || wire.ID(sha256.Sum256(art)) != it.Art {
			t.Errorf("%s: a cover of %s", it.Title, http.DetectContentType(art))
		}
	}
	first := c.Items[0]
	_, records := h.records(first.ID, 2)
	if _, err := h.Grant(t.Context(), records[:1]); err != nil {
		t.Error(err)
	}
}

func TestHostileTagsAndNamesStayData(t *testing.T) {
	music := t.TempDir()
	evil := "</script><script>alert(1)</script>\x00\x1b[2J\u202e\"'&"
	origintest.Music(t, music,
		origintest.Track{Name: "1.flac", Title: evil, Frames: 999, Seed: 1},
		origintest.Track{Name: "2.flac", Title: strings.Repeat("\"\\<", 5000), Frames: 999, Seed: 2},
		origintest.Track{Name: "3\n\xff$(reboot).wav", Frames: 999, Seed: 3})
	o := origintest.Start(t, origin.Config{Music: music, NoOpus: true})
	ready(t, o.Done)
	c, err := newHub(t, o).Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Items) != 3 {
		t.Fatalf("%d items", len(c.Items))
	}
	for _, it := range c.Items {
		if len([]rune(it.Title)) > 500 || strings.ContainsAny(it.Title, "\x00\x1b\n") || it.Title == "" {
			t.Errorf("title %q", it.Title)
		}
	}
	if got := c.Items[0].Title; !strings.Contains(got, "<script>alert(1)</script>") {
		t.Errorf("markup is text and stays: %q", got)
	}
}
