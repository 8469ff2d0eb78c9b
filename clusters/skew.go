package clusters

import (
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// skewSamples is how many of the newest samples count.
	skewSamples = 16
	// minSkewSamples is from how many on the estimate is told.
	minSkewSamples = 3
)

// skew estimates how far another clock is ahead of this one, from the times at which statuses were
// written by that clock and were seen by this one. Each sample is late by what the message took, so
// the largest of some is nearest. Times of a status are cut to the second, half of which is added.
type skew struct {
	last    time.Time
	samples []time.Duration
}

// add adds a sample. A status that was seen before is none.
func (s *skew) add(written, seen time.Time) {
	if written.Equal(s.last) {
		return
	}
	s.last = written
	s.samples = append(s.samples, written.Add(time.Second/2).Sub(seen))
	if len(s.samples) > skewSamples {
		s.samples = s.samples[1:]
	}
}

// FormatSkew returns a skew as status has it: with a minus sign where the other clock is behind.
func FormatSkew(skew time.Duration) string {
	if skew < 0 {
		return "-" + string(v1alpha1.FormatDuration(-skew))
	}
	return string(v1alpha1.FormatDuration(skew))
}

// estimate returns how far the other clock is ahead. It reports whether that is known.
func (s *skew) estimate() (time.Duration, bool) {
	if len(s.samples) < minSkewSamples {
		return 0, false
	}
	return slices.Max(s.samples).Round(time.Second), true
}
