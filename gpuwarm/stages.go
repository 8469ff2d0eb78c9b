package gpuwarm

import (
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// stagePercentile of the starts have their node, or their image, within the lead that is learned for that stage.
	stagePercentile = 0.9
	// stageStarts is how many of them it takes.
	stageStarts = 3
)

// stages are how long a start waited for a node that had to come up, and for its image to be pulled; 0 where it did not.
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

// LearnedStages are how long a node takes to come up and how long a pull takes, at the 90th percentile of the starts that had to wait for one; 0 where
// fewer than three did.
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
	if len(secs) < stageStarts {
		return 0
	}
	slices.Sort(secs)
	i := int(math.Ceil(stagePercentile*float64(len(secs)+1))) - 1
	return time.Duration(secs[min(i, len(secs)-1)]) * time.Second
}
