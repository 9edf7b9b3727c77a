package jack_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/jack"
	"sonahub/hub/jack/jacktest"
)

// eventually waits for ok, at most that long.
func eventually(within time.Duration, ok func() bool) bool {
	deadline := time.After(within)
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for !ok() {
		select {
		case <-t.C:
		case <-deadline:
			return ok()
		}
	}
	return true
}

// running says whether a process lives, as something other than a zombie.
func running(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// children remembers the commands that were started.
type children struct{ cmds chan *exec.Cmd }

func (c *children) command(next func() *exec.Cmd) func() *exec.Cmd {
	c.cmds = make(chan *exec.Cmd, 16)
	return func() *exec.Cmd {
		cmd := next()
		c.cmds <- cmd
		return cmd
	}
}

func ready(t *testing.T, o *jack.Output) {
	t.Helper()
	if !eventually(5*time.Second, func() bool { st := status(t, o); return st.State == audio.Ready }) {
		t.Fatalf("%+v", status(t, o))
	}
}

// A child that is held up is told as stalled, plays on in time when it is let
// go, and is replaced if it is not.
func TestStalledProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var c children
	o := jack.New(jack.Options{Command: c.command(testCommand(t, dir))})
	defer o.Close()
	must(t, o.Join(bg, audio.Member{ID: "jack"}))
	ready(t, o)
	first := (<-c.cmds).Process
	line := audio.Timeline{Zero: audio.System{}.Now().Add(o.Lead()), Rate: 44100}
	must(t, o.Start(bg, cd, line))
	for at := audio.Pos(0); at < 11*44100; at += 882 {
		must(t, o.Write(&audio.Block{Format: cd, At: at, PCM: make([]int32, 2*882)}))
	}
	inTime := func() bool {
		st := status(t, o)
		return st.State == audio.Playing && line.Instant(st.Heard).Sub(audio.System{}.Now()).Abs() < 50*time.Millisecond
	}
	if !eventually(2*time.Second, inTime) {
		t.Fatalf("%+v", status(t, o))
	}
	must(t, first.Signal(syscall.SIGSTOP))
	if !eventually(3*time.Second, func() bool { return status(t, o).State == audio.Stalled }) {
		t.Errorf("held up: %+v", status(t, o))
	}
	must(t, first.Signal(syscall.SIGCONT))
	if !eventually(3*time.Second, inTime) {
		t.Errorf("let go: %+v", status(t, o))
	}
	must(t, first.Signal(syscall.SIGSTOP))
	if !eventually(6*time.Second, func() bool { return inTime() && len(c.cmds) == 1 }) {
		t.Errorf("held up for good: %+v, %d new children", status(t, o), len(c.cmds))
	}
	if running(first.Pid) {
		t.Error("the child that was given up still lives")
	}
}

// parent is the body of a process that plays on the jack until it is killed;
// it says its child's number.
func parent(dir string) int {
	self, err := os.Executable()
	if err != nil {
		return 1
	}
	o := jack.New(jack.Options{Command: func() *exec.Cmd {
		cmd := exec.Command(self, "test-child", dir)
		return cmd
	}})
	if o.Join(bg, audio.Member{ID: "jack"}) != nil {
		return 1
	}
	for o.Status()[0].State != audio.Ready {
		<-time.After(10 * time.Millisecond)
	}
	fmt.Println("ready")
	select {}
}

