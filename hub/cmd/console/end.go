package console

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

// Parse reads flags. Whoever asks for help gets about and the flags on out,
// and flag.ErrHelp comes back; a wrong flag is one line.
func Parse(fs *flag.FlagSet, args []string, about string, out io.Writer) error {
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(out, "%s\n\nFlags:\n", about) //nolint:errcheck // the terminal
		fs.SetOutput(out)
		fs.PrintDefaults()
		return err
	case err != nil:
		return fmt.Errorf("%w (%s -h lists the flags)", err, fs.Name())
	}
	return nil
}

// closing is how long a part may take to end in order.
const closing = 8 * time.Second

// Close ends a part within a bounded time.
func Close(name string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if err := f(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
