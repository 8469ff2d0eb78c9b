// Package gain says how much lower one cost is than another, as a whole and week by week.
package gain

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"headstart.dev/headstart/report/internal/format"
)

// Gain is how much lower the weighed cost of Headstart is than that of the policy of today. The
// weighed cost is the replica-hours plus the shortage cost times the unserved ones.
type Gain struct {
	// Share is the saved share of today's weighed cost. It is negative if Headstart's is higher.
	Share float64 `json:"share"`
	// Weeks are the shares of each whole week. There are none for fewer than two weeks.
	Weeks []float64 `json:"weeks,omitempty"`
	// Cheaper is the number of weeks in which it was lower.
	Cheaper int `json:"cheaper,omitempty"`
	// Low and High are the 95 % confidence interval of the mean week. They are nil for fewer than
	// three weeks.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
}

// Of returns the gain of a weighed cost over that of the policy of today. The weeks are relative to
// one oracle.
func Of(head, today float64, headWeeks, todayWeeks []float64) *Gain {
	g := &Gain{Share: saved(head, today)}
	if len(headWeeks) != len(todayWeeks) {
		return g
	}
	for i, week := range headWeeks {
		share := saved(week, todayWeeks[i])
		g.Weeks = append(g.Weeks, share)
		if share > 0 {
			g.Cheaper++
		}
	}
	if half, ok := HalfWidth(g.Weeks); ok {
		mean := stat.Mean(g.Weeks, nil)
		low, high := mean-half, mean+half
		g.Low, g.High = &low, &high
	}
	return g
}

// saved returns which share of before is saved. More than nothing is a loss, and no gain of all.
func saved(now, before float64) float64 {
	switch {
	case now == before:
		return 0
	case before == 0:
		return -1
	}
	return 1 - now/before
}

// Unreliable reports whether the mean week may have no gain.
func (g *Gain) Unreliable() bool { return g.Low != nil && *g.Low <= 0 }

// String describes the weeks in a sentence without a full stop. It is "" for fewer than two weeks.
func (g *Gain) String() string {
	if len(g.Weeks) < 2 {
		return ""
	}
	saved := format.Percent(slices.Min(g.Weeks))
	if most := format.Percent(slices.Max(g.Weeks)); most != saved {
		saved += " to " + most
	}
	text := fmt.Sprintf("week by week, the weighed cost of Headstart is lower in %d of %d weeks, by %s",
		g.Cheaper, len(g.Weeks), saved)
	if g.Low != nil {
		text += fmt.Sprintf("; in an average week by %s to %s, with 95 %% confidence",
			format.Percent(*g.Low), format.Percent(*g.High))
	}
	return text
}

// HalfWidth returns half the width of the 95 % confidence interval of a mean, by Student's t. It
// returns false for fewer than three values.
func HalfWidth(x []float64) (float64, bool) {
	if len(x) < 3 {
		return 0, false
	}
	n := float64(len(x))
	return distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(0.975) * stat.StdDev(x, nil) / math.Sqrt(n), true
}
