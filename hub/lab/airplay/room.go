//go:build linux

package airplay

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// roomSpec is what the program's room part is told.
type roomSpec struct {
	Number   int
	Name     string
	Backend  Backend
	Tree     string
	Dir      string
	AirPlay2 bool
	Verbose  int
	Command  []string // run this alone and no room
}

func (s roomSpec) host() string { return fmt.Sprintf("room%d", s.Number) }

// roomMain is the first process of a room, in the room's network and mount
// namespaces: it furnishes the tree and keeps the room's programs running
// until one of them ends.
func roomMain() error {
	var s roomSpec
	if err := json.Unmarshal([]byte(os.Getenv(roomVar)), &s); err != nil {
		return err
	}
	if err := s.furnish(); err != nil {
		return err
	}
	ended := make(chan error)
	if len(s.Command) > 0 {
		return <-s.start(ended, s.Command[0], s.Command[1:]...)
	}
	if err := s.configure(); err != nil {
		return err
	}
	s.start(ended, "/usr/bin/dbus-daemon", "--system", "--nofork", "--nopidfile")
	if err := s.appears("run/dbus/system_bus_socket"); err != nil {
		return err
	}
	s.start(ended, "/usr/sbin/avahi-daemon", "-f", "/run/lab/avahi.conf", "--no-drop-root", "--no-chroot", "--no-rlimits")
	if err := s.appears("run/avahi-daemon/socket"); err != nil {
		return err
	}
	if s.AirPlay2 {
		s.start(ended, "/usr/bin/nqptp")
	}
	return <-s.start(ended, "/usr/bin/shairport-sync", "-c", "/run/lab/shairport.conf")
}

// furnish mounts what the tree lacks, for this mount namespace only.
func (s roomSpec) furnish() error {
	in := func(name string) string { return filepath.Join(s.Tree, name) }
	return errors.Join(
		mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		mount(s.Tree, s.Tree, "", syscall.MS_BIND, ""),
		mount("/dev", in("dev"), "", syscall.MS_BIND|syscall.MS_REC, ""),
		mount("tmpfs", in("dev/shm"), "tmpfs", 0, "size=64m"), // nqptp and its shairport-sync meet there
		mount("proc", in("proc"), "proc", 0, ""),
		mount(s.Dir, in("lab"), "", syscall.MS_BIND, ""),
		mount("tmpfs", in("tmp"), "tmpfs", 0, ""),
		mount("tmpfs", in("run"), "tmpfs", 0, ""),
		os.MkdirAll(in("run/dbus"), 0o755), os.MkdirAll(in("run/avahi-daemon"), 0o755), os.MkdirAll(in("run/lab"), 0o755),
		os.WriteFile(in("run/lab/machine-id"), fmt.Appendf(nil, "%032x\n", 256+s.Number), 0o644),
		mount(in("run/lab/machine-id"), in("etc/machine-id"), "", syscall.MS_BIND, ""),
		mount("", s.Tree, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""))
}

func (s roomSpec) configure() error {
	service := "classic"
	if s.AirPlay2 {
		service = "auto"
	}
	return errors.Join(
		os.WriteFile(filepath.Join(s.Tree, "run/lab/avahi.conf"), fmt.Appendf(nil, avahiConf, s.host()), 0o644),
		os.WriteFile(filepath.Join(s.Tree, "run/lab/shairport.conf"),
			fmt.Appendf(nil, shairportConf, s.Name, service, s.Backend, s.Number, s.host(), s.host(), s.Verbose), 0o644))
}

// start starts one program in the tree; its end goes to ended.
func (s roomSpec) start(ended chan error, name string, args ...string) <-chan error {
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=/tmp", "PATH=/usr/sbin:/usr/bin", "PULSE_RUNTIME_PATH=/tmp/pulse"}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: s.Tree, Pdeathsig: syscall.SIGKILL}
	go func() { // ends with the process
		// The child inherits the thread's priority, and dies with the thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := realtime(); err != nil {
			ended <- err
			return
		}
		ended <- fmt.Errorf("%s ended: %w", name, cmd.Run())
	}()
	return ended
}

// realtime puts this thread before all ordinary work of the machine. The rooms
// need little, and what they miss would be taken for the sender's fault.
func realtime() error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		return fmt.Errorf("real-time priority: %w", err)
	}
	return nil
}

// appears waits for a file in the tree.
func (s roomSpec) appears(name string) error {
	end := time.After(readyIn)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(filepath.Join(s.Tree, name)); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-end:
			return fmt.Errorf("%s did not appear", name)
		}
	}
}

const avahiConf = `[server]
host-name=%s
use-ipv4=yes
use-ipv6=no
allow-interfaces=eth0
ratelimit-interval-usec=1000000
ratelimit-burst=1000
[publish]
publish-workstation=no
publish-hinfo=no
`

// The volume is obeyed: at gain 0 nothing may touch the samples.
const shairportConf = `general = {
  name = "%s"; service_type = "%s"; mdns_backend = "avahi"; output_backend = "%s";
  airplay_device_id = 0x0200000001%02xL; interpolation = "basic";
  audio_backend_buffer_desired_length_in_seconds = 0.6;
};
pulseaudio = { server = "unix:/lab/pulse.sock"; sink = "%s"; output_rate = 44100; output_format = "S16_LE"; output_channels = 2; };
pipe = { name = "/lab/%s.pcm"; output_rate = 44100; output_format = "S16_LE"; output_channels = 2; };
diagnostics = { log_verbosity = %d; log_output_to = "stderr"; log_show_time_since_startup = "yes"; };
`
