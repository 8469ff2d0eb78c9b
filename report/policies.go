package report

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/report/internal/peers"
	"headstart.dev/headstart/report/internal/slide"
)

// The names of the policies.
const (
	PolicyHeadstart        = "headstart"
	PolicyHeadstartNoPeaks = "headstart-no-peaks"
	PolicyHPA              = "hpa"
	PolicyReactive         = "reactive"
	PolicyReactiveExact    = "reactive-exact"
	PolicyReactiveEarly    = "reactive-5m"
	PolicyTimed            = "timed"
	PolicyLastWeek         = "last-week"
	PolicyYesterday        = "yesterday"
	PolicyCrane            = "crane"
	PolicyPHPA             = "phpa"
	PolicyKEDACron         = "keda-cron"
	PolicyKEDAPrometheus   = "keda-prometheus"
	PolicyDynamoConstant   = "dynamo-constant"
	PolicyDynamoARIMA      = "dynamo-arima"
	PolicyDynamoKalman     = "dynamo-kalman"
	PolicyDynamoProphet    = "dynamo-prophet"
	PolicyStatic           = "static"
	PolicyOracle           = "oracle"
)

// DefaultPolicies returns the policies that are compared if Options.Policies is empty.
func DefaultPolicies() []string {
	return []string{
		PolicyHeadstart, PolicyHPA, PolicyReactive, PolicyTimed, PolicyYesterday, PolicyCrane, PolicyStatic, PolicyOracle,
	}
}

// AllPolicies returns all policies, in the order of docs/report.md.
func AllPolicies() []string {
	return []string{
		PolicyHeadstart, PolicyHeadstartNoPeaks, PolicyHPA,
		PolicyReactive, PolicyReactiveExact, PolicyReactiveEarly, PolicyTimed,
		PolicyLastWeek, PolicyYesterday, PolicyCrane, PolicyPHPA, PolicyKEDACron, PolicyKEDAPrometheus,
		PolicyDynamoConstant, PolicyDynamoARIMA, PolicyDynamoKalman, PolicyDynamoProphet, PolicyStatic, PolicyOracle,
	}
}

// baseline is a policy of today. It returns the demand that the policy provisions for at each step
// of [from, to), from what is known before that step. It returns false if there is too little
// history.
type baseline func(t *trace, from, to int) ([]float64, bool)

// policy is one way to scale.
type policy struct {
	name   string
	label  string   // a phrase for the report
	demand baseline // nil for the replay and the oracle
	hpa    bool     // whether the HPA controller's arithmetic applies, stabilisation included
	needs  string   // the history without which it is not run
}

// policies are all policies by name.
var policies = map[string]policy{
	PolicyHeadstart:        {label: "Headstart"},
	PolicyHeadstartNoPeaks: {label: "Headstart without the declared peaks"},
	PolicyHPA:              {demand: underTarget, hpa: true},
	PolicyReactive: {
		label:  "HPA on observed demand, with its tolerance, scale-up limit and stabilisation",
		demand: reactive, hpa: true,
	},
	PolicyReactiveExact: {
		label:  "HPA on observed demand, without tolerance and scale-up limit",
		demand: reactive,
	},
	PolicyReactiveEarly: {
		label:  "HPA on observed demand, extrapolated by 5 minutes",
		demand: reactiveEarly,
	},
	PolicyTimed: {
		label:  "scheduled replicas: the 95th percentile of each hour of the week in the history",
		demand: timed, needs: "a week of history",
	},
	PolicyLastWeek: {
		label:  "the demand of the same time last week",
		demand: lastWeek, needs: "a week of history",
	},
	PolicyYesterday: {
		label:  "the demand of the same time yesterday, scaled by the last hour",
		demand: yesterday, needs: "a day of history",
	},
	PolicyCrane: {
		label:  "Crane's DSP predictor as in its source code, or the HPA on observed demand if that is more",
		demand: crane,
	},
	PolicyPHPA: {
		label:  "PHPA's Holt-Winters model, tuned on the history, or the HPA on observed demand if that is more",
		demand: phpa, needs: "three days of history",
	},
	PolicyKEDACron: {
		label: "after KEDA's cron and Prometheus triggers: the busy hours of weekdays in the history at their 95th " +
			"percentile, a lead early, or observed demand if that is more",
		demand: kedaCron, hpa: true, needs: "two days of history",
	},
	PolicyKEDAPrometheus: {
		label: "after KEDA's Prometheus trigger with its defaults: polled every 30 s, down to 0 replicas after a " +
			"cooldown of 5 min without demand",
		demand: reactive, hpa: true,
	},
	PolicyDynamoConstant: {
		label:  "after the planner of NVIDIA Dynamo, predictor constant: the next 3 min as the last, or observed demand",
		demand: dynamo(func([]float64) peers.Predictor { return &peers.Constant{} }),
	},
	PolicyDynamoARIMA: {
		label:  "after the planner of NVIDIA Dynamo, predictor ARIMA without a season, or observed demand",
		demand: dynamo(func(history []float64) peers.Predictor { return peers.NewARIMA(history) }),
	},
	PolicyDynamoKalman: {
		label:  "after the planner of NVIDIA Dynamo, predictor Kalman with a local trend, or observed demand",
		demand: dynamo(func([]float64) peers.Predictor { return &peers.Kalman{} }),
	},
	PolicyDynamoProphet: {
		label:  "after the planner of NVIDIA Dynamo, a Prophet-like trend over the last 50 intervals, or observed demand",
		demand: dynamo(func([]float64) peers.Predictor { return &peers.Trend{} }),
	},
	PolicyStatic: {
		label:  "a fixed number of replicas, enough for the peak of the history",
		demand: static,
	},
	PolicyOracle: {label: "knows the future, and serves all demand at the lowest cost"},
}

