package app

import (
	"os"
	"runtime"

	"headstart.dev/headstart/controller"
)

// serveBesideFits lets more goroutines run at once than there are cores, where there are few. A fit
// computes for seconds. Go takes it off its place after 10 ms at the earliest, and a request passes
// through several goroutines. With as many fits as places a request so took 70 ms, beside fits on two
// cores. With more places the kernel shares the cores, which wakes who has waited.
func serveBesideFits() {
	n := places(runtime.GOMAXPROCS(0), runtime.NumCPU(), os.Getenv("GOMAXPROCS") != "")
	if n != runtime.GOMAXPROCS(0) {
		runtime.GOMAXPROCS(n)
	}
}

// places returns how many goroutines run at once. It leaves alone what a user has set, and what a CPU
// limit of the container has: with more threads such a limit is used up sooner, and then all of them
// stand still.
func places(now, cores int, set bool) int {
	if set || now < cores || now > 2*controller.PlanWorkers {
		return now
	}
	return now + controller.PlanWorkers
}
