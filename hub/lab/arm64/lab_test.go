//go:build lab && linux

package arm64

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is an architecture and how to run its programs here.
type machine struct {
	arch string
	qemu []string // for counting, and for arm64 always
}

func (m machine) command(ctx context.Context, native bool, program string, args ...string) *exec.Cmd {
	all := append([]string{program}, args...)
	if !native {
		all = append(append([]string{}, m.qemu...), all...)
	}
	cmd := exec.CommandContext(ctx, all[0], all[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// machines are the two; a Pi 4 is a Cortex-A72 without its instructions for
// AES and SHA, which noCrypto takes away.
func machines() (amd, arm machine) {
	return machine{"amd64", []string{"qemu-x86_64", "-cpu", "max"}}, machine{"arm64", []string{"qemu-aarch64", "-cpu", "cortex-a72"}}
}

const noCrypto = "GODEBUG=cpu.aes=off,cpu.pmull=off,cpu.sha1=off,cpu.sha2=off,cpu.sha512=off"

// prepare installs the emulator if it is missing.
func prepare(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("qemu-aarch64"); err == nil {
		return
	}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", "qemu-user"}} {
		cmd := exec.CommandContext(t.Context(), "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("qemu-user is missing and cannot be installed (%v): apt-get install qemu-user\n%s", err, out)
		}
	}
}

// build compiles a command, or the tests of a package, for an architecture.
func build(t *testing.T, arch, pkg string, test bool) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), filepath.Base(pkg)+"."+arch)
	args := []string{"build", "-o", out, "sonahub/" + pkg}
	if test {
		args = []string{"test", "-c", "-tags", "lab", "-o", out, "sonahub/" + pkg}
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0")
	if raw, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, raw)
	}
	return out
}

func TestLab(t *testing.T) {
	prepare(t)
	amd, arm := machines()
	vectors(t, arm)
	heard := crossSale(t, amd, arm)
	t.Logf("heard, each on both: %s", heard)
	counted := costs(t, amd, arm)
	fmt.Printf("arm64: the vectors pass in both implementations; a whole sale between arm64 and amd64 in both directions, equal sound; thousand instructions on a Cortex-A72 without crypto instructions (on amd64): %s\n", counted)
}

// vectors runs the vector tests of both implementations.
func vectors(t *testing.T, arm machine) {
	t.Helper()
	for _, pkg := range []string{"sne/vectors", "sne/vectors/naive"} {
		cmd := arm.command(t.Context(), false, build(t, "arm64", pkg, true), "-test.v", "-test.run", "^Test[^E]|^TestEx")
		cmd.Dir = filepath.Join("..", "..", "..", filepath.FromSlash(pkg))
		raw, err := cmd.CombinedOutput()
		if err != nil || bytes.Count(raw, []byte("--- PASS")) < 8 || bytes.Contains(raw, []byte("--- FAIL")) {
			t.Fatalf("%s on arm64: %v\n%s", pkg, err, raw)
		}
	}
}

// crossSale sells in both directions, and within each architecture.
func crossSale(t *testing.T, amd, arm machine) string {
	t.Helper()
	hub := build(t, "arm64", "hub/lab/arm64", true)
	music := track(t)
	var all []string
	for _, m := range []machine{amd, arm} {
		url := serve(t, m, build(t, m.arch, "hub/cmd/sonaorigin", false), music)
		here := listen(t, url)
		cmd := arm.command(t.Context(), false, hub, "-test.run", "^TestListener$", "-test.v")
		cmd.Env = append(os.Environ(), urlVar+"="+url)
		raw, err := cmd.CombinedOutput()
		there := regexp.MustCompile(`heard (.*)`).FindSubmatch(raw)
		if err != nil || there == nil || string(there[1]) != here {
			t.Fatalf("origin %s: heard %q here; on arm64: %v\n%s", m.arch, here, err, raw)
		}
		all = append(all, "origin "+m.arch+": "+here)
	}
	return strings.Join(all, ", ")
}

