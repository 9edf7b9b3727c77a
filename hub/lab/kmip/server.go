//go:build linux

package kmip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"sonahub/sne/keychain/kmip/kmiptest"
)

// ErrRoot says that the laboratory cannot run as an ordinary user.
var ErrRoot = errors.New("the KMIP laboratory makes a PID namespace and needs root")

const (
	command = "pykmip-server"
	debian  = "python3-pykmip"
)

// Prepare installs the server if it is not there; it uses the network through
// apt alone. It returns the server's version.
func Prepare(ctx context.Context, log io.Writer) (version string, err error) {
	if os.Getuid() != 0 {
		return "", ErrRoot
	}
	if _, err := exec.LookPath(command); err != nil {
		for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", debian}} {
			cmd := exec.CommandContext(ctx, "apt-get", args...)
			cmd.Stdout, cmd.Stderr = log, log
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
			if err := cmd.Run(); err != nil {
				return "", fmt.Errorf("%s is missing and cannot be installed: %w", debian, err)
			}
		}
	}
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Version}", debian).Output()
	return string(out), err
}

// Server is PyKMIP in a process of its own. Its keys lie in Dir and outlive it.
type Server struct {
	Dir  string // certificates, database, log
	Addr string

	authority *kmiptest.Authority
	cmd       *exec.Cmd
	output    bytes.Buffer
	ended     chan struct{} // closed when the process has ended
}

// New prepares certificates and configuration in dir.
func New(ctx context.Context, dir string) (*Server, error) {
	s := &Server{Dir: dir}
	var err error
	if s.authority, err = kmiptest.NewAuthority(dir, "authority"); err != nil {
		return nil, err
	}
	pair, err := s.authority.Server()
	if err != nil {
		return nil, err
	}
	if s.Addr, err = freeAddr(ctx); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.path("policy"), 0o700); err != nil {
		return nil, err
	}
	lines := []string{
		"[server]", "hostname=" + host, "port=" + port,
		"certificate_path=" + pair.Cert, "key_path=" + pair.Key, "ca_path=" + s.authority.Cert,
		"auth_suite=TLS1.2", "enable_tls_client_auth=True", "logging_level=INFO",
		"policy_path=" + s.path("policy"), "database_path=" + s.path("keys.db"), "",
	}
	return s, os.WriteFile(s.path("server.conf"), []byte(strings.Join(lines, "\n")), 0o600)
}

// freeAddr is a port that was free a moment ago; the server wants a number.
func freeAddr(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }

// Authority signs clients.
func (s *Server) Authority() *kmiptest.Authority { return s.authority }

// Start starts the process and waits until it takes connections.
func (s *Server) Start(ctx context.Context) error {
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), command, // ctx bounds the start alone; Stop ends it
		"-f", s.path("server.conf"), "-l", s.path("server.log"))
	s.output.Reset()
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	// The first process of a PID namespace takes all others with it.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true, Cloneflags: syscall.CLONE_NEWPID}
	s.ended = make(chan struct{})
	started := make(chan error, 1)
	go func() { // ends with the process, which Stop kills
		defer close(s.ended)
		runtime.LockOSThread() // the death signal is tied to the thread that starts the child
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // it is always killed
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr); err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return fmt.Errorf("%s ended: %s", command, s.output.String())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.Stop())
		}
	}
}

// Stop kills the process and waits for it.
func (s *Server) Stop() error {
	select {
	case <-s.ended:
		return nil
	default:
	}
	err := s.cmd.Process.Kill()
	<-s.ended
	return err
}

// Log is what the server wrote.
func (s *Server) Log() string {
	data, err := os.ReadFile(s.path("server.log"))
	if err != nil {
		return err.Error()
	}
	return string(data)
}
