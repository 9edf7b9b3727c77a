package discover

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grandcat/zeroconf"
)

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// network is a Search whose answers a test sets.
type network struct {
	mu      sync.Mutex
	answers []Record
	err     error
	sweeps  int
}

func (n *network) set(err error, answers ...Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err, n.answers = err, answers
}

func (n *network) get() ([]Record, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.answers, n.err
}

// at is the one record of most tests.
func at(addr string) Record {
	return Record{Service: "_a._tcp", Instance: "x", Addrs: addrs(addr), Port: 1}
}

func (n *network) search(ctx context.Context, service string, _ []net.Interface, found func(Record)) error {
	n.sweeps++
	answers, _ := n.get()
	for _, r := range answers {
		if r.Service == service {
			found(r)
		}
	}
	<-ctx.Done()
	_, err := n.get()
	return err
}

func somewhere() ([]net.Interface, error) { return []net.Interface{{Name: "test0"}}, nil }

// watch runs a browser in a bubble and returns its events as text.
func watch(t *testing.T, n *network, script func(b *Browser, events func() []string)) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		b := &Browser{Services: []string{"_a._tcp"}, Interfaces: somewhere, Search: n.search, Missed: 2,
			Notify: func(e Event) {
				got = append(got, e.Change.String()+" "+e.Record.Instance+" "+e.Record.Addrs[0].String())
			}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		script(b, func() []string { synctest.Wait(); out := got; got = nil; return out })
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAddedChangedGone(t *testing.T) {
	n := &network{answers: []Record{at("10.0.0.1")}}
	watch(t, n, func(b *Browser, events func() []string) {
		<-time.After(4 * time.Second) // from now on a sweep ends a second before each look
		want(t, events(), "added x 10.0.0.1")
		<-time.After(time.Minute + 3*time.Second)
		want(t, events())
		n.set(nil, at("10.0.0.2"))
		<-time.After(time.Minute + 3*time.Second)
		want(t, events(), "changed x 10.0.0.2")
		n.set(nil)
		<-time.After(time.Minute + 3*time.Second)
		want(t, events())
		if len(b.Records()) != 1 {
			t.Error("one missed answer is not gone")
		}
		<-time.After(time.Minute + 3*time.Second)
		want(t, events(), "gone x 10.0.0.2")
		if len(b.Records()) != 0 {
			t.Error("who is gone is still known")
		}
	})
}

func TestAFailedSearchSaysNothing(t *testing.T) {
	n := &network{answers: []Record{at("10.0.0.1")}}
	watch(t, n, func(b *Browser, events func() []string) {
		<-time.After(time.Second)
		want(t, events(), "added x 10.0.0.1")
		n.set(errors.New("no network"))
		<-time.After(10 * time.Minute)
		want(t, events())
	})
}

func TestSweepOnDemand(t *testing.T) {
	n := &network{}
	watch(t, n, func(b *Browser, events func() []string) {
		<-time.After(4 * time.Second)
		events()
		n.set(nil, at("10.0.0.1"))
		b.Sweep()
		<-time.After(time.Second)
		want(t, events(), "added x 10.0.0.1")
	})
}

func TestOffSearchesNothing(t *testing.T) {
	n := &network{}
	synctest.Test(t, func(t *testing.T) {
		b := &Browser{Off: true, Search: n.search, Interfaces: somewhere}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		_ = b.Run(ctx)
	})
	if n.sweeps != 0 {
		t.Errorf("%d searches although it is off", n.sweeps)
	}
}

func TestManualAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan Event, 10)
	b := &Browser{Off: true, Manual: []Manual{{"_raop._tcp", l.Addr().String()}, {"_raop._tcp", "no address"}},
		Every: time.Millisecond, Listen: time.Second, Missed: 1, Notify: func(e Event) { events <- e }}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	e := <-events
	if r := e.Record; e.Change != Added || !r.Manual || r.Instance != l.Addr().String() || r.Addrs[0] != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("got %+v", e)
	}
	_ = l.Close()
	if e = <-events; e.Change != Gone {
		t.Errorf("got %+v, want gone", e)
	}
	cancel()
	<-done
}

func TestManyRecordsAreBounded(t *testing.T) {
	var b book
	b.begin()
	for i := range 2 * maxRecords {
		b.see(Record{Instance: strings.Repeat("x", i), Addrs: addrs("10.0.0.1")})
	}
	if n := len(b.records()); n != maxRecords {
		t.Errorf("%d records are remembered, want %d", n, maxRecords)
	}
}

func TestAddressesOfOneSweepDoNotHideOthers(t *testing.T) {
	var b book
	b.begin()
	b.see(Record{Instance: "x", Addrs: addrs("10.0.0.1", "2001:db8::1")})
	b.begin()
	if e, changed := b.see(Record{Instance: "x", Addrs: addrs("10.0.0.1")}); changed {
		t.Errorf("half an answer changed the record to %v", e.Record.Addrs)
	}
}

func TestRecordOf(t *testing.T) {
	e := zeroconf.NewServiceEntry(`AABBCCDDEEFF@Wohn\ zimmer\ \195\164`+"\x00", "_raop._tcp", "local")
	e.HostName, e.Port = `room\ 1.local.`, 5000
	e.Text = []string{"ET=0,1", "et=9", "am=Speaker\x1b[31m", "flag", "=empty", `q=a\"b`}
	e.AddrIPv4 = []net.IP{net.IPv4(10, 0, 0, 7), net.IPv4zero}
	e.AddrIPv6 = []net.IP{net.ParseIP("fe80::1"), net.ParseIP("2001:db8::7")}
	r, ok := recordOf("_raop._tcp", e)
	if !ok || r.Instance != "AABBCCDDEEFF@Wohn zimmer ä" || r.Host != "room 1.local" {
		t.Errorf("got %v %+v", ok, r)
	}
	if !slices.Equal(r.Addrs, addrs("10.0.0.7", "2001:db8::7")) {
		t.Errorf("addresses %v", r.Addrs)
	}
	if wantTXT := map[string]string{"et": "0,1", "am": "Speaker[31m", "flag": "", "q": `a"b`}; !maps.Equal(r.TXT, wantTXT) {
		t.Errorf("TXT %q", r.TXT)
	}
	e.Port = 0
	if _, ok := recordOf("_raop._tcp", e); ok {
		t.Error("a record without a port was taken")
	}
}

func FuzzText(f *testing.F) {
	f.Add(`a\032b\`, "k=v")
	f.Add(`\300\1`, "=\\")
	f.Fuzz(func(t *testing.T, name, text string) {
		if got := clean(unescape(name), maxInstance); len(got) > maxInstance || strings.ContainsAny(got, "\x00\n\x1b") {
			t.Errorf("%q became %q", name, got)
		}
		for k, v := range pairs([]string{text, name}) {
			if k == "" || len(k) > maxKey || len(v) > maxValue {
				t.Errorf("pair %q=%q", k, v)
			}
		}
	})
}
