package values

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

func withPlan(fc *v1alpha1.Forecast, value float64, length time.Duration) *v1alpha1.Forecast {
	n := int(length / time.Minute)
	values := make([]float64, n)
	for i := range values {
		values[i] = value
	}
	p := plan.Plan{ComputedAt: epoch, Start: epoch, Segments: []plan.Segment{{Step: time.Minute, Values: values}}}
	encoded := p.Encode()
	fc.Status.Plan = &encoded
	return fc
}

func TestPlansServe(t *testing.T) {
	const q = "sum(rate(requests_total[1m]))"
	invalid := withPlan(forecast(), 50, time.Hour)
	invalid.Spec.Horizon = "invalid"
	mode := func(m v1alpha1.ForecastMode) *v1alpha1.Forecast {
		fc := withPlan(forecast(), 50, time.Hour)
		fc.Spec.Mode = m
		return fc
	}
	policy := func(p v1alpha1.ExpiryPolicy) *v1alpha1.Forecast {
		fc := withPlan(forecast(), 50, 10*time.Minute)
		fc.Spec.OnPlanExpiry.Policy = p
		return fc
	}
	const active, dryRun = v1alpha1.ForecastActive, v1alpha1.ForecastDryRun
	of := func(demand float64) map[string]float64 { return map[string]float64{q: demand} }
	cases := map[string]struct {
		reason   string
		fc       *v1alpha1.Forecast
		observed map[string]float64
		after    time.Duration
		want     int64
		wantErr  adapter.Reason
	}{
		"Plan":           {"the plan is above observed demand", mode(""), of(20), time.Minute, 50000, ""},
		"Floor":          {"never less than observed demand", mode(active), of(70.5), time.Minute, 70500, ""},
		"DryRun":         {"a dry run serves observed demand", mode(dryRun), of(20), time.Minute, 20000, ""},
		"DryRunUnknown":  {"or nothing", mode(dryRun), nil, time.Minute, 0, adapter.ReasonNoObservation},
		"PrometheusAway": {"the plan needs no Prometheus", mode(active), nil, time.Minute, 50000, ""},
		"StaleFloor":     {"an older one than three polls is ignored", mode(active), of(70), 10 * time.Minute, 50000, ""},
		"PlanExpired": {
			"a plan that has ended is an error, not a number",
			policy(v1alpha1.ExpiryError), nil, 20 * time.Minute, 0, adapter.ReasonPlanExpired,
		},
		"PlanExpiredUnknown": {
			"observed demand is unknown, so there is no number either",
			policy(v1alpha1.ExpiryObserved), nil, 20 * time.Minute, 0, adapter.ReasonNoObservation,
		},
		"NoPlanYet":   {"observed demand is served until there is a plan", forecast(), of(20), 0, 20000, ""},
		"Nothing":     {"neither plan nor observation", forecast(), nil, 0, 0, adapter.ReasonNoPlan},
		"InvalidSpec": {"an invalid spec has no value", invalid, of(20), time.Minute, 0, reasonRefused},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := plansWith(t, c.fc, c.observed).Value("shop", "fc", epoch.Add(c.after))
			var un *adapter.Unavailable
			switch {
			case c.wantErr == "" && err != nil:
				t.Fatalf("%s: %v", c.reason, err)
			case c.wantErr != "" && (!errors.As(err, &un) || un.Reason != c.wantErr || un.Message == ""):
				t.Fatalf("%s: error = %v, want %s with a message", c.reason, err, c.wantErr)
			case got.Milli != c.want:
				t.Errorf("%s: served %d m, want %d m", c.reason, got.Milli, c.want)
			}
		})
	}
}

func TestPlansForgetAndMatch(t *testing.T) {
	fc := forecast()
	fc.Labels = map[string]string{"team": "vision"}
	p := plansWith(t, fc, map[string]float64{"sum(rate(requests_total[1m]))": 1})
	if got := p.Names("shop", labels.SelectorFromSet(labels.Set{"team": "vision"})); len(got) != 1 {
		t.Errorf("names = %v, want the one", got)
	}
	if got := p.Names("shop", labels.SelectorFromSet(labels.Set{"team": "voice"})); len(got) != 0 {
		t.Errorf("names = %v, want none", got)
	}
	p.remove(fc)
	var un *adapter.Unavailable
	if _, err := p.Value("shop", "fc", epoch); !errors.As(err, &un) || un.Reason != adapter.ReasonNotFound {
		t.Errorf("error = %v, want NotFound", err)
	}
	if v, _ := p.demand.latest(types.NamespacedName{Namespace: "shop", Name: "fc"}); v == v {
		t.Errorf("a dropped Forecast is still observed: %v", v)
	}
}

func TestPlansServeNoLessAfterABadPoll(t *testing.T) {
	values := map[string]float64{"sum(rate(requests_total[1m]))": 20}
	p := plansWith(t, forecast(), values)
	key := types.NamespacedName{Namespace: "shop", Name: "fc"}
	delete(values, "sum(rate(requests_total[1m]))")
	p.demand.poll(t.Context(), key, p.demand.queries[key].Query)
	got, err := p.Value("shop", "fc", epoch.Add(time.Minute))
	if err != nil || got.Milli != 20000 {
		t.Errorf("got %+v, %v: the last good poll should serve until it is three polls old", got, err)
	}
	if p.demand.LastPoll(key).Err == nil {
		t.Error("the failed poll is not remembered")
	}
}

func TestBadPlanInStatus(t *testing.T) {
	fc := forecast()
	fc.Status.Plan = &v1alpha1.Plan{
		Start: metav1.NewTime(epoch), End: metav1.NewTime(epoch.Add(time.Hour)),
		Segments: []v1alpha1.PlanSegment{{Step: "1m", Values: "1 two 3"}},
	}
	_, err := plansWith(t, fc, nil).Value("shop", "fc", epoch)
	if _, ok := errors.AsType[*adapter.Unavailable](err); !ok {
		t.Errorf("error = %v, want an Unavailable that says why", err)
	}
}

func BenchmarkValue(b *testing.B) {
	p := NewPlans(newTestObserver(nil), parse)
	p.store(withPlan(forecast(), 50, 24*time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Value("shop", "fc", epoch.Add(12*time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
}
