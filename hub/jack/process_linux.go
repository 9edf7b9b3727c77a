package jack

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel end the child with us, even if we are killed.
// The child ends by itself too, at the end of its standard input.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
