// Command sonahub is the appliance, and its command-line remote.
//
//	sonahub serve [--config FILE] [--origin sne://...] [flags]   run the hub
//	sonahub ctl COMMAND [--state DIR] [--json]                   command-line remote
//
// The hub keeps everything below its state folder: house.db (rooms, queue,
// paired phones), ledger.db (money), device.key (seals the purse; losing it
// loses the prepaid balance), exhibits (proofs of fraud, if there are any) and
// ctl.sock, by which ctl reaches it. The page is at http://HOST:8080; the
// terminal prints the one-time code that lets a phone act. SIGTERM drains in
// order, a second one ends at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"sonahub/hub/app"
	"sonahub/hub/cmd/console"
	"sonahub/hub/jack"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == jack.ChildArg {
		os.Exit(jack.Child(os.Stdin, os.Stdout, os.Args[2:]))
	}
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sonahub:", err)
		os.Exit(1)
	}
}

const usage = `usage:
  sonahub serve [--config FILE] [--origin sne://...] [flags]
  sonahub ctl status|rooms|spent|play|pause|next|previous|seek|volume|join|leave ... [--json]
  sonahub ctl verify-exhibit FILE --accused KEYID
"sonahub serve -h" and "sonahub ctl -h" say more.`

func run(args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "serve":
		return serve(args[1:], stdout, stderr)
	case "ctl":
		return ctl(context.Background(), args[1:], stdout)
	case "-h", "--help", "help":
		fmt.Fprintln(stdout, usage)
		return nil
	}
	return fmt.Errorf("there is no command %q\n%s", args[0], usage)
}

// settings is what file and flags say.
type settings struct {
	hub           app.Config
	file          string
	show, verbose bool
}

func (s *settings) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("sonahub serve", flag.ContinueOnError)
	fs.StringVar(&s.file, "config", "", "configuration file (TOML); flags win over it")
	fs.BoolVar(&s.show, "print-config", false, "print the configuration that would be used, as a file, and end")
	fs.BoolVar(&s.verbose, "verbose", false, "log more")
	fs.StringVar(&s.hub.Origin, "origin", s.hub.Origin, "sne:// URL of the music platform")
	fs.BoolVar(&s.hub.Plain, "plain", s.hub.Plain, "speak http to the platform (own platform at home)")
	console.HubFlags(fs, &s.hub)
	return fs
}

// parse reads the flags to find the file, then the file over the defaults,
// then the flags over the file.
func parse(args []string, stdout io.Writer) (settings, error) {
	const about = "usage: sonahub serve [--config FILE] [--origin sne://...] [flags]\nruns the hub until SIGTERM or SIGINT; a second one ends it at once"
	first := settings{hub: app.DefaultConfig()}
	fs := first.flags()
	if err := console.Parse(fs, args, about, stdout); err != nil {
		return first, err
	}
	if fs.NArg() > 0 {
		return first, fmt.Errorf("unexpected argument %q (sonahub serve -h lists the flags)", fs.Arg(0))
	}
	if first.file == "" {
		return first, nil
	}
	s := settings{hub: app.DefaultConfig()}
	if err := app.LoadConfig(first.file, &s.hub); err != nil {
		return s, err
	}
	return s, console.Parse(s.flags(), args, about, stdout)
}

func serve(args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stdout)
	if err != nil {
		return err
	}
	if s.show {
		if s.hub.State, err = s.hub.StateFolder(); err != nil {
			return err
		}
		if s.hub.Origin != "" { // without one it is a file to begin with
			if err := s.hub.Check(); err != nil {
				return err
			}
		}
		return s.hub.Print(stdout)
	}
	level := slog.LevelWarn
	if s.verbose {
		level = slog.LevelDebug
	}
	ctx, stop := console.Signals(context.Background())
	defer stop()
	return console.Run(ctx, stdout, s.hub, app.NewLogger(stderr, level))
}
