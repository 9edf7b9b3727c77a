package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"sonahub/hub/origin"
	"sonahub/hub/origin/keyring"
	"sonahub/sne/keychain/kmip"
	"sonahub/wallet"
)

var errUsage = errors.New("wrong flags")

// settings is what the flags say. Amounts are msat per second.
type settings struct {
	Music, State, Listen, Host, Cert, Key  string
	DeviceKeys, PassphraseFile             string
	KMIP, KMIPAuthority, KMIPCert, KMIPKey string
	Lossless, Opus                         int64
	FreeEpochs                             int
	Welcome                                uint
	WelcomePerAddress, WelcomePerDay       int
	Workers                                int
	Verbose                                bool
	broadcast
	revocation
}

func parse(args []string, stderr io.Writer) (s settings, printConfig bool, err error) {
	f := flag.NewFlagSet("sonaorigin", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.Music, "music", "", "folder of FLAC, WAV, MP3 and Ogg Vorbis files (default: an album that it composes)")
	f.StringVar(&s.State, "state", defaultState(), "folder for keys, encrypted music and books")
	f.StringVar(&s.DeviceKeys, "device-keys", "", "folder of the key that seals the secret keys (default: device in the state folder)")
	f.StringVar(&s.PassphraseFile, "passphrase-file", "", "file whose first line seals the secret keys instead; so does the variable "+passphraseVar)
	f.StringVar(&s.KMIP, "kmip", "", "host:port of a KMIP 1.4 server that holds the other half of the key that seals")
	f.StringVar(&s.KMIPAuthority, "kmip-authority", "", "certificate file of the authority that signed that server's")
	f.StringVar(&s.KMIPCert, "kmip-cert", "", "certificate file that this platform shows to it")
	f.StringVar(&s.KMIPKey, "kmip-key", "", "key file of that certificate")
	f.StringVar(&s.Listen, "listen", "127.0.0.1:7680", "address to serve on")
	f.StringVar(&s.Host, "host", "", "host name in the URL (default: the address)")
	f.StringVar(&s.Cert, "cert", "", "TLS certificate file (default: plain HTTP, for loopback and private addresses)")
	f.StringVar(&s.Key, "key", "", "TLS key file")
	f.Int64Var(&s.Lossless, "lossless-price", 500, "price of lossless sound in msat per second")
	f.Int64Var(&s.Opus, "opus-price", 300, "price of Opus sound in msat per second")
	f.IntVar(&s.FreeEpochs, "free-epochs", 1, "leading 2 s epochs of each track that cost nothing")
	f.UintVar(&s.Welcome, "welcome", 20000, "units of 100 msat that a new hub gets; 0 = none")
	f.IntVar(&s.WelcomePerAddress, "welcome-per-address", 3, "welcome vouchers per address and day")
	f.IntVar(&s.WelcomePerDay, "welcome-per-day", 100, "welcome vouchers per day in all")
	f.IntVar(&s.Workers, "workers", 0, "encoders side by side (default: processors - 1)")
	s.broadcast.flags(f)
	s.revocation.flags(f)
	f.BoolVar(&s.Verbose, "verbose", false, "log more")
	f.BoolVar(&printConfig, "print-config", false, "print the settings as JSON and end")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return s, false, err
		}
		return s, false, errUsage
	}
	if f.NArg() > 0 {
		fmt.Fprintf(stderr, "sonaorigin: unknown argument %q\n", f.Arg(0))
		return s, false, errUsage
	}
	return s, printConfig, nil
}

// defaultState is below the user's own folder, or the working folder if the
// user has none.
func defaultState() string {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "sonaorigin-state"
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "sonaorigin")
}

// passphraseVar may hold the passphrase. It is taken out of the environment, so
// that no child gets it; the kernel still shows it to the owner.
const passphraseVar = "SONAORIGIN_PASSPHRASE"

const maxPassphrase = 1024 // bytes

// seal reads the passphrase, if there is one, and prepares the remote server.
// The caller clears the passphrase's Text.
func (s settings) seal() (keyring.Seal, error) {
	seal := keyring.Seal{DeviceDir: s.DeviceKeys}
	if s.KMIP != "" {
		c, err := kmip.LoadTLS(s.KMIPAuthority, s.KMIPCert, s.KMIPKey)
		if err != nil {
			return seal, err
		}
		seal.Vault = &kmip.Vault{Address: s.KMIP, TLS: c, Label: "sonaorigin"}
	}
	if text, ok := os.LookupEnv(passphraseVar); ok {
		seal.Passphrase.Text = []byte(text)
		if err := os.Unsetenv(passphraseVar); err != nil {
			return seal, err
		}
	}
	if s.PassphraseFile == "" {
		return seal, nil
	}
	f, err := os.Open(s.PassphraseFile)
	if err != nil {
		return seal, err
	}
	defer func() { _ = f.Close() }() // read only
	data, err := io.ReadAll(io.LimitReader(f, maxPassphrase+1))
	if err != nil {
		return seal, err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if seal.Passphrase.Text = bytes.TrimSuffix(line, []byte("\r")); len(data) > maxPassphrase || len(line) == 0 {
		return seal, fmt.Errorf("%s: its first line must be 1 to %d bytes long", s.PassphraseFile, maxPassphrase)
	}
	return seal, nil
}

func (s settings) config(log *slog.Logger) origin.Config {
	free := s.FreeEpochs
	if free <= 0 {
		free = -1
	}
	return origin.Config{
		State: s.State, Music: s.Music, Listen: s.Listen, Host: s.Host, CertFile: s.Cert, KeyFile: s.Key,
		Lossless: wallet.Msat(s.Lossless), Opus: wallet.Msat(s.Opus), FreeEpochs: free, Stations: s.plans(), Workers: s.Workers, Logger: log,
		Welcome: origin.Welcome{Off: s.Welcome == 0, Units: uint32(s.Welcome), PerAddress: s.WelcomePerAddress, PerDay: s.WelcomePerDay},
	}
}
