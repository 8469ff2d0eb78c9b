package gpuwarm

import (
	"fmt"
	"hash/fnv"
	"time"
)

// Path is what was warm when a pod started. It decides most of how long the start takes.
type Path string

// The paths of a start. The zero Path is not known (yet).
const (
	// PathUnknown is the path of a start of which the API does not say (yet) what was warm.
	PathUnknown Path = ""
	// PathWarm is a start on a node that was there and had the image.
	PathWarm Path = "Warm"
	// PathColdImage is a start on a node that was there and had to pull the image.
	PathColdImage Path = "ColdImage"
	// PathColdNode is a start that waited for its node to come up.
	PathColdNode Path = "ColdNode"
)

// Key says what a start is comparable with.
type Key struct {
	// Image is the digest of the main container's image, or its reference where no digest is known.
	Image string
	// Pool is the node pool, or the instance type where the node names no pool.
	Pool string
	// Accelerator is the product, or the resource name where the node names no product; empty without one.
	Accelerator string
}

// String is a short hash, "image-place", as it is kept in status. The two halves can be compared on their own.
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

// Start is one start of one pod. A zero time has not happened, or is not known. Times of the API have a resolution of one second,
// and those of the node come from the node's clock; [Observe] has put them in order.
type Start struct {
	// Pod is the UID of the pod.
	Pod string
	// Name of the pod, for people.
	Name string
	// Node that the pod is bound to.
	Node string
	// Created is when the API server made the pod.
	Created time.Time
	// Scheduled is when the pod was bound to a node.
	Scheduled time.Time
	// Initialized is when its init containers were through.
	Initialized time.Time
	// Started is when its last container began to run for the first time; zero once a container was restarted.
	Started time.Time
	// Ready is when the pod became Ready. Whether that was for the first time is for the [Learner] to say, who watches.
	Ready time.Time
	// Unready is when a pod that is not Ready now was Ready last; zero for one that never was, as far as its conditions tell.
	Unready time.Time
	// Ended is when the pod was asked to go, or its containers had ended. A start that was Ready before has not failed.
	Ended time.Time
	// Pull is the time that pulling the images took by the kubelet's own account; zero where it is not known.
	Pull time.Duration
	// Path is what was warm.
	Path Path
	// Key says what the start is comparable with.
	Key Key
	// Restarts of all containers so far.
	Restarts int32
	// Failure is why the pod cannot become Ready as things are, such as CrashLoopBackOff or ImagePullBackOff; empty otherwise.
	Failure string
}

// Phase names a part of a start.
type Phase string

// The phases of a start, in order.
const (
	// PhaseSchedule is created to bound, and so holds the wait for a node.
	PhaseSchedule Phase = "schedule"
	// PhaseInit is bound to initialized: volumes, sandbox, init containers.
	PhaseInit Phase = "init"
	// PhaseImage is the pull of the images; with the start of the containers where the kubelet's own account is not at hand.
	PhaseImage Phase = "image"
	// PhaseStart is the rest until the last container runs.
	PhaseStart Phase = "start"
	// PhaseLoad is running to Ready: weights, compilation, first probes.
	PhaseLoad Phase = "load"
)

// Phases lists the phases in their order.
func Phases() []Phase {
	return []Phase{PhaseSchedule, PhaseInit, PhaseImage, PhaseStart, PhaseLoad}
}

// Durations are the lengths of the phases that are over. A phase that is not in the map is not over or not known; none is
// negative, and those of a complete start add up to the whole.
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
