// Command sonahub is the appliance, and its command-line remote.
//
//	sonahub serve [--config FILE] [--origin sne://...] [flags]   run the hub
//	sonahub ctl COMMAND [--state DIR] [--json]                   command-line remote
//
// The hub keeps everything below its state folder: house.db (rooms, queue,
// paired phones), ledger.db (money), device.key (seals the purse; losing it
// loses the prepaid balance) and ctl.sock, by which ctl reaches it. The page
// is at http://HOST:8080; the terminal prints the one-time code that lets a
// phone act. SIGTERM drains in order, a second one ends at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"sonahub/hub/app"
	"sonahub/hub/cmd/console"
	"sonahub/hub/jack"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == jack.ChildArg {
		os.Exit(jack.Child(os.Stdin, os.Stdout, os.Args[2:]))
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sonahub:", err)
		os.Exit(1)
	}
}

const usage = `usage:
  sonahub serve [--config FILE] [--origin sne://...] [flags]
  sonahub ctl status|rooms|spent|play|pause|next|previous|volume|join|leave ... [--json]
"sonahub serve -h" and "sonahub ctl -h" say more.`

func run(args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "serve":
		return serve(args[1:])
	case "ctl":
		return ctl(context.Background(), args[1:], os.Stdout)
	}
	return errors.New(usage)
}

func serve(args []string) error {
	cfg := app.DefaultConfig()
	fs := flag.NewFlagSet("sonahub serve", flag.ContinueOnError)
	file := fs.String("config", "", "configuration file (TOML); flags win over it")
	show := fs.Bool("print-config", false, "print the configuration that would be used and end")
	verbose := fs.Bool("verbose", false, "log more")
	fs.StringVar(&cfg.Origin, "origin", cfg.Origin, "sne:// URL of the music platform")
	fs.BoolVar(&cfg.Plain, "plain", cfg.Plain, "speak http to the platform (own platform at home)")
	console.HubFlags(fs, &cfg)
	if err := parse(fs, args, file, &cfg); err != nil {
		return err
	}
	if *show {
		return cfg.Print(os.Stdout)
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	ctx, stop := console.Signals(context.Background())
	defer stop()
	url := ""
	hub, err := app.Open(ctx, cfg, app.Options{
		Log: app.NewLogger(os.Stderr, level),
		Code: func(code string) {
			if url != "" {
				fmt.Printf("new one-time code: %s\n", code)
			}
		},
	})
	if err != nil {
		return err
	}
	url = hub.URL()
	fmt.Printf("page: %s   one-time code for the first phone: %s\n", url, hub.Code())
	console.Narrate(ctx, os.Stdout, hub, 30*time.Second)
	fmt.Println("closing down; once more to end at once")
	return hub.Close(context.Background())
}

// parse reads flags, then the file they name, then the flags again, so that
// flags win.
func parse(fs *flag.FlagSet, args []string, file *string, cfg *app.Config) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if *file == "" {
		return nil
	}
	cfg.Rooms, cfg.Speakers = nil, nil
	if err := app.LoadConfig(*file, cfg); err != nil {
		return err
	}
	return fs.Parse(args)
}
