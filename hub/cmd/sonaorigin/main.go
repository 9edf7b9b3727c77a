// Sonaorigin is the reference platform: it encrypts a folder of music and
// sells it by the second, over the HTTP resources of SNE-SPEC section 9.
//
//	sonaorigin [--music DIR] [--listen ADDR] [--state DIR] [flags]
//
// Without --music it composes a small album. It prints one line with its URL
// (sne://host:port/root) on standard output and then logs to standard error.
// A hub is given that URL. The first track can be bought within seconds; the
// rest is taken in behind a progress line.
//
// The state folder holds keys, encrypted music, catalogue and account books;
// a second start with the same folder goes on where the first one stopped. The
// secret keys are sealed (sne/keychain) by a device key in the state folder, or
// in --device-keys. A passphrase (--passphrase-file), once given, seals them
// instead and is asked for at every start; so does a KMIP server (--kmip), which
// then holds one half of the key, so that this machine's disk alone is nothing.
// --station makes a live broadcast that never ends, and goes on over restarts.
// --revoke-creator and --revoke-keys publish a new Bundle that says so.
// One process at a time may use it. SIGTERM or SIGINT ends it in order; a
// second one ends it at once. Exit status: 0 ended by a signal, 1 failed,
// 2 wrong flags.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"

	"sonahub/hub/origin"
	"sonahub/hub/origin/ingest"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr, isatty.IsTerminal(os.Stderr.Fd()))
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "sonaorigin:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer, terminal bool) error {
	s, printConfig, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if printConfig {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	level := slog.LevelInfo
	if s.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	c := s.config(log)
	if c.Keys, err = s.seal(); err != nil {
		return err
	}
	o, err := origin.Open(ctx, c)
	clear(c.Keys.Passphrase.Text)
	if err != nil {
		return err
	}
	if err := s.carryOut(o); err != nil {
		return errors.Join(err, o.Close(ctx))
	}
	fmt.Fprintln(stdout, o.URL())
	watch(ctx, o, stderr, terminal)
	<-ctx.Done()
	stop() // a second signal ends the process at once
	closing, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return o.Close(closing)
}

// watch shows the progress until everything is taken in: on a terminal one
// line that changes in place, else a line for each tenth.
func watch(ctx context.Context, o *origin.Origin, w io.Writer, terminal bool) {
	progress, done := o.Watch()
	defer done()
	shown := -1
	for open := true; open; {
		var p ingest.Progress
		select {
		case <-ctx.Done():
			open = false
			continue
		case p, open = <-progress:
		}
		if !open {
			break
		}
		if terminal {
			fmt.Fprintf(w, "\r\033[K%s", p)
		} else if tenth := p.Percent / 10; tenth != shown {
			shown = tenth
			fmt.Fprintln(w, p)
		}
	}
	if terminal {
		fmt.Fprintln(w)
	}
	for _, s := range o.Progress().Skipped {
		fmt.Fprintf(w, "skipped %q: %s\n", s.Path, s.Reason)
	}
}
