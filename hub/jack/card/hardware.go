package card

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"sonahub/hub/audio"
)

// hardware is what /proc tells about the card that this process has opened.
// The zero value means that it has none open itself: a sound server has.
type hardware struct {
	name   string
	rate   audio.Rate
	bits   int // 0 = a sample format that is not plain integers
	buffer audio.Pos
	period audio.Pos
	shared bool // through ALSA's mixer (dmix), which other programs may use too
}

// inexact says why samples may not reach the card as they are; empty if they
// do. What the card's own mixer does to them nobody can see.
func (h hardware) inexact(rate audio.Rate) string {
	switch {
	case h.rate == 0:
		return "a sound server or a plugin is in between"
	case h.shared:
		return "the card is shared through ALSA's mixer"
	case h.rate != rate:
		return fmt.Sprintf("the card runs at %d Hz", h.rate)
	case h.bits == 0:
		return "the card's sample format is not known"
	}
	return ""
}

// maxProc bounds what is read of a file in /proc.
const maxProc = 1 << 14

// inspect looks for an opened playback device of this process below proc
// ("/proc").
func inspect(proc string) hardware {
	fds, err := os.ReadDir(filepath.Join(proc, "self/fd"))
	if err != nil {
		return hardware{}
	}
	device := regexp.MustCompile(`^/dev/snd/pcmC(\d+)D(\d+)p$`)
	var h hardware
	shared := false
	for _, fd := range fds {
		to, err := os.Readlink(filepath.Join(proc, "self/fd", fd.Name()))
		if err != nil {
			continue
		}
		if to == "/dev/snd/timer" { // what dmix wakes by
			shared = true
		}
		if m := device.FindStringSubmatch(to); m != nil {
			h = readHardware(proc, m[1], m[2])
		}
	}
	h.shared = shared
	return h
}

// readHardware reads the parameters of the substream that we opened.
func readHardware(proc, card, device string) hardware {
	dir := filepath.Join(proc, "asound", "card"+card)
	subs, err := filepath.Glob(filepath.Join(dir, "pcm"+device+"p", "sub*"))
	if err != nil {
		return hardware{}
	}
	for _, sub := range subs {
		owner := fields(filepath.Join(sub, "status"))["owner_pid"]
		if _, err := os.Stat(filepath.Join(proc, "self/task", owner)); owner == "" || err != nil {
			continue
		}
		f := fields(filepath.Join(sub, "hw_params"))
		return hardware{
			name:   cardName(dir),
			rate:   audio.Rate(number(f["rate"])),
			bits:   bits(f["format"]),
			buffer: audio.Pos(number(f["buffer_size"])),
			period: audio.Pos(number(f["period_size"])),
		}
	}
	return hardware{}
}

// fields reads lines of the form "key: value".
func fields(name string) map[string]string {
	out := map[string]string{}
	b, err := os.ReadFile(name)
	if err != nil || len(b) > maxProc {
		return out
	}
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		if key, value, ok := strings.Cut(sc.Text(), ":"); ok {
			out[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return out
}

// number reads the leading number of "48000 (48000/1)"; 0 if there is none or
// no sane one.
func number(s string) int {
	head, _, _ := strings.Cut(s, " ")
	n, err := strconv.Atoi(head)
	if err != nil || n < 0 || n > 1<<24 {
		return 0
	}
	return n
}

// bits tells the depth of a sample format of ALSA's, 0 for one that is not
// plain integers.
func bits(format string) int {
	switch head, _, _ := strings.Cut(format, "_"); head {
	case "S16":
		return 16
	case "S20":
		return 20
	case "S24":
		return 24
	case "S32":
		return 32
	}
	return 0
}

func cardName(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "id"))
	if err != nil || len(b) > maxProc {
		return "sound card"
	}
	return strings.TrimSpace(string(b))
}
