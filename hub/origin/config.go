package origin

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"sonahub/hub/origin/books"
	"sonahub/hub/origin/ingest"
	"sonahub/hub/origin/keyring"
	"sonahub/hub/origin/live"
	"sonahub/hub/origin/publish"
	"sonahub/wallet"
)

// Config is all there is to set. Zero values take the defaults.
type Config struct {
	State string       // folder for everything that must be kept, made with mode 0700; required
	Keys  keyring.Seal // what locks the secret keys; zero = a device key in State/device
	Music string       // folder of music; "" = the small album that it composes itself, in State/album

	Listener          net.Listener // where to serve; nil = Listen is opened
	Listen            string       // address; "" = "127.0.0.1:0"
	Host              string       // host in the Bundle and the URL; "" = the listener's address
	CertFile, KeyFile string       // TLS; "" = plain HTTP, for loopback and private addresses

	Lossless, Opus wallet.Msat // price per second; 0 = 500 and 300
	FreeEpochs     int         // leading epochs of each broadcast given away; 0 = 1, negative = none
	Welcome        Welcome
	Till           Till // takes Lightning payments; nil = nothing is offered for them
	Stations       []live.Plan
	Edges          []string // URLs of edges, at most 8, told to each session

	Workers int  // encoders side by side; 0 = GOMAXPROCS-1, at least 1
	NoOpus  bool // lossless tier only
	Ingest  ingest.Limits
	Limits  Limits

	Logger *slog.Logger                    // nil = discard
	Clock  func() time.Time                // wall clock; nil = time.Now
	Wrap   func(http.Handler) http.Handler // put around the handler, for tests that inject faults; nil = nothing
}

// Welcome is what a new hub gets for nothing.
type Welcome struct {
	Off        bool   // nothing is given
	Units      uint32 // of 100 msat; 0 = 20,000 (2,000 sat, more than an hour of lossless)
	PerAddress int    // vouchers per address and day; 0 = 3
	PerDay     int    // vouchers per day over all addresses; 0 = 100
}

func (w Welcome) quota() books.Quota { return books.Quota{PerAddress: w.PerAddress, PerDay: w.PerDay} }

// Limits are what strangers may take up.
type Limits struct {
	Handshakes  float64       // per second and address; 0 = 5
	Burst       int           // handshakes at once; 0 = 20
	Sessions    int           // at a time; 0 = 10,000
	Connections int           // at a time; 0 = 512
	Addresses   int           // remembered by the rate limit; 0 = 10,000
	Offers      float64       // by Lightning, per second and address; a fifth of it per session; 0 = 5
	Header      time.Duration // for reading a request's header; 0 = 5 s
	Body        time.Duration // for reading a request's body; 0 = 15 s
	Idle        time.Duration // of a connection; 0 = 2 min
}

const maxEdges = 8

// withDefaults checks the configuration and fills it in.
func (c Config) withDefaults() (Config, error) {
	if c.State == "" {
		return c, errors.New("origin: a state folder is required")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return c, errors.New("origin: TLS needs both a certificate and a key file")
	}
	if len(c.Edges) > maxEdges {
		return c, fmt.Errorf("origin: %d edges, at most %d are possible", len(c.Edges), maxEdges)
	}
	if c.Lossless < 0 || c.Opus < 0 {
		return c, errors.New("origin: a price below zero")
	}
	var err error
	if c.State, err = filepath.Abs(c.State); err != nil {
		return c, fmt.Errorf("origin: %w", err)
	}
	orDefault(&c.Keys.DeviceDir, filepath.Join(c.State, "device"))
	orDefault(&c.Listen, "127.0.0.1:0")
	orDefault(&c.Lossless, 500)
	orDefault(&c.Opus, 300)
	orDefault(&c.FreeEpochs, 1)
	c.FreeEpochs = max(0, c.FreeEpochs)
	orDefault(&c.Welcome.Units, 20000)
	orDefault(&c.Welcome.PerAddress, 3)
	orDefault(&c.Welcome.PerDay, 100)
	orDefault(&c.Limits.Handshakes, 5)
	orDefault(&c.Limits.Burst, 20)
	orDefault(&c.Limits.Connections, 512)
	orDefault(&c.Limits.Addresses, 10000)
	orDefault(&c.Limits.Offers, 5)
	orDefault(&c.Limits.Header, 5*time.Second)
	orDefault(&c.Limits.Body, 15*time.Second)
	orDefault(&c.Limits.Idle, 2*time.Minute)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c, nil
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c Config) terms() publish.Terms {
	return publish.Terms{Lossless: c.Lossless, Opus: c.Opus, FreeEpochs: c.FreeEpochs}
}

func (c Config) folder() publish.Folder {
	return publish.Folder{Public: filepath.Join(c.State, "publish"), Work: filepath.Join(c.State, "work")}
}
