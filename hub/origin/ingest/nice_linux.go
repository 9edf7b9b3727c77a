package ingest

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// stepBack has the calling goroutine's work give way to whatever wakes up on
// the machine, music that plays above all, until the returned function is
// called in the same goroutine. A niceness would do more, but only root may
// take it back; the thread would have to end, and the kernel ends every child
// that was started from it and is to die with its parent, such as the jack.
func stepBack() (back func()) {
	runtime.LockOSThread()
	before, err := unix.SchedGetAttr(0, 0)
	if err != nil || before.Policy != unix.SCHED_NORMAL {
		return runtime.UnlockOSThread // refused, or somebody chose already: we only are less polite
	}
	batch := *before
	batch.Policy = unix.SCHED_BATCH
	if unix.SchedSetAttr(0, &batch, 0) != nil {
		return runtime.UnlockOSThread
	}
	return func() {
		_ = unix.SchedSetAttr(0, before, 0) // to the usual policy everybody may return
		runtime.UnlockOSThread()
	}
}
