// Package demand holds what all models of the forecaster assume about a demand series.
package demand

import (
	"math"
	"time"
)

// LogOffset is the share of mean demand that is added before a logarithm is taken, so that the
// noise of quiet hours does not dominate.
const LogOffset = 0.05

// MaxSpan bounds the time that a history covers, so that differences of instants stay exact.
const MaxSpan = 100 * 365 * 24 * time.Hour

// After returns the instant n steps after t. It does not overflow, however long that is.
func After(t time.Time, step time.Duration, n int) time.Time {
	chunk := int(MaxSpan / step)
	for ; n > chunk; n -= chunk {
		t = t.Add(time.Duration(chunk) * step)
	}
	return t.Add(time.Duration(n) * step)
}

// maxValue caps what a single step may report, so that sums over a history stay finite.
const maxValue = 1e18

// Clean maps values that cannot be demand to what they most likely stand for. A negative value
// becomes zero, an infinity a gap (NaN), and a huge value is capped.
func Clean(v float64) float64 {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return math.NaN()
	case v < 0:
		return 0
	case v > maxValue:
		return maxValue
	}
	return v
}
