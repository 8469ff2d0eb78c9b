package gpuwarm

import "time"

// actuation is the time from the HPA's write to the pod's creation: the workload's controller,
// admission, and the second by which the API's times are rounded down.
const actuation = time.Second

// ControlLoop is the delay between a changed number and a created pod. It does not include the ramp
// of the HPA's scale-up policy: the planner accounts for that by going backwards over the plan.
type ControlLoop struct {
	// HPASync is the period of the HPA controller (--horizontal-pod-autoscaler-sync-period). A
	// value that changes just after a sync waits for the next one.
	HPASync time.Duration
	// Refresh is the time until a new plan is served: read, plan, write, watch.
	Refresh time.Duration
	// Settle is how long the newest step is waited for. So much later than the step's end a
	// decision is made.
	Settle time.Duration
}

// Delay is the longest delay of the loop: HPASync + Refresh + Settle + 1 s. It is the longest and
// not the mean, because a replica that is requested one sync late is late for the whole lead
// window.
//
// The resolution of the series is not part of it. The plan is a function of time: the step that
// begins now is served from now on. That a lead ends in the middle of a step is accounted for by
// ceil(lead / step) in the lead window.
func (c ControlLoop) Delay() time.Duration {
	return max(0, c.HPASync) + max(0, c.Refresh) + max(0, c.Settle) + actuation
}
