package report

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// The names of the policies.
const (
	PolicyHeadstart        = "headstart"
	PolicyHeadstartNoPeaks = "headstart-no-peaks"
	PolicyReactive         = "reactive"
	PolicyReactiveExact    = "reactive-exact"
	PolicyReactiveEarly    = "reactive-5m"
	PolicyTimed            = "timed"
	PolicyLastWeek         = "last-week"
	PolicyYesterday        = "yesterday"
	PolicyCrane            = "crane"
	PolicyPHPA             = "phpa"
	PolicyStatic           = "static"
	PolicyOracle           = "oracle"
)

// DefaultPolicies are set side by side where nothing else is asked for.
func DefaultPolicies() []string {
	return []string{PolicyHeadstart, PolicyReactive, PolicyStatic, PolicyOracle}
}

// AllPolicies are all of them, in the order of the report.
func AllPolicies() []string {
	return []string{
		PolicyHeadstart, PolicyHeadstartNoPeaks, PolicyReactive, PolicyReactiveExact, PolicyReactiveEarly, PolicyTimed, PolicyLastWeek,
		PolicyYesterday, PolicyCrane, PolicyPHPA, PolicyStatic, PolicyOracle,
	}
}

// baseline is a policy of today: the demand that it provisions for, at each step of [a, b), from what is known before that step.
// It reports false where it cannot be run, for want of history.
type baseline func(t *trace, a, b int) ([]float64, bool)

// policy is one way to scale.
type policy struct {
	label  string   // what it is, for people
	demand baseline // nil for the replay and the oracle
	hpa    bool     // its metric goes through the HPA controller's own arithmetic, stabilisation included
	needs  string   // what history it needs, where it could not be run
}

// policies by name.
var policies = map[string]policy{
	PolicyHeadstart:        {label: "Headstart"},
	PolicyHeadstartNoPeaks: {label: "Headstart without the declared peaks"},
	PolicyReactive:         {label: "HPA on observed demand, with its tolerance, ramp and stabilisation", demand: reactive, hpa: true},
	PolicyReactiveExact:    {label: "HPA on observed demand, without tolerance and ramp", demand: reactive},
	PolicyReactiveEarly:    {label: "HPA on the trend of observed demand 5 min ahead", demand: reactiveEarly},
	PolicyTimed:            {label: "timed HPA: 95th percentile of each hour of the week in the history", demand: timed, needs: "a week of history"},
	PolicyLastWeek:         {label: "the same time last week", demand: lastWeek, needs: "a week of history"},
	PolicyYesterday:        {label: "yesterday, scaled by the last hour", demand: yesterday, needs: "a day of history"},
	PolicyCrane:            {label: "Crane's DSP as its sources have it, with the HPA on observed demand", demand: crane},
	PolicyPHPA:             {label: "PHPA's Holt-Winters, tuned on the history, with the HPA on observed demand", demand: phpa, needs: "three days of history"},
	PolicyStatic:           {label: "static, at the peak of the history", demand: static},
	PolicyOracle:           {label: "oracle: the cheapest that serves everything"},
}

func policyNames() string {
	return strings.Join(slices.Sorted(maps.Keys(policies)), ", ")
}

// static is the peak of the history, for ever.
func static(t *trace, a, b int) ([]float64, bool) {
	out := make([]float64, b-a)
	top := slices.Max(t.held[:a])
	for i := range out {
		out[i] = top
	}
	return out, true
}

// reactive is the demand of the last step.
func reactive(t *trace, a, b int) ([]float64, bool) { return slices.Clone(t.held[a-1 : b-1]), true }

// reactiveEarly carries the trend of the last 15 minutes 5 minutes ahead, never below what is observed: the fixed lead that a
// reactive autoscaler with a derivative term has.
func reactiveEarly(t *trace, a, b int) ([]float64, bool) {
	back := max(1, int(15*time.Minute/t.step))
	ahead := (5 * time.Minute).Seconds() / t.step.Seconds()
	out := make([]float64, b-a)
	for i := range out {
		k := a + i - 1
		slope := (t.held[k] - t.held[max(0, k-back)]) / float64(back)
		out[i] = t.held[k] + math.Max(0, slope*ahead)
	}
	return out, true
}

// timed is a quantile per hour of the week from the history, a lead early, never updated.
func timed(t *trace, a, b int) ([]float64, bool) {
	const quantile = 0.95
	week, hour := 7*t.day, max(1, t.day/24)
	if t.day == 0 || a < week {
		return nil, false
	}
	profile := make([]float64, (week+hour-1)/hour)
	bucket := make([][]float64, len(profile))
	for i, v := range t.held[:a] {
		k := i % week / hour
		bucket[k] = append(bucket[k], v)
	}
	for k, v := range bucket {
		slices.Sort(v)
		profile[k] = percentile(v, quantile)
	}
	plan := make([]float64, b-a+t.lead+1)
	for i := range plan {
		plan[i] = profile[(a+i)%week/hour]
	}
	return forwardMax(plan, t.lead)[:b-a], true
}

// lastWeek is what the same lead window asked for a week ago.
func lastWeek(t *trace, a, b int) ([]float64, bool) {
	week := 7 * t.day
	if t.day == 0 || a < week {
		return nil, false
	}
	out := make([]float64, b-a)
	copy(out, forwardMax(t.held[:b], t.lead)[a-week:])
	return out, true
}

// yesterday is what the same lead window asked for a day ago, times the last hour over that hour a day ago.
func yesterday(t *trace, a, b int) ([]float64, bool) {
	const least, most = 0.2, 5
	if t.day == 0 || a < t.day {
		return nil, false
	}
	hour := max(1, t.day/24)
	sum := make([]float64, len(t.held)+1)
	for i, v := range t.held {
		sum[i+1] = sum[i] + v
	}
	peak := forwardMax(t.held, t.lead)
	out := make([]float64, b-a)
	for i := range out {
		k := a + i
		now := sum[k] - sum[max(0, k-hour)]
		then := sum[k-t.day] - sum[max(0, k-t.day-hour)]
		out[i] = peak[k-t.day] * min(max(now/math.Max(then, 1e-9), least), most)
	}
	return out, true
}

// percentile of sorted values, with linear interpolation between the ranks.
func percentile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}