// track writes 7 s of a chord: what is sold.
func track(t *testing.T) string {
	t.Helper()
	const rate, seconds = 44100, 7
	var pcm bytes.Buffer
	for i := range rate * seconds {
		v := int16(6000 * (math.Sin(float64(i)*0.0314) + math.Sin(float64(i)*0.0471)))
		_ = binary.Write(&pcm, binary.LittleEndian, [2]int16{v, -v}) // a buffer does not fail
	}
	head := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(36+pcm.Len()))
	head = binary.LittleEndian.AppendUint32(append(head, "WAVEfmt "...), 16)
	for _, v := range []uint16{1, 2} {
		head = binary.LittleEndian.AppendUint16(head, v)
	}
	head = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(head, rate), rate*4)
	head = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(head, 4), 16)
	head = binary.LittleEndian.AppendUint32(append(head, "data"...), uint32(pcm.Len()))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "chord.wav"), append(head, pcm.Bytes()...), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serve starts the reference platform and returns its URL once the track is
// taken in.
func serve(t *testing.T, m machine, program, music string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := m.command(ctx, m.arch == "amd64", program, "--music", music, "--state", t.TempDir(), "--listen", "127.0.0.1:0")
	got := make(chan string, 1)
	cmd.Stdout = &firstLine{got: got}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		done := time.AfterFunc(5*time.Second, cancel)
		_ = cmd.Wait() // by a signal
		done.Stop()
		cancel()
	})
	deadline := time.After(2 * time.Minute)
	var url string
	select {
	case url = <-got:
	case <-deadline:
		t.Fatalf("origin on %s says nothing", m.arch)
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for !ready(t, url) {
		select {
		case <-deadline:
			t.Fatalf("origin on %s does not get ready", m.arch)
		case <-tick.C:
		}
	}
	return url
}

// firstLine hands on the first line that is written to it.
type firstLine struct {
	buf []byte
	got chan<- string // nil once it was handed on
}

func (f *firstLine) Write(p []byte) (int, error) {
	f.buf = append(f.buf, p...)
	if line, _, ok := bytes.Cut(f.buf, []byte("\n")); ok && f.got != nil {
		f.got <- string(line) // has room for the one line
		f.got = nil
	}
	return len(p), nil
}

// rounds is over how many runs of a thing its instructions are averaged.
const rounds = 100

// costs counts instructions and says what it found in a line.
func costs(t *testing.T, amd, arm machine) string {
	t.Helper()
	plugin := filepath.Join(t.TempDir(), "count.so")
	if out, err := exec.CommandContext(t.Context(), "gcc", "-O1", "-shared", "-fPIC", "-o", plugin, "testdata/count.c").CombinedOutput(); err != nil {
		return fmt.Sprintf("not counted, that needs gcc (%v) %s", err, out)
	}
	programs := map[string]string{amd.arch: build(t, amd.arch, "hub/lab/arm64", true), arm.arch: build(t, arm.arch, "hub/lab/arm64", true)}
	t.Logf("%-18s %12s %12s %12s  thousand instructions", "", "amd64", "arm64", "as on a Pi 4")
	var line []string
	for _, op := range []string{"HandshakeHub", "HandshakeOrigin", "ExchangeHub", "ExchangeOrigin", "LiveHead", "LiveSign", "OfferHub", "Segment"} {
		var row []float64
		for _, run := range []struct {
			m   machine
			env string
		}{{amd, ""}, {arm, ""}, {arm, noCrypto}} {
			// What both have in common, the making of keys among it, falls out. It
			// varies by some millions: signing draws until it has a fit.
			few := count(t, run.m, programs[run.m.arch], plugin, op, run.env, 2)
			many := count(t, run.m, programs[run.m.arch], plugin, op, run.env, 2+rounds)
			row = append(row, float64(many-few)/rounds/1000)
		}
		t.Logf("%-18s %12.0f %12.0f %12.0f", op, row[0], row[1], row[2])
		line = append(line, fmt.Sprintf("%s %.0f (%.0f)", op, row[2], row[0]))
	}
	return strings.Join(line, ", ")
}

// count runs a benchmark n times under the plugin.
func count(t *testing.T, m machine, program, plugin, op, env string, n int) int64 {
	t.Helper()
	m.qemu = append(append([]string{}, m.qemu...), "-plugin", plugin)
	cmd := m.command(t.Context(), false, program, "-test.run", "^$", "-test.bench", "^Benchmark"+op+"$", "-test.benchtime", strconv.Itoa(n)+"x", "-test.cpu", "1")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", env)
	raw, err := cmd.CombinedOutput()
	found := regexp.MustCompile(`executed (\d+)`).FindSubmatch(raw)
	if err != nil || found == nil {
		t.Fatalf("%s on %s: %v\n%s", op, m.arch, errors.Join(err), raw)
	}
	v, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(fmt.Errorf("count: %w", err))
	}
	return v
}
