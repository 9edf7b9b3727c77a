//go:build linux

package airplay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// The running program starts itself again in other namespaces; these variables
// tell which part it has there.
const (
	stageVar = "SONAHUB_LAB_STAGE"
	treeVar  = "SONAHUB_LAB_TREE"
	roomVar  = "SONAHUB_LAB_ROOM"
	hubStage = "hub"
	roomPart = "room"
)

// priority (a nice value) is high, so that what else runs on the machine is
// not heard. It counts within the session and, where the kernel groups
// processes by session, between sessions.
const priority = -15

// Main runs tests inside the laboratory; call it from TestMain with m.Run and
// exit with what it returns. The program starts itself again as the first
// process of fresh network, mount and process namespaces: that one is the
// hub's machine, everything that it starts dies with it, and the machine's own
// network is out of its reach.
func Main(tests func() int) int {
	switch os.Getenv(stageVar) {
	case hubStage:
		if err := enter(); err != nil {
			fmt.Fprintln(os.Stderr, "laboratory:", err)
			return 1
		}
		return tests()
	case roomPart:
		if err := roomMain(); err != nil {
			fmt.Fprintln(os.Stderr, "room:", err)
			return 1
		}
		return 0
	}
	code, err := outside(os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "laboratory:", err)
		return 1
	}
	return code
}

// outside prepares the tree and runs the program again inside.
func outside(log io.Writer) (int, error) {
	tree, err := Prepare(context.Background(), log)
	if err != nil {
		return 1, err
	}
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	runtime.LockOSThread() // the death signal is tied to the thread that starts the child
	defer runtime.UnlockOSThread()
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), stageVar+"="+hubStage, treeVar+"="+tree)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true,
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC}
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

// enter makes the new namespaces habitable.
func enter() error {
	group, err := os.OpenFile("/proc/self/autogroup", os.O_WRONLY, 0)
	if err == nil { // a kernel without such groups needs nothing
		_, err = fmt.Fprint(group, priority)
		err = errors.Join(err, group.Close())
		if err != nil {
			return err
		}
	}
	return errors.Join(
		mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		mount("proc", "/proc", "proc", 0, ""),
		mount("tmpfs", "/run", "tmpfs", 0, "mode=755"), // the machine's own sockets and namespaces stay out of reach
		run(context.Background(), os.Stderr, "ip", "link", "set", "lo", "up"))
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}
