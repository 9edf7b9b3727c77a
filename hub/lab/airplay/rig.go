//go:build linux

package airplay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Backend is where a room's shairport-sync sends its sound.
type Backend string

// Backends.
const (
	Pipe  Backend = "pipe"       // corrects nothing: what comes out is what came in
	Pulse Backend = "pulseaudio" // follows the sound card's clock, as a real room does
)

// Options are the rig's settings.
type Options struct {
	Backends []Backend // of the rooms in turn; empty: Pulse
	AirPlay2 bool      // rooms announce AirPlay 2 too and run nqptp
	Verbose  int       // shairport-sync's log_verbosity, 0..3
}

// Room is one receiver, a host of its own.
type Room struct {
	Name    string
	Addr    netip.AddrPort // RTSP
	Backend Backend
	spec    roomSpec
	cmd     *exec.Cmd
	log     *os.File
}

// Rig is the laboratory at work: this process is on a switch with the rooms.
type Rig struct {
	Rooms []*Room
	tree  string
	dir   string // shared with the rooms as /lab; logs too
	pulse *exec.Cmd
	work  sync.WaitGroup
}

// readyIn bounds the start of a room.
const readyIn = 30 * time.Second

// Start brings up n rooms. It must run below Main.
func Start(ctx context.Context, n int, o Options) (*Rig, error) {
	tree := os.Getenv(treeVar)
	if tree == "" {
		return nil, errors.New("the rig runs inside the laboratory only (Main)")
	}
	dir, err := os.MkdirTemp("/run", "lab-")
	if err != nil {
		return nil, err
	}
	r := &Rig{tree: tree, dir: dir}
	if err := r.bring(ctx, n, o); err != nil {
		return nil, errors.Join(err, r.logs(), r.Close())
	}
	return r, nil
}

func (r *Rig) bring(ctx context.Context, n int, o Options) error {
	if err := errors.Join(os.Chmod(r.dir, 0o777),
		ip(ctx, "link add br0 type bridge mcast_snooping 0"),
		ip(ctx, "addr add 10.77.0.1/24 dev br0"),
		ip(ctx, "link set br0 up")); err != nil {
		return err
	}
	for i := 1; i <= n; i++ {
		b := Pulse
		if len(o.Backends) > 0 {
			b = o.Backends[(i-1)%len(o.Backends)]
		}
		r.Rooms = append(r.Rooms, newRoom(i, b, r, o))
	}
	if err := r.startPulse(ctx); err != nil {
		return err
	}
	for _, room := range r.Rooms {
		if err := r.startRoom(ctx, room); err != nil {
			return err
		}
	}
	for _, room := range r.Rooms {
		if err := room.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

func newRoom(i int, b Backend, r *Rig, o Options) *Room {
	port := uint16(5000)
	if o.AirPlay2 {
		port = 7000
	}
	addr := netip.AddrFrom4([4]byte{10, 77, 0, byte(10 + i)})
	room := &Room{Name: fmt.Sprintf("Room %d", i), Addr: netip.AddrPortFrom(addr, port),
		Backend: b}
	room.spec = roomSpec{Number: i, Name: room.Name, Backend: b, Tree: r.tree, Dir: r.dir,
		AirPlay2: o.AirPlay2, Verbose: o.Verbose}
	return room
}

// startRoom makes the room's namespace and its wire to the switch, and starts
// the program's room part in it.
func (r *Rig) startRoom(ctx context.Context, room *Room) error {
	ns := room.spec.host()
	if err := errors.Join(
		ip(ctx, "netns add "+ns),
		ip(ctx, "link add v-"+ns+" type veth peer name eth0 netns "+ns),
		ip(ctx, "link set v-"+ns+" master br0 up"),
		ip(ctx, "-n "+ns+" link set lo up"),
		ip(ctx, "-n "+ns+" link set eth0 up"),
		ip(ctx, "-n "+ns+" addr add "+room.Addr.Addr().String()+"/24 dev eth0"),
		ip(ctx, "-n "+ns+" route add default dev eth0")); err != nil {
		return err
	}
	if room.Backend == Pipe {
		if err := syscall.Mkfifo(filepath.Join(r.dir, ns+".pcm"), 0o666); err != nil {
			return fmt.Errorf("%s: %w", room.Name, err)
		}
	}
	var err error
	if room.log, err = os.Create(filepath.Join(r.dir, ns+".log")); err != nil {
		return err
	}
	if room.cmd, err = part(room.spec, "ip", "netns", "exec", ns); err != nil {
		return err
	}
	room.cmd.Stdout, room.cmd.Stderr = room.log, room.log
	return r.spawn(room.cmd)
}

// part is this program in its room part, started through another command.
func part(spec roomSpec, through ...string) (*exec.Cmd, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append(through, self)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), stageVar+"="+roomPart, roomVar+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNS}
	return cmd, nil
}

