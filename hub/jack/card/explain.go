package card

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Fault is why there is no sound card, in one line for people; Err is all that
// oto and ALSA said.
type Fault struct {
	Why string
	Err error
}

func (f *Fault) Error() string { return f.Why }
func (f *Fault) Unwrap() error { return f.Err }

// explain makes one clear line of what oto says, which names every device
// that ALSA can think of. dev is where the cards' devices are, "/dev/snd".
func explain(err error, dev string) error {
	devices, globErr := filepath.Glob(filepath.Join(dev, "pcmC*p"))
	said := err.Error()
	has := func(s string) bool { return strings.Contains(said, s) }
	why := ""
	switch {
	case has("failed to load libasound"):
		why = "no sound card found (the library libasound.so.2 is missing: apt install libasound2)"
	case globErr == nil && len(devices) == 0 && has("ALSA device initialization failed"):
		why = "no sound card found (there is no playback device in " + dev + ")"
	case has("Permission denied"):
		why = "no sound card found (not allowed to open it: add the user to the group audio)"
	case has("Device or resource busy"):
		why = "no sound card found (another program has it open)"
	default:
		why = fmt.Sprintf("no sound card found (%s)", first(said))
	}
	return &Fault{Why: why, Err: err}
}

// first returns what ALSA said about its default device, which is what counts,
// or the head of the text.
func first(said string) string {
	if m := regexp.MustCompile(`"default": (?:oto: )?(?:ALSA error at )?([^,]+)`).FindStringSubmatch(said); m != nil {
		said = m[1]
	}
	return said[:min(len(said), 200)]
}
