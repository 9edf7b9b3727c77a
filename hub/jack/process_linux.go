package jack

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// niceness of the child: sound that comes late is heard, most other work is
// not.
const niceness = -10

// dieWithParent has the kernel end the child with us, even if we are killed.
// The child ends by itself too, at the end of its standard input. Its own
// process group keeps a terminal's Ctrl-C from it: the hub decides.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr.Setpgid = true
}

// favour lets a child go before others, if we may. On Linux niceness belongs
// to threads: a group is the only way to reach all of a process.
func favour(pid int) {
	_ = unix.Setpriority(unix.PRIO_PGRP, pid, niceness) // without the right to it the sound is only less safe
}
