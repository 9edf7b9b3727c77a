package jack

import (
	"context"
	"io"

	"sonahub/hub/audio"
	"sonahub/hub/jack/child"
)

// NewInProcess makes an output whose child is no process, so that it can live
// in a synctest bubble. look stands for the look into /dev/snd.
func NewInProcess(o Options, look func() string, open func(context.Context, audio.Rate) (child.Device, error)) *Output {
	out := newOutput(o)
	out.look = look
	out.spawn = func() (*process, error) {
		hubIn, childOut := io.Pipe()
		childIn, hubOut := io.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = child.Run(childIn, childOut, child.Options{Open: open, Clock: o.Clock})
			_ = childOut.Close()
			_ = childIn.Close()
		}()
		return &process{
			in:  hubOut,
			out: hubIn,
			kill: func() {
				_ = hubOut.Close()
				_ = hubIn.Close()
			},
			wait: func() string { <-done; return "" },
		}, nil
	}
	return out
}
