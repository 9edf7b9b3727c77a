// Package consoletest runs the commands as processes of their own: a test
// binary that is told by its environment to be the command.
package consoletest

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// env tells a test binary to be the command.
const env = "SONAHUB_TEST_COMMAND"

// Main is for TestMain: it becomes the command if so told, else it runs the
// tests.
func Main(m *testing.M, command func()) {
	if os.Getenv(env) != "" {
		command()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Process is a running command. It dies with the test.
type Process struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines chan string // both outputs, closed at their end
	said  strings.Builder
}

// Start starts the command.
func Start(t testing.TB, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.Command(os.Args[0], args...), lines: make(chan string, 10000)}
	p.cmd.Env = append(os.Environ(), env+"=1")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(out)
	t.Cleanup(func() { p.Signal(syscall.SIGKILL); p.drain() })
	return p
}

func (p *Process) read(out io.Reader) {
	defer close(p.lines)
	for s := bufio.NewScanner(out); s.Scan(); {
		p.lines <- s.Text()
	}
}

// Until returns the first line that holds all the words.
func (p *Process) Until(d time.Duration, words ...string) string {
	p.t.Helper()
	end := time.After(d)
	for {
		select {
		case line, more := <-p.lines:
			if !more {
				p.t.Fatalf("the command ended before it said %q:\n%s", words, p.Said())
			}
			p.said.WriteString(line + "\n")
			if holds(line, words) {
				return line
			}
		case <-end:
			p.t.Fatalf("waited %v in vain for %q:\n%s", d, words, p.Said())
		}
	}
}

// Never wants no line with all the words for so long.
func (p *Process) Never(d time.Duration, words ...string) {
	p.t.Helper()
	end := time.After(d)
	for {
		select {
		case line, more := <-p.lines:
			p.said.WriteString(line + "\n")
			if !more || holds(line, words) {
				p.t.Fatalf("it ended, or said %q:\n%s", words, p.Said())
			}
		case <-end:
			return
		}
	}
}

func holds(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

// Said is everything that was read so far.
func (p *Process) Said() string { return p.said.String() }

// Signal sends signals, one behind the other.
func (p *Process) Signal(signals ...os.Signal) {
	for _, s := range signals {
		_ = p.cmd.Process.Signal(s) // it may have ended
	}
}

// Ended waits for the end and returns the exit code, -1 after a kill.
func (p *Process) Ended(d time.Duration) int {
	p.t.Helper()
	p.cmd.WaitDelay = time.Second
	done := make(chan struct{})
	go func() { defer close(done); p.drain() }()
	select {
	case <-done:
	case <-time.After(d):
		p.t.Errorf("it had not ended after %v", d)
		p.Signal(syscall.SIGKILL)
		<-done
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.t.Errorf("ended: %v\n%s", err, p.Said())
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *Process) drain() {
	for line := range p.lines {
		p.said.WriteString(line + "\n")
	}
}
