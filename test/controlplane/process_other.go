//go:build unix && !linux

package controlplane

import "syscall"

// childAttr gives the child a process group of its own, so that Ctrl-C reaches this process alone,
// which then stops its children in order. Only Linux can also end the child with this process.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
