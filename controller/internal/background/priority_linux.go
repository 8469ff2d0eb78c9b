package background

import "syscall"

// nice is the priority of a computation. While both want all of a core, a request's thread gets
// about three times the time. The lowest priority, 19, gave slower requests: the garbage collector
// stops all threads for a moment, and waits for each of them to run.
const nice = 5

// lowerPriority lowers the priority of the calling thread. Where that is not allowed, the thread
// keeps its priority.
func lowerPriority() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), nice) }
