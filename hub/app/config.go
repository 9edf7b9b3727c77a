package app

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"sonahub/sne/bundle"
	"sonahub/wallet"
)

// Config is everything that an owner may set, in a file or by flags. The zero
// value of each field is what its comment says.
type Config struct {
	Name   string `toml:"name"`   // of the house, for people; "" = "Sona Hub"
	State  string `toml:"state"`  // folder for everything the hub keeps; "" = ~/.local/share/sonahub
	Origin string `toml:"origin"` // sne:// URL of the platform; required
	Plain  bool   `toml:"plain"`  // http instead of https to the platform: only for loopback or a private address typed in here
	Listen string `toml:"listen"` // address of the page; "" = ":8080"

	Rooms   []string `toml:"rooms"`   // rooms that get the music when first seen; "all" = every one; empty = the jack, or the first virtual room
	Play    bool     `toml:"play"`    // start playing by itself
	Jack    bool     `toml:"jack"`    // this machine's sound card is a room
	Virtual int      `toml:"virtual"` // virtual rooms; -1 = two if there is no speaker and no sound card
	Record  bool     `toml:"record"`  // virtual rooms write WAV files below the state folder

	Discover bool     `toml:"discover"` // look for AirPlay speakers by mDNS
	Speakers []string `toml:"speakers"` // AirPlay speakers by address, "name=host:port"

	HourCapSat int64 `toml:"hour_cap_sat"` // whole house, rolling hour; 0 = the ledger's default
	DayCapSat  int64 `toml:"day_cap_sat"`  // whole house, calendar day; 0 = the ledger's default
	RoomCapSat int64 `toml:"room_cap_sat"` // one room, calendar day; 0 = the ledger's default
	Welcome    bool  `toml:"welcome"`      // take the platform's welcome gift on the first start
}

// DefaultConfig is what a hub does that nobody configured.
func DefaultConfig() Config {
	return Config{Name: "Sona Hub", Listen: ":8080", Jack: true, Virtual: -1, Discover: true, Welcome: true}
}

// maxConfig bounds a configuration file.
const maxConfig = 64 << 10

// LoadConfig reads a TOML file over c. An unknown key is an error: it is more
// often a slip of the pen than a wish for the future.
func LoadConfig(path string, c *Config) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	meta, err := toml.NewDecoder(io.LimitReader(f, maxConfig)).Decode(c)
	if err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		return fmt.Errorf("configuration %s: there is no setting %q", path, extra[0].String())
	}
	return nil
}

// Print writes the configuration as the file that would give it.
func (c Config) Print(w io.Writer) error { return toml.NewEncoder(w).Encode(c) }

// checked is a Config made of typed values.
type checked struct {
	Config
	origin   bundle.URL
	caps     wallet.Caps
	speakers []manual
	room     map[string]bool // rooms that get the music when first seen, lower case
	all      bool
}

type manual struct{ name, address string }

// check validates once; nobody else asks.
func (c Config) check() (checked, error) {
	out := checked{Config: c, room: map[string]bool{}, caps: wallet.DefaultCaps()}
	var err error
	if out.origin, err = bundle.ParseURL(c.Origin); err != nil {
		return out, fmt.Errorf("origin %q: %w", c.Origin, err)
	}
	if ip := net.ParseIP(out.origin.Host); ip != nil && ip.IsLoopback() {
		out.Plain = true
	}
	if out.State == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return out, fmt.Errorf("state folder: %w", err)
		}
		out.State = filepath.Join(home, ".local", "share", "sonahub")
	}
	if out.Name == "" {
		out.Name = "Sona Hub"
	}
	if out.Listen == "" {
		out.Listen = ":8080"
	}
	for _, r := range c.Rooms {
		r = strings.ToLower(strings.TrimSpace(r))
		out.all = out.all || r == "all"
		if r != "" {
			out.room[r] = true
		}
	}
	for _, s := range c.Speakers {
		name, address, ok := strings.Cut(s, "=")
		if !ok {
			name, address = s, s
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			return out, fmt.Errorf("speaker %q: want name=host:port: %w", s, err)
		}
		out.speakers = append(out.speakers, manual{name, address})
	}
	for _, x := range []struct {
		sat int64
		cap *wallet.Msat
	}{{c.HourCapSat, &out.caps.Hour}, {c.DayCapSat, &out.caps.Day}, {c.RoomCapSat, &out.caps.Room}} {
		if x.sat < 0 || x.sat > 1e9 {
			return out, errors.New("a cap must lie between 0 and 1000000000 sat")
		}
		if x.sat > 0 {
			*x.cap = wallet.Msat(x.sat * 1000)
		}
	}
	return out, nil
}

// wait is a timer that ends with its context; it reports whether time passed.
func wait(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}
