//go:build !linux

package background

// lowerPriority does nothing: threads have a priority of their own on Linux only.
func lowerPriority() {}
