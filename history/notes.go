package history

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Notes are what the reader of a series should know beside its values.
type Notes struct {
	// NotFinite, Negative and TooHigh count the samples that were NaN or infinite, below zero, or
	// above [MaxDemand]. All of these are gaps.
	NotFinite, Negative, TooHigh int
	// Warnings are the warnings and infos of the server, each once.
	Warnings []string
	// Partial is how many steps the server answered in part only: some of its stores did not answer,
	// so the values may be too low.
	Partial int
	// Coarse describes samples that are further apart than the steps; nil when there are none.
	Coarse *Coarse
}

// Coarse describes a part of a series that has fewer samples than steps: old data that was
// downsampled, or a recording rule with a longer interval.
type Coarse struct {
	// From and To are where that part begins and ends.
	From, To time.Time
	// Every is how far apart the samples are.
	Every time.Duration
}

const (
	// maxWarnings bounds what is kept of a server's warnings.
	maxWarnings = 5
	// maxQuoted bounds, in bytes, a text of the server or of the user that a message repeats.
	maxQuoted = 200
)

// warn notes warnings of the server, each once.
func (n *Notes) warn(texts ...string) {
	for _, t := range texts {
		if len(n.Warnings) == maxWarnings {
			return
		}
		if t = abridgeTo(strings.ReplaceAll(t, "\n", "; "), maxQuoted); !slices.Contains(n.Warnings, t) {
			n.Warnings = append(n.Warnings, t)
		}
	}
}

// add counts the notes of another request as well.
func (n *Notes) add(other Notes) {
	n.NotFinite += other.NotFinite
	n.Negative += other.Negative
	n.TooHigh += other.TooHigh
	n.Partial += other.Partial
	n.warn(other.Warnings...)
}

// List returns the notes as sentences without a full stop.
func (n Notes) List() []string {
	var out []string
	if n.Partial > 0 {
		out = append(out, fmt.Sprintf("%d steps were answered in part only, and may be too low: some stores behind the "+
			"source did not answer", n.Partial))
	}
	for _, c := range []struct {
		what  string
		count int
	}{
		{"NaN or infinite", n.NotFinite},
		{"negative", n.Negative},
		{fmt.Sprintf("above %g", MaxDemand), n.TooHigh},
	} {
		if c.count > 0 {
			out = append(out, fmt.Sprintf("samples that were %s, and are gaps: %d", c.what, c.count))
		}
	}
	for _, w := range n.Warnings {
		out = append(out, "Prometheus says: "+w)
	}
	if c := n.Coarse; c != nil {
		out = append(out, fmt.Sprintf("from %s to %s the value changes every %s at most, which is more than a step: the "+
			"source has downsampled it, or scrapes or records it that seldom; use a resolution of %s",
			c.From.UTC().Format(time.RFC3339), c.To.UTC().Format(time.RFC3339),
			model.Duration(c.Every), model.Duration(c.Every)))
	}
	return out
}

// String returns the notes in one line.
func (n Notes) String() string { return strings.Join(n.List(), "; ") }

// demand returns the demand of the sample v; NaN when v cannot be demand.
func (n *Notes) demand(v float64) float64 {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		n.NotFinite++
		return math.NaN()
	case v < -roundingError:
		n.Negative++
		return math.NaN()
	case v > MaxDemand:
		n.TooHigh++
		return math.NaN()
	}
	return max(v, 0)
}

// roundingError is how far below zero a sum of floats may fall that should have been zero.
const roundingError = 1e-9

// isPromQLWarning reports whether a warning is about the query. The answer is whole then.
func isPromQLWarning(text string) bool {
	return strings.HasPrefix(text, "PromQL warning: ") || strings.HasPrefix(text, "PromQL info: ") ||
		text == "results truncated due to limit"
}

const (
	// coarseWindow is how many steps are looked at together, to find samples that are further apart.
	coarseWindow = 1440
	// coarseChanges is how many changes of the value a window must have at least. So many that come
	// at the same distances by chance are one window in 30,000.
	coarseChanges = 16
)

// coarse finds the steps of a series whose samples are further apart than the steps: gaps between
// them, or the same value again. It returns nil when there are none.
func coarse(s Series) *Coarse {
	var out *Coarse
	for first := 0; first < len(s.Values); first += coarseWindow {
		end := min(first+coarseWindow, len(s.Values))
		every := distance(s.Values[first:end])
		if every < 2 {
			continue
		}
		if out == nil {
			out = &Coarse{From: s.Start.Add(time.Duration(first) * s.Step)}
		}
		out.To = s.Start.Add(time.Duration(end) * s.Step)
		out.Every = max(out.Every, time.Duration(every)*s.Step)
	}
	return out
}

// distance returns the largest distance of which all distances between changes of the value are
// multiples; 0 where there are too few changes to tell.
func distance(values []float64) int {
	last, changes, common := -1, 0, 0
	value := math.NaN()
	for i, v := range values {
		if math.IsNaN(v) || v == value {
			continue
		}
		switch {
		case math.IsNaN(value): // The first value may have begun before.
		case last < 0:
			last = i
		default:
			common, last = gcd(common, i-last), i
			changes++
		}
		value = v
	}
	if changes < coarseChanges {
		return 0
	}
	return common
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
