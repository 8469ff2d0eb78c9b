package controlplane

import "syscall"

// childAttr gives the child a process group of its own, so that Ctrl-C reaches this process alone and it can stop its children
// in order, and has the child killed when this process dies without doing so.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