func policyNames() string {
	return strings.Join(slices.Sorted(maps.Keys(policies)), ", ")
}

// static is the peak of the history.
func static(t *trace, from, to int) ([]float64, bool) {
	return slices.Repeat([]float64{slices.Max(t.filled[:from])}, to-from), true
}

// reactive is the demand of the step before.
func reactive(t *trace, from, to int) ([]float64, bool) {
	return slices.Clone(t.filled[from-1 : to-1]), true
}

// underTarget is the same, with the replicas that the target of the HPA of today asks for.
func underTarget(t *trace, from, to int) ([]float64, bool) {
	out, ok := reactive(t, from, to)
	for i := range out {
		out[i] /= t.hpa.Target
	}
	return out, ok
}

// reactiveEarly extrapolates the trend of the last 15 minutes by 5 minutes, but never below
// observed demand. This is what a reactive autoscaler with a derivative term and a fixed lead does.
func reactiveEarly(t *trace, from, to int) ([]float64, bool) {
	back := max(1, int(15*time.Minute/t.step))
	ahead := (5 * time.Minute).Seconds() / t.step.Seconds()
	out := make([]float64, to-from)
	for i := range out {
		last := from + i - 1
		slope := (t.filled[last] - t.filled[max(0, last-back)]) / float64(back)
		out[i] = t.filled[last] + math.Max(0, slope*ahead)
	}
	return out, true
}

// timed is a quantile for each hour of the week, over the history before from. It acts a lead
// ahead.
func timed(t *trace, from, to int) ([]float64, bool) {
	const quantile = 0.95
	week, hour := 7*t.day, max(1, t.day/24)
	if t.day == 0 || from < week {
		return nil, false
	}
	profile := make([]float64, (week+hour-1)/hour)
	values := make([][]float64, len(profile))
	for i, v := range t.filled[:from] {
		k := i % week / hour
		values[k] = append(values[k], v)
	}
	for k, v := range values {
		slices.Sort(v)
		profile[k] = peers.Percentile(v, quantile)
	}
	plan := make([]float64, to-from+t.lead+1)
	for i := range plan {
		plan[i] = profile[(from+i)%week/hour]
	}
	return slide.ForwardMax(plan, t.lead)[:to-from], true
}

// lastWeek is the largest demand of the same lead window a week ago.
func lastWeek(t *trace, from, to int) ([]float64, bool) {
	week := 7 * t.day
	if t.day == 0 || from < week {
		return nil, false
	}
	out := make([]float64, to-from)
	copy(out, slide.ForwardMax(t.filled[:to], t.lead)[from-week:])
	return out, true
}

// yesterday is the largest demand of the same lead window a day ago, times the demand of the last
// hour divided by that of the same hour a day ago.
func yesterday(t *trace, from, to int) ([]float64, bool) {
	const minFactor, maxFactor = 0.2, 5
	if t.day == 0 || from < t.day {
		return nil, false
	}
	hour := max(1, t.day/24)
	sums := make([]float64, len(t.filled)+1) // sums[i] is the sum of the steps before i
	for i, v := range t.filled {
		sums[i+1] = sums[i] + v
	}
	largest := slide.ForwardMax(t.filled, t.lead)
	out := make([]float64, to-from)
	for i := range out {
		k := from + i
		today := sums[k] - sums[max(0, k-hour)]
		dayAgo := sums[k-t.day] - sums[max(0, k-t.day-hour)]
		out[i] = largest[k-t.day] * min(max(today/math.Max(dayAgo, 1e-9), minFactor), maxFactor)
	}
	return out, true
}
