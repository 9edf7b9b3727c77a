package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"sonahub/hub/app"
)

// spentEvery is how often the terminal speaks of money alone.
const spentEvery = time.Minute

// Run opens a hub, says where its page is, tells what changes, and closes the
// hub in order once ctx has ended. A hub that is told to end while it starts
// is no error.
func Run(ctx context.Context, out io.Writer, cfg app.Config, log *slog.Logger) error {
	codes := make(chan string, 8)
	hub, err := app.Open(ctx, cfg, app.Options{Log: log, Code: func(code string) {
		select {
		case codes <- code:
		default: // far more phones at once than a house has
		}
	}})
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	url := hub.URL()
	page(out, url, <-codes)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for {
			select {
			case code := <-codes:
				page(out, url, code)
			case <-ctx.Done():
				return
			}
		}
	}()
	Narrate(ctx, out, hub, spentEvery)
	<-told
	fmt.Fprintln(out, "closing down; once more to end at once") //nolint:errcheck // the terminal
	return Close("hub", hub.Close)
}

// page says where the page is, with the code that lets one more browser act.
func page(out io.Writer, url, code string) {
	//nolint:errcheck // the terminal
	fmt.Fprintf(out, "page: %s/?code=%s  (the code lets one browser act; without it a browser may only look)\n", url, code)
}
