package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"sonahub/hub/origin"
	"sonahub/wallet"
)

var errUsage = errors.New("wrong flags")

// settings is what the flags say. Amounts are msat per second.
type settings struct {
	Music, State, Listen, Host, Cert, Key string
	Lossless, Opus                        int64
	FreeEpochs                            int
	Welcome                               uint
	WelcomePerAddress, WelcomePerDay      int
	Workers                               int
	Verbose                               bool
}

func parse(args []string, stderr io.Writer) (s settings, printConfig bool, err error) {
	f := flag.NewFlagSet("sonaorigin", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.Music, "music", "", "folder of FLAC, WAV, MP3 and Ogg Vorbis files (default: an album that it composes)")
	f.StringVar(&s.State, "state", defaultState(), "folder for keys, encrypted music and books")
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

func (s settings) config(log *slog.Logger) origin.Config {
	free := s.FreeEpochs
	if free <= 0 {
		free = -1
	}
	return origin.Config{
		State: s.State, Music: s.Music, Listen: s.Listen, Host: s.Host, CertFile: s.Cert, KeyFile: s.Key,
		Lossless: wallet.Msat(s.Lossless), Opus: wallet.Msat(s.Opus), FreeEpochs: free, Workers: s.Workers, Logger: log,
		Welcome: origin.Welcome{Off: s.Welcome == 0, Units: uint32(s.Welcome), PerAddress: s.WelcomePerAddress, PerDay: s.WelcomePerDay},
	}
}
