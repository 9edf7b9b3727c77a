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
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"sonahub/hub/app"
	"sonahub/hub/cmd/console"
	"sonahub/hub/jack"
	"sonahub/hub/origin"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == jack.ChildArg {
		os.Exit(jack.Child(os.Stdin, os.Stdout, os.Args[2:]))
	}
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sonademo:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	cfg := app.DefaultConfig()
	cfg.Play = true
	fs := flag.NewFlagSet("sonademo", flag.ContinueOnError)
	music := fs.String("music", "", "folder of music (FLAC, WAV, MP3, Ogg Vorbis); none = a small album of the platform's own")
	verbose := fs.Bool("verbose", false, "log more")
	console.HubFlags(fs, &cfg)
	if err := fs.Parse(args); err != nil {
		return err
	}
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelDebug
	}
	if cfg.State == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		cfg.State = filepath.Join(cache, "sonahub-demo")
	}
	log := app.NewLogger(os.Stderr, level)
	ctx, stop := console.Signals(context.Background())
	defer stop()

	platform, err := origin.Open(ctx, origin.Config{
		State: filepath.Join(cfg.State, "platform"), Music: *music, Listen: "127.0.0.1:7625", Logger: log,
	})
	if err != nil {
		return fmt.Errorf("platform: %w", err)
	}
	defer closeSoon("platform", platform.Close)
	fmt.Printf("platform: %s\n", platform.URL())
	narrated := make(chan struct{})
	go func() { defer close(narrated); ingest(platform) }()

	cfg.Origin = platform.URL()
	cfg.State = filepath.Join(cfg.State, "hub")
	url := ""
	hub, err := app.Open(ctx, cfg, app.Options{Log: log, Code: func(code string) {
		if url != "" {
			fmt.Printf("new one-time code: %s\n", code)
		}
	}})
	if err != nil {
		return errors.Join(err, closeSoon("platform", platform.Close))
	}
	url = hub.URL()
	fmt.Printf("page:     %s/?code=%s   (lets this browser act; without the code it may only look)\n", url, hub.Code())
	console.Narrate(ctx, os.Stdout, hub, 10*time.Second)
	fmt.Println("closing down; once more to end at once")
	err = errors.Join(closeSoon("hub", hub.Close), closeSoon("platform", platform.Close))
	<-narrated
	return err
}

// closeSoon closes a part within a bounded time.
func closeSoon(name string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	if err := f(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// ingest tells how the platform gets on with the music, until it is closed.
func ingest(p *origin.Origin) {
	news, stop := p.Watch()
	defer stop()
	last, skipped := "", 0
	for x := range news {
		for _, s := range x.Skipped[min(skipped, len(x.Skipped)):] {
			fmt.Printf("skipped:  %s: %s\n", s.Path, s.Reason)
		}
		skipped = len(x.Skipped)
		step := fmt.Sprint(x.Phase, x.Done, x.Percent/10)
		if x.Total > 0 && step != last {
			fmt.Println("platform: " + bar(x.Percent) + " " + x.String())
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
