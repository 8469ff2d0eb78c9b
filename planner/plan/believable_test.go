package plan

import (
	"math"
	"testing"
	"time"
)

func TestBelievable(t *testing.T) {
	of := func(values ...float64) *Plan { return &Plan{Segments: []Segment{{Step: time.Minute, Values: values}}} }
	cases := map[string]struct {
		reason   string
		plan     *Plan
		capacity float64
		want     float64
	}{
		"Largest":    {"a multiple of the largest value", of(10, 200, 50), 20, 20_000},
		"Idle":       {"the demand of some replicas is believed of an idle service", of(0, 0), 20, 2000},
		"NoForecast": {"a plan without a forecast does not say what is usual", of(10, math.NaN()), 20, math.Inf(1)},
		"NoCapacity": {"nor is it known what is little demand", of(10, 200), 0, math.Inf(1)},
		"NoPlan":     {"without a plan everything is believed", nil, 20, math.Inf(1)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.plan.Believable(c.capacity); got != c.want {
				t.Errorf("%s: %g, want %g", c.reason, got, c.want)
			}
		})
	}
}
