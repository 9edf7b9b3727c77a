//go:build linux

package airplay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// The Debian tree that the rooms run from.
const (
	suite    = "forky" // shairport-sync 5 with AirPlay 2, nqptp
	packages = "shairport-sync,nqptp,avahi-daemon,dbus,pulseaudio,pulseaudio-utils"
	version  = "1" // counts changes of this recipe
	complete = ".complete"
)

// ErrRoot says that the laboratory cannot run as an ordinary user.
var ErrRoot = errors.New("the AirPlay laboratory makes network namespaces and needs root")

// Prepare installs what is missing on this machine (mmdebstrap, iproute2) and
// builds the tree, about a minute, unless it is in the cache. It returns the
// tree's folder. It is the only step that uses the machine's own network, and
// that through apt alone.
func Prepare(ctx context.Context, log io.Writer) (string, error) {
	if os.Getuid() != 0 {
		return "", ErrRoot
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = filepath.Join("/var/cache") // no home: a service account
	}
	tree := filepath.Join(cache, "sonahub", "lab-airplay-"+suite+"-"+version+"-"+runtime.GOARCH)
	if _, err := os.Stat(filepath.Join(tree, complete)); err == nil {
		return tree, install(ctx, log, "ip", "iproute2")
	}
	if err := errors.Join(install(ctx, log, "ip", "iproute2"), install(ctx, log, "mmdebstrap", "mmdebstrap")); err != nil {
		return "", err
	}
	return tree, build(ctx, log, tree)
}

// install brings a Debian package if its command is not there.
func install(ctx context.Context, log io.Writer, command, pkg string) error {
	if _, err := exec.LookPath(command); err == nil {
		return nil
	}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", pkg}} {
		if err := run(ctx, log, "apt-get", args...); err != nil {
			return fmt.Errorf("%s is missing and cannot be installed: %w", pkg, err)
		}
	}
	return nil
}

// build makes the tree beside its place and moves it there when it is whole.
func build(ctx context.Context, log io.Writer, tree string) error {
	fmt.Fprintf(log, "building the AirPlay laboratory's tree in %s (about a minute)\n", tree)
	if err := os.MkdirAll(filepath.Dir(tree), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(tree), "building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	// A mirror may serve a frozen copy of a moving suite whose date has
	// passed; the signature is checked all the same.
	err = run(ctx, log, "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--include="+packages,
		`--aptopt=Acquire::Retries "3"`, `--aptopt=Acquire::Check-Valid-Until "false"`,
		`--aptopt=APT::Install-Recommends "false"`, "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*", suite, tmp)
	if err != nil {
		return fmt.Errorf("the tree cannot be built: %w", err)
	}
	// minbase has no hosts file, without which nqptp and shairport-sync die.
	if err := errors.Join(
		os.WriteFile(filepath.Join(tmp, "etc/hosts"), []byte("127.0.0.1 localhost\n"), 0o644),
		os.WriteFile(filepath.Join(tmp, "etc/machine-id"), []byte("00000000000000000000000000000001\n"), 0o644),
		os.MkdirAll(filepath.Join(tmp, "lab"), 0o755),
		os.WriteFile(filepath.Join(tmp, complete), nil, 0o644)); err != nil {
		return err
	}
	if err := os.RemoveAll(tree); err != nil {
		return err
	}
	return os.Rename(tmp, tree)
}

// run runs a command to its end; it dies with us.
func run(ctx context.Context, log io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
