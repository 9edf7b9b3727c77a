package ingest

import (
	"runtime"

	"golang.org/x/sys/unix"
)

const background = 10 // as nice(1)

// stepBack lets everything else on the machine go first, music that plays
// above all. On Linux a priority is a thread's own: the calling goroutine
// keeps its thread, which ends with it.
func stepBack() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, background) // refused: we only are less polite
}
