package controller

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/overload"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/internal/memory"
)

// While memory is short, what is planned stays so with less, what is new waits, and both say why.
// With more memory everything comes back.
func TestOverload(t *testing.T) {
	f := newFixture(t, dailyHistory(0.1), shortForecast("old", "q"), shortForecast("new", "q"), deployment())
	percent, registry := uint64(10), prometheus.NewRegistry()
	f.overload = overload.New(func() memory.Use {
		return memory.Use{Live: percent << 20, Limit: 100 << 20}
	}, f.clock, registry)
	thrift := func() forecaster.Thrift { return f.states[named("old")].step.Model.Thrift }

	f.step(t, "old", time.Minute)
	f.wantReady(t, "old")
	if c := f.condition(t, "old", v1alpha1.ConditionOverloaded); c.Type != "" {
		t.Errorf("there is enough memory, and a condition: %+v", c)
	}

	percent = 62
	f.step(t, "old", time.Minute)
	f.wantCondition(t, "old", v1alpha1.ConditionOverloaded, "True", "FewerModels")
	if want := (forecaster.Thrift{FewerModels: true}); thrift() != want {
		t.Errorf("thrift %+v, want %+v", thrift(), want)
	}

	percent = 80
	f.step(t, "old", time.Minute)
	f.step(t, "new", time.Minute)
	f.wantCondition(t, "old", v1alpha1.ConditionOverloaded, "True", "RarerFits")
	f.wantReady(t, "old")
	f.wantCondition(t, "new", v1alpha1.ConditionOverloaded, "True", "NoNewForecasts")
	f.wantCondition(t, "new", v1alpha1.ConditionReady, "False", "NoNewForecasts")
	if m := f.condition(t, "new", v1alpha1.ConditionOverloaded).Message; !strings.Contains(m, "80 of its 100 MiB") ||
		!strings.Contains(m, "raise the memory limit") {
		t.Errorf("the message is %q", m)
	}
	if got := f.states[named("new")]; got.hasRead || len(got.series.Values) > 0 {
		t.Error("history was read although memory is short")
	}
	const metric = `# HELP headstart_controller_overload_level What the process goes without because of its memory: ` +
		`0 nothing, 1 its largest models, 2 frequent fits, 3 new Forecasts.
# TYPE headstart_controller_overload_level gauge
headstart_controller_overload_level 3
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(metric)); err != nil {
		t.Error(err)
	}

	percent = 10
	for range 4 { // A level ends at a time.
		f.step(t, "old", time.Minute)
		f.step(t, "new", time.Minute)
	}
	for _, name := range []string{"old", "new"} {
		f.wantCondition(t, name, v1alpha1.ConditionOverloaded, "False", "EnoughMemory")
		f.wantReady(t, name)
	}
	if thrift() != (forecaster.Thrift{}) {
		t.Errorf("thrift %+v afterwards", thrift())
	}
}

// A target that is not there is asked for ever more rarely, and is found within ten minutes.
func TestMissingTargetIsRarelyAskedFor(t *testing.T) {
	f := newFixture(t, dailyHistory(0.1), shortForecast("fc", "q"))
	asked := f.countScaleReads()
	for range 60 {
		f.step(t, "fc", time.Minute)
	}
	if n := asked.Load(); n < 6 || n > 12 {
		t.Errorf("a missing target was asked for %d times in an hour", n)
	}
	f.wantCondition(t, "fc", v1alpha1.ConditionLeadTimeLearned, "False", "TargetNotFound")
	if err := f.client.Create(t.Context(), deployment()); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		f.step(t, "fc", time.Minute)
	}
	f.wantCondition(t, "fc", v1alpha1.ConditionLeadTimeLearned, "False", "TooFewStarts")
}
