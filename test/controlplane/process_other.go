//go:build unix && !linux

package controlplane

import "syscall"

// childAttr gives the child a process group of its own, so that Ctrl-C reaches this process alone and it can stop its children
// in order. Only Linux can also tie the child's life to this process.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
