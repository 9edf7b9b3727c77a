// Command sonademo is what `make run` starts: the reference platform and a
// hub in one process, yet with nothing between them but the protocol. The
// platform takes in a folder of music, or the small album that it composes
// itself, encrypts it and sells it on loopback; the hub pays for it from a
// welcome gift, decrypts it and plays it.
//
//	sonademo [--music FOLDER] [--rooms all] [hub flags]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sonahub/hub/app"
	"sonahub/hub/cmd/console"
	"sonahub/hub/jack"
	"sonahub/hub/origin"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == jack.ChildArg {
		os.Exit(jack.Child(os.Stdin, os.Stdout, os.Args[2:]))
	}
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sonademo:", err)
		os.Exit(1)
	}
}

const about = `usage: sonademo [--music FOLDER] [--rooms all] [flags]
runs the reference platform and a hub until SIGTERM or SIGINT; a second one ends both at once`

// settings is what the flags say.
type settings struct {
	hub             app.Config
	music, platform string
	verbose         bool
}

func parse(args []string, stdout io.Writer) (settings, error) {
	s := settings{hub: app.DefaultConfig()}
	s.hub.Play = true // who starts a demo wants to hear it
	flags := flag.NewFlagSet("sonademo", flag.ContinueOnError)
	flags.StringVar(&s.music, "music", "", "folder of music (FLAC, WAV, MP3, Ogg Vorbis); none = a small album of the platform's own")
	flags.StringVar(&s.platform, "platform-listen", "127.0.0.1:7625", "address of the platform; its URL holds the port, so keep it from start to start")
	flags.BoolVar(&s.verbose, "verbose", false, "log more")
	console.HubFlags(flags, &s.hub)
	if err := console.Parse(flags, args, about, stdout); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q (sonademo -h lists the flags)", flags.Arg(0))
	}
	if s.hub.State == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return s, fmt.Errorf("state folder: %w (give one with --state)", err)
		}
		s.hub.State = filepath.Join(cache, "sonahub-demo")
	}
	return s, nil
}

func run(args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stdout)
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	if s.verbose {
		level = slog.LevelDebug
	}
	log := app.NewLogger(stderr, level)
	ctx, stop := console.Signals(context.Background())
	defer stop()

	state := s.hub.State
	platform, err := origin.Open(ctx, origin.Config{
		State: filepath.Join(state, "platform"), Music: s.music, Listen: s.platform, Logger: log,
	})
	if err != nil {
		return platformFault(s, err)
	}
	music := s.music
	if music == "" {
		music = "a small album that the platform composes itself; the first time that takes half a minute"
	}
	fmt.Fprintf(stdout, "music: %s\nplatform: %s\n", music, platform.URL())
	told := make(chan struct{})
	go func() { defer close(told); tellIngest(stdout, platform) }()

	s.hub.Origin, s.hub.State = platform.URL(), filepath.Join(state, "hub")
	err = console.Run(ctx, stdout, s.hub, log)
	err = errors.Join(err, console.Close("platform", platform.Close))
	<-told
	return err
}

// platformFault says what to do when the platform does not start.
func platformFault(s settings, err error) error {
	next := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		next = ". Something else uses that port, perhaps another sonademo; choose another one with --platform-listen 127.0.0.1:PORT"
	case errors.Is(err, fs.ErrNotExist) && s.music != "":
		next = ". Give a folder that is there with --music"
	case strings.Contains(err.Error(), "another process"):
		next = ". Is another sonademo running? End it, or give this one a folder of its own with --state"
	}
	return fmt.Errorf("platform: %w%s", err, next)
}

// tellIngest says how the platform gets on with the music, in quarters, and
// what it skipped, until it is closed.
func tellIngest(out io.Writer, p *origin.Origin) {
	news, stop := p.Watch()
	defer stop()
	last, skipped := "", 0
	for x := range news {
		for _, s := range x.Skipped[min(skipped, len(x.Skipped)):] {
			fmt.Fprintf(out, "skipped: %s: %s\n", s.Path, s.Reason)
		}
		skipped = len(x.Skipped)
		if step := fmt.Sprint(x.Phase, x.Percent/25); x.Total > 0 && step != last {
			fmt.Fprintf(out, "platform: %s %s\n", bar(x.Percent), x)
			last = step
		}
	}
}

// bar draws a progress bar of twenty places.
func bar(percent int) string {
	out := make([]rune, 20)
	for i := range out {
		out[i] = '░'
		if i*5 < percent {
			out[i] = '█'
		}
	}
	return string(out)
}
