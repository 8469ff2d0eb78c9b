package report

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"headstart.dev/headstart/report/internal/format"
)

// worthwhileShare is the share of today's cost that Headstart must save before the report advises
// to switch it on.
const worthwhileShare = 0.05

// Gain is what Headstart saves compared with the policy of today. Costs include unserved demand.
type Gain struct {
	// Share is the saved share of today's cost. It is negative if Headstart costs more.
	Share float64 `json:"share"`
	// Weeks are the shares of each whole week. There are none for fewer than two weeks.
	Weeks []float64 `json:"weeks,omitempty"`
	// Cheaper is the number of weeks with a share above 0.
	Cheaper int `json:"cheaper,omitempty"`
	// Low and High are the 95 % confidence interval of the mean week. They are nil for fewer than
	// three weeks.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
}

func gainOf(head, today Result) *Gain {
	g := &Gain{Share: 1 - ratio(head.Cost, today.Cost)}
	if len(head.Weeks) != len(today.Weeks) {
		return g
	}
	for i, week := range head.Weeks { // both are relative to the same oracle
		share := 1 - ratio(week, today.Weeks[i])
		g.Weeks = append(g.Weeks, share)
		if share > 0 {
			g.Cheaper++
		}
	}
	if half, ok := halfWidth(g.Weeks); ok {
		mean := stat.Mean(g.Weeks, nil)
		low, high := mean-half, mean+half
		g.Low, g.High = &low, &high
	}
	return g
}

// Worthwhile reports whether the gain is large enough to advise a change.
func (g *Gain) Worthwhile() bool { return g.Share > worthwhileShare }

// String describes the weeks in a sentence without a full stop. It is "" for fewer than two weeks.
func (g *Gain) String() string {
	if len(g.Weeks) < 2 {
		return ""
	}
	saved := format.Percent(slices.Min(g.Weeks))
	if most := format.Percent(slices.Max(g.Weeks)); most != saved {
		saved += " to " + most
	}
	text := fmt.Sprintf("Headstart is cheaper in %d of %d weeks and saves %s of the cost", g.Cheaper, len(g.Weeks), saved)
	if g.Low != nil {
		text += fmt.Sprintf("; in an average week it saves %s to %s, with 95 %% confidence",
			format.Percent(*g.Low), format.Percent(*g.High))
	}
	return text
}

// halfWidth returns half the width of the 95 % confidence interval of a mean, by Student's t. It
// returns false for fewer than three values.
func halfWidth(x []float64) (float64, bool) {
	if len(x) < 3 {
		return 0, false
	}
	n := float64(len(x))
	return distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(0.975) * stat.StdDev(x, nil) / math.Sqrt(n), true
}