// spawn starts a child that dies with us and is reaped by Close.
func (r *Rig) spawn(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", cmd.Path, err)
	}
	r.work.Go(func() { _ = cmd.Wait() }) // killed, mostly
	return nil
}

// startPulse starts the one PulseAudio server: a null sink with two channels a
// room, so that all rooms lie on one sample counter, and a sink for each room.
func (r *Rig) startPulse(ctx context.Context) error {
	rooms := r.of(Pulse)
	if len(rooms) == 0 {
		return nil
	}
	args := []string{"-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes",
		"--high-priority=yes", "--realtime=yes",
		"--log-target=stderr", "-L", "module-native-protocol-unix socket=/lab/pulse.sock auth-anonymous=1",
		"-L", fmt.Sprintf("module-null-sink sink_name=lab rate=44100 format=s16le channels=%d channel_map=%s norewinds=1",
			2*len(rooms), channelMap(len(rooms)))}
	for i, room := range rooms {
		args = append(args, "-L", fmt.Sprintf("module-remap-sink sink_name=%s master=lab channels=2 "+
			"channel_map=front-left,front-right master_channel_map=aux%d,aux%d remix=no", room.spec.host(), 2*i, 2*i+1))
	}
	out, err := os.Create(filepath.Join(r.dir, "pulse.log"))
	if err != nil {
		return err
	}
	defer out.Close()
	r.pulse, err = part(roomSpec{Tree: r.tree, Dir: r.dir, Command: append([]string{"/usr/bin/pulseaudio"}, args...)})
	if err != nil {
		return err
	}
	r.pulse.Stdout, r.pulse.Stderr = out, out
	if err := r.spawn(r.pulse); err != nil {
		return err
	}
	return until(ctx, readyIn, "PulseAudio's socket", func() bool {
		_, err := os.Stat(filepath.Join(r.dir, "pulse.sock"))
		return err == nil
	})
}

func channelMap(rooms int) string {
	names := make([]string, 2*rooms)
	for i := range names {
		names[i] = "aux" + strconv.Itoa(i)
	}
	return strings.Join(names, ",")
}

// of returns the rooms of one backend.
func (r *Rig) of(b Backend) []*Room {
	var out []*Room
	for _, room := range r.Rooms {
		if room.Backend == b {
			out = append(out, room)
		}
	}
	return out
}

// await waits until the room takes connections.
func (room *Room) await(ctx context.Context) error {
	return until(ctx, readyIn, room.Name, func() bool {
		conn, err := net.DialTimeout("tcp", room.Addr.String(), time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

func until(ctx context.Context, limit time.Duration, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
	return nil
}

// Log returns what the room's programs said.
func (r *Rig) Log(room *Room) string {
	text, err := os.ReadFile(filepath.Join(r.dir, room.spec.host()+".log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// logs is the end of every log as an error, for a start that failed.
func (r *Rig) logs() error {
	var all []error
	names, _ := filepath.Glob(filepath.Join(r.dir, "*.log"))
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil {
			all = append(all, fmt.Errorf("%s: ...%s", filepath.Base(name), text[max(0, len(text)-2000):]))
		}
	}
	return errors.Join(all...)
}

// Close ends all rooms and takes the network down.
func (r *Rig) Close() error {
	var errs []error
	for _, room := range r.Rooms {
		if room.cmd != nil && room.cmd.Process != nil {
			_ = room.cmd.Process.Kill()
		}
		if room.log != nil {
			errs = append(errs, room.log.Close())
		}
	}
	if r.pulse != nil && r.pulse.Process != nil {
		_ = r.pulse.Process.Kill()
	}
	r.work.Wait()
	for _, room := range r.Rooms {
		// The wire first: a namespace goes in its own time.
		errs = append(errs, ip(context.Background(), "link del v-"+room.spec.host()),
			ip(context.Background(), "netns del "+room.spec.host()))
	}
	return errors.Join(append(errs, ip(context.Background(), "link del br0"), os.RemoveAll(r.dir))...)
}

func ip(ctx context.Context, args string) error {
	out, err := exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, strings.TrimSpace(string(out)))
	}
	return nil
}
