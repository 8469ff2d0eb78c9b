package gpuwarm

import "time"

// The parts of a control loop's delay that a cluster has unless it was set up otherwise.
const (
	// DefaultHPASync is the period of the HPA controller (--horizontal-pod-autoscaler-sync-period).
	DefaultHPASync = 15 * time.Second
	// actuation is from the HPA's write to the pod's creation: the workload's controller, admission, and the one second that
	// the API's times are rounded down by.
	actuation = time.Second
)

// ControlLoop is what passes between a number being due and a pod being created, but for the ramp that the HPA's scale-up policy
// imposes: the planner accounts for that by going backwards over the plan.
type ControlLoop struct {
	// HPASync is the period of the HPA controller: a value that changes just after a sync waits for the next one.
	HPASync time.Duration
	// Refresh is how long a new plan takes until it is served: reading, planning, writing, watching.
	Refresh time.Duration
	// Settle is how long the newest step is waited for. A decision for an origin is made that much after it.
	Settle time.Duration
}

// Delay is the longest that the loop takes: HPASync + Refresh + Settle + 1 s for the workload's controller and the API's one-second
// times. The longest and not the mean, because a replica that is asked for one sync late is late for the whole lead window.
//
// The resolution of the series is no part of it. The plan is a function of time: the step that begins now is served from now on, and
// that a lead ends in the middle of a step is what ceil(lead / step) in the lead window is for.
func (c ControlLoop) Delay() time.Duration {
	return max(0, c.HPASync) + max(0, c.Refresh) + max(0, c.Settle) + actuation
}
