package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine describes this machine as far as a figure depends on it.
func Machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for _, key := range []string{"model name", "Model"} { // Intel and AMD; Raspberry Pi
			if v, ok := field(info, key); ok {
				model = v
				break
			}
		}
	}
	memory := ""
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		if kB, err := kilobytes(info, "MemTotal"); err == nil {
			memory = fmt.Sprintf(", %.0f GB", float64(kB)/1e6)
		}
	}
	kernel := ""
	if v, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = ", Linux " + strings.TrimSpace(string(v))
	}
	return fmt.Sprintf("%s (%d cores%s)%s", model, runtime.NumCPU(), memory, kernel)
}

// Load is the machine's load average over the last minute, "?" if it is not
// told.
func Load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(text)); err == nil && len(f) > 0 {
		return f[0]
	}
	return "?"
}

// field returns the value of the first line "key : value".
func field(text []byte, key string) (string, bool) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// kilobytes reads a line "key: 123 kB".
func kilobytes(text []byte, key string) (int64, error) {
	v, ok := field(text, key)
	if !ok {
		return 0, fmt.Errorf("bench: no %s", key)
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(v, " kB"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("bench: %s: %w", key, err)
	}
	return n, nil
}

// Usage is what a process has used so far.
type Usage struct {
	CPU       time.Duration // user and system, in steps of 10 ms
	RSS, Peak int64         // bytes: resident now, and at most so far
	Anonymous int64         // bytes of RSS that no file backs
}

// tick is the unit of the kernel's CPU times, USER_HZ, which is 100 on every
// Linux that Go runs on.
const tick = 10 * time.Millisecond

// UsageOf reads the usage of a process.
func UsageOf(pid int) (Usage, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Usage{}, fmt.Errorf("bench: %w", err)
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return Usage{}, fmt.Errorf("bench: %w", err)
	}
	return parseUsage(stat, status)
}

func parseUsage(stat, status []byte) (u Usage, err error) {
	// The name in parentheses may hold anything, so count from its end.
	rest := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(rest) < 13 {
		return u, fmt.Errorf("bench: %q is no stat", stat)
	}
	for _, s := range rest[11:13] { // utime, stime
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return u, fmt.Errorf("bench: stat: %w", err)
		}
		u.CPU += time.Duration(n) * tick
	}
	for key, to := range map[string]*int64{"VmRSS": &u.RSS, "VmHWM": &u.Peak, "RssAnon": &u.Anonymous} {
		kB, err := kilobytes(status, key)
		if err != nil {
			return u, err
		}
		*to = kB << 10
	}
	return u, nil
}
