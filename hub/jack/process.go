package jack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sonahub/hub/jack/card"
	"sonahub/hub/jack/child"
)

// ChildArg is the first argument of the child process: whoever finds it in
// os.Args calls Child before anything else.
const ChildArg = "jack-child"

// Child is the whole life of the child process; it returns the exit code.
func Child(stdin io.Reader, stdout io.Writer, args []string) int {
	if len(args) != 0 {
		return 2
	}
	if err := child.Run(stdin, stdout, child.Options{Open: card.Open}); err != nil {
		return 1
	}
	return 0
}

// process is a child: what is written to it, what it says, and its end.
type process struct {
	in   io.WriteCloser
	out  io.Reader
	kill func()        // ends it at once
	wait func() string // returns after its end the last line that it said on standard error
}

// start starts a child; nil starts this binary.
func start(command func() *exec.Cmd) (*process, error) {
	var cmd *exec.Cmd
	if command != nil {
		cmd = command()
	} else {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("jack: %w", err)
		}
		cmd = exec.CommandContext(context.Background(), self, ChildArg)
	}
	dieWithParent(cmd)
	cmd.WaitDelay = time.Second
	said := &lastLine{}
	cmd.Stderr = said
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("jack: %w", err)
	}
	// Not cmd.StdoutPipe: Wait would close it under the reader's hands.
	out, outChild, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("jack: %w", err)
	}
	cmd.Stdout = outChild
	err = cmd.Start()
	_ = outChild.Close() // the child has its own; nothing was written to ours
	if err != nil {
		_ = out.Close() // nothing was read from it
		return nil, fmt.Errorf("jack: %w", err)
	}
	favour(cmd.Process.Pid)
	return &process{
		in:  in,
		out: out,
		kill: func() {
			_ = in.Close()         // its other end may be gone already
			_ = cmd.Process.Kill() // so may it
		},
		wait: func() string {
			_ = cmd.Wait()  // it was killed
			_ = out.Close() // lets a reader go that another holder of the pipe keeps waiting
			return said.String()
		},
	}, nil
}

// lastLine keeps the last line that was written to it.
type lastLine struct {
	mu   sync.Mutex
	line []byte
}

const maxLine = 500 // bytes

func (l *lastLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := append(l.line, p...)
	if i := bytes.LastIndexByte(bytes.TrimRight(all, "\n"), '\n'); i >= 0 {
		all = all[i+1:]
	}
	l.line = bytes.Clone(all[max(0, len(all)-maxLine):])
	return len(p), nil
}

func (l *lastLine) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.line))
}

// cards names everything that sounds could come from: it changes when a card
// comes or goes, or a sound server does.
func cards() string {
	var names []string
	for _, pattern := range []string{
		"/dev/snd/pcmC*p",
		filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "pulse/native"),
		"/run/user/*/pulse/native",
		"/run/pulse/native",
	} {
		found, err := filepath.Glob(pattern)
		if err == nil {
			names = append(names, found...)
		}
	}
	return strings.Join(names, " ")
}
