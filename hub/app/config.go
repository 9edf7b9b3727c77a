package app

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(text) > maxConfig {
		err = fmt.Errorf("longer than %d bytes", maxConfig)
	}
	if err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	meta, err := toml.Decode(string(text), c)
	if err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		return fmt.Errorf("configuration %s: there is no setting %q (sonahub serve --print-config shows all)", path, extra[0].String())
	}
	return nil
}

// Print writes the configuration as the file that would give it.
func (c Config) Print(w io.Writer) error { return toml.NewEncoder(w).Encode(c) }

// Check says what is wrong with it, nil if nothing is.
func (c Config) Check() error {
	_, err := c.check()
	return err
}

// StateFolder is where the hub keeps everything, the default if none is set.
func (c Config) StateFolder() (string, error) {
	if c.State != "" {
		return c.State, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("state folder: %w (give one with --state)", err)
	}
	return filepath.Join(home, ".local", "share", "sonahub"), nil
}

// Bounds of what may be set.
const (
	maxVirtual  = 32
	maxSpeakers = 64
	maxCapSat   = 1e9
)

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
	if c.Origin == "" {
		return out, errors.New("origin: which platform? Give its URL with --origin sne://... (sonaorigin prints its own)")
	}
	var err error
	if out.origin, err = bundle.ParseURL(c.Origin); err != nil {
		return out, fmt.Errorf("origin %q: %w", c.Origin, err)
	}
	if ip := net.ParseIP(out.origin.Host); ip != nil && ip.IsLoopback() {
		out.Plain = true
	}
	if out.State, err = c.StateFolder(); err != nil {
		return out, err
	}
	if out.State, err = filepath.Abs(out.State); err != nil {
		return out, fmt.Errorf("state folder: %w", err)
	}
	if out.Name = presentable(c.Name, maxName); out.Name == "" {
		out.Name = "Sona Hub"
	}
	if out.Listen == "" {
		out.Listen = ":8080"
	}
	if _, _, err := net.SplitHostPort(out.Listen); err != nil {
		return out, fmt.Errorf("listen %q: want an address and a port, such as :8080 or 127.0.0.1:8080: %w", c.Listen, err)
	}
	if c.Virtual < -1 || c.Virtual > maxVirtual {
		return out, fmt.Errorf("virtual: %d rooms; want -1 (two if there is nothing else) to %d", c.Virtual, maxVirtual)
	}
	for _, r := range c.Rooms {
		r = strings.ToLower(strings.TrimSpace(r))
		out.all = out.all || r == "all"
		if r != "" {
			out.room[r] = true
		}
	}
	if out.speakers, err = parseSpeakers(c.Speakers); err != nil {
		return out, err
	}
	return out, out.setCaps()
}

// parseSpeakers reads "name=host:port"; the name may be left out.
func parseSpeakers(list []string) ([]manual, error) {
	if len(list) > maxSpeakers {
		return nil, fmt.Errorf("speakers: %d, at most %d", len(list), maxSpeakers)
	}
	var out []manual
	for _, s := range list {
		name, address, ok := strings.Cut(s, "=")
		if !ok {
			name, address = s, s
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("speaker %q: want name=host:port: %w", s, err)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
			return nil, fmt.Errorf("speaker %q: want name=host:port, the port from 1 to 65535", s)
		}
		out = append(out, manual{strings.TrimSpace(name), address})
	}
	return out, nil
}

func (c *checked) setCaps() error {
	for _, x := range []struct {
		name string
		sat  int64
		cap  *wallet.Msat
	}{{"hour_cap_sat", c.HourCapSat, &c.caps.Hour}, {"day_cap_sat", c.DayCapSat, &c.caps.Day}, {"room_cap_sat", c.RoomCapSat, &c.caps.Room}} {
		if x.sat < 0 || x.sat > maxCapSat {
			return fmt.Errorf("%s: %d; a cap must lie between 0 (the default) and %d sat", x.name, x.sat, int64(maxCapSat))
		}
		if x.sat > 0 {
			*x.cap = wallet.Msat(x.sat * 1000)
		}
	}
	return nil
}
