package values

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner/plan"
)

func TestObserverReportsDroppedFloors(t *testing.T) {
	values := map[string]float64{"q": 5}
	o := newTestObserver(values)
	c := o.clock.(*clocktesting.FakeClock)
	key, q := named("fc"), Query{Expr: "q", Source: "default"}
	o.follow(key, q)
	changes := func() int {
		n := 0
		for len(o.changes) > 0 {
			<-o.changes
			n++
		}
		return n
	}
	poll := func(after time.Duration) int {
		c.Step(after)
		o.poll(t.Context(), key, q)
		return changes()
	}
	if n := poll(0); n != 0 {
		t.Errorf("%d changes after a good first poll, want none", n)
	}
	delete(values, "q")
	sent := 0
	for range 10 {
		sent += poll(30 * time.Second)
	}
	if sent != 1 {
		t.Errorf("%d changes for one dropped floor, want 1", sent)
	}
	expect := func(dropped string) {
		t.Helper()
		text := `# HELP headstart_forecast_floor_dropped 1 while observed demand is older than three polls, ` +
			`or was never polled, and does not hold the served metric of this replica up; else 0. ` +
			`It has the Forecasts that this replica owns, or was asked for lately.
# TYPE headstart_forecast_floor_dropped gauge
headstart_forecast_floor_dropped{forecast="fc",namespace="shop"} ` + dropped + "\n"
		err := testutil.CollectAndCompare(o, strings.NewReader(text), "headstart_forecast_floor_dropped")
		if err != nil {
			t.Error(err)
		}
	}
	expect("1")
	values["q"] = 5
	if n := poll(30 * time.Second); n != 1 {
		t.Errorf("%d changes for a floor that is back, want 1", n)
	}
	expect("0")
}

// Polls are counted by the sources of the configuration, and by no name that a tenant has made up.
func TestPollsAreCountedBySource(t *testing.T) {
	o := newTestObserver(nil)
	results := map[string]error{
		"good":      nil,
		"away":      &history.Error{Kind: history.ErrUnreachable, Source: "default", Message: "no connection"},
		"empty":     &history.Error{Kind: history.ErrNoSeries, Source: "default", Message: "nothing"},
		"unknown":   &history.Error{Kind: history.ErrSourceUnknown, Message: "no source of this name"},
		"forbidden": &history.Error{Kind: history.ErrSourceForbidden, Message: "not for this namespace"},
		"other":     errors.New("something else"),
	}
	o.query = func(_ context.Context, _ string, q Query, at time.Time) (history.Sample, error) {
		return history.Sample{Value: 1, At: at}, results[q.Expr]
	}
	for expr := range results {
		q := Query{Expr: expr, Source: "default"}
		o.follow(named(expr), q)
		o.poll(t.Context(), named(expr), q)
	}
	const text = `# HELP headstart_source_polls_total Polls of observed demand by this replica, ` +
		`by source and result: Answered, or the reason of the failure.
# TYPE headstart_source_polls_total counter
headstart_source_polls_total{result="Answered",source="default"} 1
headstart_source_polls_total{result="Error",source="default"} 1
headstart_source_polls_total{result="NoSeries",source="default"} 1
headstart_source_polls_total{result="Unreachable",source="default"} 1
`
	if err := testutil.CollectAndCompare(o, strings.NewReader(text), "headstart_source_polls_total"); err != nil {
		t.Error(err)
	}
}

// Every replica knows how many Forecasts there are, also those that nobody plans for. What a plan
// reaches comes from the owner.
func TestForecastsAreCounted(t *testing.T) {
	fc := forecast()
	encoded := plan.Plan{
		ComputedAt: epoch, Start: epoch,
		Segments: []plan.Segment{{Step: time.Hour, Values: []float64{5, 9, 7, 3}}},
	}.Encode()
	fc.Status.Plan = &encoded
	p := plansWith(t, fc, nil)
	expect := func(want string) {
		t.Helper()
		const help = `# HELP headstart_forecasts Forecasts in the cluster that this replica knows, whoever plans for them.
# TYPE headstart_forecasts gauge
headstart_forecasts 1
`
		if err := testutil.CollectAndCompare(p, strings.NewReader(help+want)); err != nil {
			t.Error(err)
		}
	}
	expect(`# HELP headstart_forecast_plan_peak_demand Largest demand that the published plan provisions for, ` +
		`from now on and within a time, in the unit of demand. The owner of a Forecast exports it.
# TYPE headstart_forecast_plan_peak_demand gauge
headstart_forecast_plan_peak_demand{forecast="fc",namespace="shop",within="1d"} 9
headstart_forecast_plan_peak_demand{forecast="fc",namespace="shop",within="1h"} 9
headstart_forecast_plan_peak_demand{forecast="fc",namespace="shop",within="6h"} 9
`)
	p.demand.owns = func(types.NamespacedName) bool { return false }
	expect("")
}
