package controlplane

import "syscall"

// childAttr gives the child a process group of its own, so that Ctrl-C reaches this process alone,
// which then stops its children in order. The kernel kills the child if this process dies before
// that.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
