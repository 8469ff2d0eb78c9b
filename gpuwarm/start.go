package gpuwarm

import (
	"fmt"
	"hash/fnv"
	"time"
)

// Path is what was warm when a pod started. It determines most of how long the start takes.
type Path string

// The paths of a start.
const (
	// PathUnknown is a path that cannot be derived from the API, or not yet.
	PathUnknown Path = ""
	// PathWarm is a start on an existing node that had the image.
	PathWarm Path = "Warm"
	// PathColdImage is a start on an existing node that had to pull the image.
	PathColdImage Path = "ColdImage"
	// PathColdNode is a start that waited for a new node.
	PathColdNode Path = "ColdNode"
)

// Key identifies comparable starts.
type Key struct {
	// Image is the digest of the main container's image, or its reference while no digest is known.
	Image string
	// Pool is the node pool, or the instance type when no label names a pool.
	Pool string
	// Accelerator is its model, or the resource name when no label names a model; empty without
	// one.
	Accelerator string
}

// String is a short hash "image-place" for status, where place stands for pool and accelerator.
// Each half can be compared on its own.
func (k Key) String() string {
	if k == (Key{}) {
		return ""
	}
	return shortHash(k.Image) + "-" + shortHash(k.Pool+"\x00"+k.Accelerator)
}

func shortHash(s string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // never fails
	return fmt.Sprintf("%07x", h.Sum32()>>4)
}

// Start is one start of one pod. A zero time has not happened, or is not known. The API's times
// have a resolution of one second. Those of the node come from its clock, and [Observe] has put
// them in order.
type Start struct {
	// Pod is the UID of the pod.
	Pod string
	// Name of the pod, for display.
	Name string
	// Node that the pod is bound to.
	Node string
	// Created is when the pod was created.
	Created time.Time
	// Scheduled is when the pod was bound to a node.
	Scheduled time.Time
	// Initialized is when its init containers had finished.
	Initialized time.Time
	// Started is when its last container started for the first time; zero once a container was
	// restarted.
	Started time.Time
	// Ready is when the pod became Ready. Only the [Learner] knows whether that was the first time.
	Ready time.Time
	// Unready is when a pod that is not Ready now became unready; zero when it never was Ready, as
	// far as its conditions show.
	Unready time.Time
	// Ended is when the deletion of the pod was requested, or its containers ended. A start that
	// was Ready before did not fail.
	Ended time.Time
	// Pull is the time of the image pull according to the kubelet's events; zero when not known.
	Pull time.Duration
	// Path is what was warm.
	Path Path
	// Key identifies comparable starts.
	Key Key
	// Restarts of all containers so far.
	Restarts int32
	// Failure is why the pod cannot become Ready, such as CrashLoopBackOff or ImagePullBackOff;
	// empty otherwise.
	Failure string
}

// Phase names a part of a start.
type Phase string

// The phases of a start, in order.
const (
	// PhaseSchedule is created to bound. It includes the wait for a node.
	PhaseSchedule Phase = "schedule"
	// PhaseInit is bound to initialized: volumes, sandbox, init containers.
	PhaseInit Phase = "init"
	// PhaseImage is the pull of the images. Without the kubelet's events it includes PhaseStart.
	PhaseImage Phase = "image"
	// PhaseStart is the remaining time until the last container runs.
	PhaseStart Phase = "start"
	// PhaseLoad is running to Ready: weights, compilation, first probes.
	PhaseLoad Phase = "load"
)

// Phases returns the phases in their order.
func Phases() []Phase {
	return []Phase{PhaseSchedule, PhaseInit, PhaseImage, PhaseStart, PhaseLoad}
}

// Durations returns the lengths of the phases that are over. A phase that is not in the map is not
// over, or not known. None is negative. Those of a complete start add up to its total time.
func (s Start) Durations() map[Phase]time.Duration {
	out := map[Phase]time.Duration{}
	at := s.Created
	step := func(p Phase, end time.Time) bool {
		if end.IsZero() || at.IsZero() {
			return false
		}
		end = later(end, at)
		out[p], at = end.Sub(at), end
		return true
	}
	if !step(PhaseSchedule, s.Scheduled) {
		return out
	}
	step(PhaseInit, s.Initialized)
	if !s.Started.IsZero() {
		start := later(s.Started, at)
		pull := start.Sub(at)
		if s.Pull > 0 {
			pull = min(pull, s.Pull)
			out[PhaseStart] = start.Sub(at) - pull
		}
		out[PhaseImage], at = pull, start
	}
	if s.Started.IsZero() {
		return out
	}
	step(PhaseLoad, s.Ready)
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
