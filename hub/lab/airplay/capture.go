//go:build linux

package airplay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// maxCapture bounds a recording: ten minutes of four rooms.
const maxCapture = 10 * 60 * 44100 * 4 * 4

// Recording is a capture at work.
type Recording struct {
	rig   *Rig
	parec *exec.Cmd
	files []io.Closer
	work  sync.WaitGroup
	raw   [][]byte // of the rooms with pipes in order, then of all PulseAudio rooms interleaved
	errs  []error
}

// Capture begins to record all rooms at once. A pipe is recorded from the
// first sound on; the PulseAudio rooms lie on one sample counter.
func (r *Rig) Capture() (*Recording, error) {
	rec := &Recording{rig: r}
	for _, room := range r.of(Pipe) {
		// Opened for writing too, so that the open does not wait for shairport-sync.
		f, err := os.OpenFile(filepath.Join(r.dir, room.spec.host()+".pcm"), os.O_RDWR, 0)
		if err != nil {
			return nil, errors.Join(err, rec.end())
		}
		rec.read(f)
	}
	if n := len(r.of(Pulse)); n > 0 {
		cmd, err := part(roomSpec{Tree: r.tree, Dir: r.dir, Command: []string{"/usr/bin/parec",
			"-s", "unix:/lab/pulse.sock", "-d", "lab.monitor", "--raw", "--rate=44100", "--format=s16le",
			fmt.Sprintf("--channels=%d", 2*n), "--channel-map=" + channelMap(n), "--no-remix", "--latency-msec=500"}})
		if err != nil {
			return nil, errors.Join(err, rec.end())
		}
		out, in, err := os.Pipe()
		if err != nil {
			return nil, errors.Join(err, rec.end())
		}
		cmd.Stdout = in
		rec.read(out)
		rec.parec = cmd
		if err := errors.Join(r.spawn(cmd), in.Close()); err != nil {
			return nil, errors.Join(err, rec.end())
		}
	}
	return rec, nil
}

// read collects from f until it is closed or ends.
func (rec *Recording) read(f *os.File) {
	i := len(rec.raw)
	rec.raw, rec.errs = append(rec.raw, nil), append(rec.errs, nil)
	rec.files = append(rec.files, f)
	rec.work.Go(func() {
		data, err := io.ReadAll(io.LimitReader(f, maxCapture))
		if errors.Is(err, os.ErrClosed) {
			err = nil
		}
		rec.raw[i], rec.errs[i] = data, err
	})
}

func (rec *Recording) end() error {
	if rec.parec != nil && rec.parec.Process != nil {
		_ = rec.parec.Process.Kill()
	}
	var errs []error
	for _, f := range rec.files {
		errs = append(errs, f.Close())
	}
	rec.work.Wait()
	return errors.Join(append(errs, rec.errs...)...)
}

// Stop ends the recording and returns what each room played: 16 bit, left and
// right in turn, in the order of Rig.Rooms.
func (rec *Recording) Stop() ([][]int16, error) {
	if err := rec.end(); err != nil {
		return nil, err
	}
	pipes, pulses := rec.rig.of(Pipe), rec.rig.of(Pulse)
	played := map[*Room][]int16{}
	for i, room := range pipes {
		played[room] = channels(rec.raw[i], 2, 0)
	}
	for i, room := range pulses {
		played[room] = channels(rec.raw[len(pipes)], 2*len(pulses), 2*i)
	}
	var out [][]int16
	for _, room := range rec.rig.Rooms {
		out = append(out, played[room])
	}
	return out, nil
}

// channels takes channels first and first+1 out of n.
func channels(raw []byte, n, first int) []int16 {
	frames := len(raw) / (2 * n)
	out := make([]int16, 0, 2*frames)
	for i := range frames {
		for c := range 2 {
			out = append(out, int16(binary.LittleEndian.Uint16(raw[2*(i*n+first+c):])))
		}
	}
	return out
}
