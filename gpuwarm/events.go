package gpuwarm

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// podEvents is what a pod's events say about its start.
type podEvents struct {
	scaledUp bool          // the cluster autoscaler adds a node for it
	pulling  bool          // an image is being pulled
	pulled   bool          // an image was pulled
	present  bool          // an image was already on the node
	pull     time.Duration // the longest pull, including the wait for others
}

// path is the path according to the pulls.
func (e podEvents) path() Path {
	switch {
	case (e.present || e.pulled) && e.pull < coldPull:
		return PathWarm // or imagePullPolicy Always only checked the registry
	case e.pulled, e.pulling:
		return PathColdImage
	}
	return PathUnknown
}

func eventsOf(pod *corev1.Pod, events []corev1.Event) podEvents {
	out := podEvents{}
	for i := range events {
		e := &events[i]
		if e.InvolvedObject.UID != "" && e.InvolvedObject.UID != pod.UID {
			continue
		}
		switch e.Reason {
		case "TriggeredScaleUp":
			out.scaledUp = true
		case "Pulling":
			out.pulling = true
		case "Pulled":
			if strings.Contains(e.Message, "already present on machine") {
				out.present = true
				continue
			}
			out.pulled = true
			out.pull = max(out.pull, pullTime(e.Message))
		}
	}
	return out
}

// pullTime parses the time of a pull from the kubelet's message, which is
//
//	Successfully pulled image "x" in 4m3.2s (4m5.1s including waiting). Image size: 123 bytes.
//
// It returns the time that includes waiting, since the pod waited for all of it; 0 for any other
// message.
func pullTime(message string) time.Duration {
	_, rest, found := strings.Cut(message, `" in `)
	if !found {
		return 0
	}
	without, rest, _ := strings.Cut(rest, " ")
	if waiting, ok := strings.CutPrefix(rest, "("); ok {
		with, _, _ := strings.Cut(waiting, " ")
		if d, err := time.ParseDuration(with); err == nil && d > 0 {
			return d
		}
	}
	d, err := time.ParseDuration(strings.TrimSuffix(without, "."))
	if err != nil || d < 0 {
		return 0
	}
	return d
}
