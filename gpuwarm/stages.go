package gpuwarm

import (
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// stageQuantile of the starts have their node, or their image, within the learned stage.
	stageQuantile = 0.9
	// minStageStarts is how many starts a learned stage needs.
	minStageStarts = 3
)

// stages returns how long a start waited for a new node, and for the pull of its image; 0 when it
// did not wait for one.
func (s Start) stages() (node, pull time.Duration) {
	d := s.Durations()
	switch s.Path {
	case PathColdNode:
		return d[PhaseSchedule], d[PhaseImage]
	case PathColdImage:
		return 0, d[PhaseImage]
	}
	return 0, 0
}

// LearnedStages returns how long a new node takes and how long a pull takes: the 90th percentile of
// the starts that waited for one. Each is 0 when fewer than three did.
func LearnedStages(records []v1alpha1.StartRecord) (node, pull time.Duration) {
	var nodes, pulls []int32
	for _, r := range records {
		if r.NodeSeconds > 0 {
			nodes = append(nodes, r.NodeSeconds)
		}
		if r.PullSeconds > 0 {
			pulls = append(pulls, r.PullSeconds)
		}
	}
	return learnedStage(nodes), learnedStage(pulls)
}

func learnedStage(secs []int32) time.Duration {
	if len(secs) < minStageStarts {
		return 0
	}
	slices.Sort(secs)
	i := int(math.Ceil(stageQuantile*float64(len(secs)+1))) - 1
	return time.Duration(secs[min(i, len(secs)-1)]) * time.Second
}
