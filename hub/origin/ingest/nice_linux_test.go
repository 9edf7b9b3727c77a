package ingest

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStepBack wants a thread to be as it was afterwards. To see it fail:
// return before the policy is set back.
func TestStepBack(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	policy := func() uint32 {
		a, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Skipf("the kernel does not tell the policy here: %v", err)
		}
		return a.Policy
	}
	before := policy()
	back := stepBack()
	during := policy()
	back()
	if before == unix.SCHED_NORMAL && during != unix.SCHED_BATCH {
		t.Errorf("policy %d while encoding", during)
	}
	if after := policy(); after != before {
		t.Errorf("policy %d before and %d after", before, after)
	}
}