// The child dies with the hub, however that ends.
func TestChildDiesWithParent(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	must(t, err)
	hub := exec.Command(self, "test-parent", t.TempDir())
	hub.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := hub.StdoutPipe()
	must(t, err)
	must(t, hub.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", hub.Process.Pid, hub.Process.Pid))
	must(t, err)
	for _, task := range tasks(t, hub.Process.Pid) {
		more, _ := os.ReadFile(task)
		b = append(append(b, ' '), more...)
	}
	pids := map[int]bool{}
	for _, s := range strings.Fields(string(b)) {
		pid, err := strconv.Atoi(s)
		must(t, err)
		pids[pid] = true
	}
	if len(pids) != 1 {
		t.Fatalf("the hub has %d children", len(pids))
	}
	for pid := range pids { // so that it cannot notice by itself
		must(t, syscall.Kill(pid, syscall.SIGSTOP))
	}
	must(t, hub.Process.Kill())
	_ = hub.Wait()
	for pid := range pids {
		if !eventually(2*time.Second, func() bool { return !running(pid) }) {
			t.Errorf("process %d has outlived the hub", pid)
		}
	}
}

func tasks(t *testing.T, pid int) []string {
	t.Helper()
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	must(t, err)
	return names
}

// The hub itself loads no sound library, although it is the same binary.
func TestHubLoadsNoLibrary(t *testing.T) {
	maps, err := os.ReadFile("/proc/self/maps")
	must(t, err)
	if bytes.Contains(maps, []byte("libasound")) {
		t.Error("libasound is loaded")
	}
}

// alsa names a command for the real child on an ALSA device of our own: what
// plays goes as 32-bit floats into a pipe, which takes it at the pace of its
// reader, so that no card is needed.
func alsa(t *testing.T, fifo string) func() *exec.Cmd {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/libasound.so.2")
	if len(found) == 0 {
		t.Skip("no libasound.so.2: apt-get install libasound2 (libasound2t64 on Debian 13)")
	}
	must(t, syscall.Mkfifo(fifo, 0o600))
	rc := filepath.Join(filepath.Dir(fifo), "asoundrc")
	must(t, os.WriteFile(rc, []byte(`pcm.!default {
	type plug
	slave.pcm {
		type file
		format raw
		file "`+fifo+`"
		slave.pcm { type null }
	}
}
`), 0o600))
	self, err := os.Executable()
	must(t, err)
	return func() *exec.Cmd {
		cmd := exec.Command(self, jack.ChildArg)
		cmd.Env = append(os.Environ(), "ALSA_CONFIG_PATH="+rc, "PULSE_SERVER=unix:/nowhere")
		return cmd
	}
}

// Through oto and the real libasound the samples are the same, bit for bit,
// and they begin near their instant. The crystal of this card is the test
// itself, which a busy machine may hold up: one of several short tries has to do.
func TestRealALSA(t *testing.T) {
	t.Parallel()
	var off time.Duration
	var same bool
	for range 6 {
		if off, same = playOnALSA(t); same && off.Abs() < 150*time.Millisecond {
			return
		}
		t.Logf("the first sample %v off its instant, unaltered: %v", off, same)
	}
	t.Error("the samples never came through as they are and in time")
}

func playOnALSA(t *testing.T) (off time.Duration, same bool) {
	fifo := filepath.Join(t.TempDir(), "card")
	command := alsa(t, fifo)
	card, err := os.OpenFile(fifo, os.O_RDWR, 0)
	must(t, err)
	const pipeSize = 8192 // bytes, 21 ms
	raw, err := card.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) {
		const setPipeSize = 1031 // F_SETPIPE_SZ
		_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, fd, setPipeSize, pipeSize)
	}))

	o := jack.New(jack.Options{Command: command})
	f := audio.Format{Rate: 44100, Channels: 2, Bits: 24}
	sounds := make(chan jacktest.Sound, 1000)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // the card's crystal: 441 frames every 10 ms
		defer close(stopped)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		clock := audio.System{}
		zero := clock.Now()
		for k := 0; ; k++ {
			for clock.Now().Sub(zero) < time.Duration(k)*10*time.Millisecond {
				select {
				case <-tick.C:
				case <-stop:
					return
				}
			}
			s, err := jacktest.ReadFloats(card, f.Rate, 441)
			if err != nil {
				return
			}
			s.At = clock.Now()
			select {
			case sounds <- s:
			case <-stop:
				return
			}
		}
	}()
	defer func() { // in this order: closing the pipe frees the reader
		must(t, o.Close())
		close(stop)
		must(t, card.Close())
		<-stopped
	}()
	must(t, o.Join(bg, audio.Member{ID: "jack"}))
	ready(t, o)
	st := status(t, o)
	if st.BitExact || !regexp.MustCompile("plugin").MatchString(st.Why) {
		t.Errorf("a device that nothing is known of: %+v", st)
	}
	lead := o.Lead()
	pcm := audiotest.Noise(f, -6, 44100/4, 1)
	line := audio.Timeline{Zero: audio.System{}.Now().Add(lead), Rate: f.Rate}
	must(t, o.Start(bg, f, line))
	must(t, o.Write(&audio.Block{Format: f, PCM: pcm}))
	var got []int32
	var begin audio.Instant
	for len(got) < len(pcm) {
		select {
		case s := <-sounds:
			x, ok := s.Integers(24)
			if !ok {
				t.Fatal("what came out are no 24-bit samples")
			}
			for i := 0; i < len(x); i += 2 {
				if begin == 0 && (x[i] != 0 || x[i+1] != 0) {
					begin = s.At.Add(audio.Pos(i / 2).Duration(f.Rate))
				}
				if begin != 0 {
					got = append(got, x[i], x[i+1])
				}
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%d of %d samples came out: %+v", len(got), len(pcm), status(t, o))
		}
	}
	off = begin.Sub(line.Zero)
	t.Logf("lead %v, the first sample %v off its instant", lead, off)
	same = audiotest.SHA256(f, got[:len(pcm)]) == audiotest.SHA256(f, pcm)
	return off, same
}

// Without a card the real child says so in one line.
func TestRealCardOrClearLine(t *testing.T) {
	t.Parallel()
	o := jack.New(jack.Options{})
	defer o.Close()
	must(t, o.Join(bg, audio.Member{ID: "jack"}))
	if !eventually(12*time.Second, func() bool { return status(t, o).State != audio.Joining }) {
		t.Fatalf("%+v", status(t, o))
	}
	st := status(t, o)
	t.Logf("%+v", st)
	if st.State == audio.Absent && (!strings.HasPrefix(st.Why, "no sound card found (") || strings.Contains(st.Why, "\n") || len(st.Why) > 250) {
		t.Errorf("%q is no clear line", st.Why)
	}
}
