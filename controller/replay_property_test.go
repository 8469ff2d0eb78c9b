package controller

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/clusters"
	"headstart.dev/headstart/controller/autoscalers"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/controller/schedules"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/report"
)

var replayCases = flag.Int("replay-cases", defaultReplayCases, "random services of TestServingPlansWhatTheReplayPlans")

// The plans of the controller and of the replay are the same to the bit: for random specs, HPAs,
// peaks, calendars and series, at each of the last steps. The controller goes through its whole
// evaluation, over a fake API server. The replay goes through report.Run.
func TestServingPlansWhatTheReplayPlans(t *testing.T) {
	const workers = 4
	cases := *replayCases
	if testing.Short() {
		cases /= 20
	}
	counts := make([]replayCounts, workers)
	t.Run("cases", func(t *testing.T) {
		for w := range workers {
			t.Run(fmt.Sprint("worker ", w), func(t *testing.T) {
				t.Parallel()
				for seed := w; seed < cases; seed += workers {
					compareReplay(t, seed, &counts[w])
				}
			})
		}
	})
	var all replayCounts
	for _, c := range counts {
		all.Plans, all.Forecast, all.Partial, all.Changing = all.Plans+c.Plans, all.Forecast+
			c.Forecast, all.Partial+c.Partial, all.Changing+c.Changing
		all.Lowered += c.Lowered
	}
	t.Logf("%+v", all)
	// A generator that makes nothing but trivial plans would prove nothing.
	if n := all.Plans; !t.Failed() &&
		(all.Forecast*3 < n || all.Partial*100 < n || all.Changing*3 < n || all.Lowered*100 < n) {
		t.Errorf("%+v: too few plans rest on a forecast, say nothing about some steps, change over time, "+
			"or are lowered because of what they ask for", all)
	}
}

func compareReplay(t *testing.T, seed int, counts *replayCounts) {
	t.Helper()
	c := newReplayCase(uint64(seed)) //nolint:gosec // a small number
	served, err := c.serve(t.Context())
	if err != nil {
		t.Fatalf("seed %d: serving: %v\n%s", seed, err, c)
	}
	replayed, err := c.replay(t.Context())
	if err != nil {
		t.Fatalf("seed %d: replay: %v\n%s", seed, err, c)
	}
	counts.add(served)
	counts.Lowered += c.lowered
	for i := range served {
		if difference := differ(served[i], replayed[i]); difference != "" {
			t.Fatalf("seed %d, step %d: %s\n%s", seed, c.from+i, difference, c)
		}
	}
}

// replayCounts say what kinds of plans were compared.
type replayCounts struct{ Plans, Forecast, Partial, Changing, Lowered int }

func (c *replayCounts) add(plans []plan.Plan) {
	for i, p := range plans {
		c.Plans++
		s := p.Segments[0]
		known := 0
		for _, v := range s.Values {
			if !math.IsNaN(v) {
				known++
			}
		}
		if s.Expected != nil {
			c.Forecast++
		}
		if known > 0 && known < len(s.Values) {
			c.Partial++
		}
		if i > 0 && differ(plans[i-1], p) != "" {
			c.Changing++
		}
	}
}

// differ says where two plans are not the same to the bit; "" where they are. When a plan was made
// does not matter.
func differ(a, b plan.Plan) string {
	if !a.Start.Equal(b.Start) {
		return fmt.Sprintf("served from %s, replayed from %s", a.Start, b.Start)
	}
	if len(a.Segments) != 1 || len(b.Segments) != 1 || a.Segments[0].Step != b.Segments[0].Step {
		return "the segments differ"
	}
	for _, line := range []struct {
		name       string
		is, wanted []float64
	}{
		{"values", a.Segments[0].Values, b.Segments[0].Values},
		{"expected", a.Segments[0].Expected, b.Segments[0].Expected},
	} {
		if len(line.is) != len(line.wanted) {
			return fmt.Sprintf("%d %s served, %d replayed", len(line.is), line.name, len(line.wanted))
		}
		for i, v := range line.is {
			if w := line.wanted[i]; math.Float64bits(v) != math.Float64bits(w) && !(math.IsNaN(v) && math.IsNaN(w)) {
				return fmt.Sprintf("%s[%d] is %v served, %v replayed", line.name, i, v, w)
			}
		}
	}
	return ""
}

// replayCase is a random service.
type replayCase struct {
	rng       *rand.Rand
	step      time.Duration
	fc        *v1alpha1.Forecast
	hpas      []autoscalingv2.HorizontalPodAutoscaler
	schedules []v1alpha1.PeakSchedule
	calendars []v1alpha1.Calendar
	series    history.Series
	from      int
	lowered   int // how many plans were lowered because of what they ask for
}

func (c *replayCase) String() string {
	return fmt.Sprintf("step %s, %d values from %s, replayed from %d\nspec %+v\nHPAs %+v\nschedules %+v\ncalendars %+v",
		c.step, len(c.series.Values), c.series.Start, c.from, c.fc.Spec, c.hpas, c.schedules, c.calendars)
}

// comparedSteps is how many plans of each case are compared.
const comparedSteps = 8

func newReplayCase(seed uint64) *replayCase {
	c := &replayCase{rng: rand.New(rand.NewPCG(seed, 1))}
	c.step = pick(c.rng, 10*time.Second, time.Minute, 5*time.Minute, 10*time.Minute, time.Hour)
	c.drawSeries()
	c.drawForecast()
	c.drawHPAs()
	c.drawPeaks()
	return c
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// drawSeries makes a rhythm with noise, gaps and, at times, nothing at all.
func (c *replayCase) drawSeries() {
	n := 30 + c.rng.IntN(250)
	c.from = n - comparedSteps
	start := epoch.Add(time.Duration(c.rng.IntN(400)) * 24 * time.Hour).Add(time.Duration(c.rng.IntN(1000)) * c.step)
	c.series = history.Series{Start: history.FloorTo(start, c.step), Step: c.step}
	period := pick(c.rng, 7.0, 24, 60, 144)
	level, swing, noise := math.Exp(8*c.rng.Float64()-2), c.rng.Float64(), 0.3*c.rng.Float64()
	gaps := pick(c.rng, 0, 0, 0.02, 0.3)
	zeros := pick(c.rng, 0, 0, 0, 0.5)
	for i := range n {
		v := level * (1 + swing*math.Sin(2*math.Pi*float64(i)/period)) * math.Exp(noise*c.rng.NormFloat64())
		switch {
		case c.rng.Float64() < gaps:
			v = math.NaN()
		case c.rng.Float64() < zeros:
			v = 0
		}
		c.series.Values = append(c.series.Values, v)
	}
	c.series.Values[0], c.series.Values[n-1] = level, level // A replay needs one value in each part.
}

func (c *replayCase) steps(n int) v1alpha1.Duration {
	return v1alpha1.FormatDuration(time.Duration(n) * c.step)
}

func (c *replayCase) drawForecast() {
	c.fc = faceFusion()
	c.fc.Labels = map[string]string{"tier": "front"}
	spec := &c.fc.Spec
	spec.Demand.Resolution, spec.Demand.Settle = c.steps(1), pick[v1alpha1.Duration](c.rng, "0s", "30s", "2m")
	spec.Demand.History = c.steps(20 + c.rng.IntN(2000))
	// Serving is up to a settle and a step later than the replay, and values may be missing at the end
	// of the series: a shorter horizon can be over by then.
	spec.Horizon = c.steps(8 + int(2*time.Minute/c.step) + c.rng.IntN(40))
	spec.Mode = pick(c.rng, v1alpha1.ForecastActive, v1alpha1.ForecastActive, v1alpha1.ForecastDryRun, "")
	spec.LeadTime = v1alpha1.LeadTime{Mode: v1alpha1.LeadTimeFixed, Fixed: new(c.steps(c.rng.IntN(12)))}
	if c.rng.IntN(4) == 0 {
		spec.LeadTime = v1alpha1.LeadTime{
			Default: new(v1alpha1.FormatDuration(time.Duration(1+c.rng.IntN(600)) * time.Second)),
		}
	}
	spec.ProvisionFor = v1alpha1.ProvisionFor{
		ServiceLevel: new(pick[v1alpha1.Decimal](c.rng, "0.5", "0.9", "0.99", "0.999")),
	}
	switch c.rng.IntN(4) {
	case 0, 1:
		spec.ProvisionFor = v1alpha1.ProvisionFor{ShortageCost: new(pick[v1alpha1.Decimal](c.rng, "2", "20", "300"))}
	case 2:
		spec.ProvisionFor.AtMost = new(pick[v1alpha1.Decimal](c.rng, "1", "1.05", "1.3", "3"))
	}
	if c.rng.IntN(3) == 0 {
		spec.Bounds.Min = resource.NewMilliQuantity(int64(1000*math.Exp(6*c.rng.Float64()-2)), resource.DecimalSI)
	}
	if c.rng.IntN(3) == 0 {
		spec.Bounds.Max = resource.NewMilliQuantity(int64(1000*math.Exp(6*c.rng.Float64()+4)), resource.DecimalSI)
	}
	spec.Seasonality.TimeZone = pick[v1alpha1.TimeZone](c.rng, "", "UTC", "Europe/Berlin", "America/New_York")
	if c.rng.IntN(3) == 0 {
		spec.Seasonality.Periods = []v1alpha1.Duration{c.steps(2 + c.rng.IntN(60))}
	}
}

// drawHPAs makes one that reads the Forecast, or two, or none beside a capacity in the spec.
func (c *replayCase) drawHPAs() {
	capacity := resource.NewMilliQuantity(int64(1+1000*math.Exp(5*c.rng.Float64()-1)), resource.DecimalSI)
	count := c.rng.IntN(3)
	if count == 0 || c.rng.IntN(4) == 0 {
		c.fc.Spec.CapacityPerReplica = capacity
	}
	for i := range count {
		name := fmt.Sprint("hpa-", 9-i)
		c.hpas = append(c.hpas, hpaReading(name, c.fc.Name, func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Spec.Metrics[0].External.Target.AverageValue = capacity
			h.Spec.MaxReplicas = int32(1 + c.rng.IntN(60)) //nolint:gosec // small
			h.Spec.Behavior = c.behavior()
		}))
	}
	c.hpas = append(c.hpas, hpaReading("other", "something-else", nil))
}

func (c *replayCase) behavior() *autoscalingv2.HorizontalPodAutoscalerBehavior {
	if c.rng.IntN(3) == 0 {
		return nil
	}
	up := &autoscalingv2.HPAScalingRules{}
	if c.rng.IntN(2) == 0 {
		up.StabilizationWindowSeconds = new(int32(c.rng.IntN(300))) //nolint:gosec // small
	}
	if c.rng.IntN(2) == 0 {
		up.SelectPolicy = new(pick(c.rng, autoscalingv2.MaxChangePolicySelect,
			autoscalingv2.MinChangePolicySelect, autoscalingv2.DisabledPolicySelect))
	}
	for range c.rng.IntN(3) {
		up.Policies = append(up.Policies, autoscalingv2.HPAScalingPolicy{
			Type:  pick(c.rng, autoscalingv2.PodsScalingPolicy, autoscalingv2.PercentScalingPolicy),
			Value: int32(1 + c.rng.IntN(200)), PeriodSeconds: int32(1 + c.rng.IntN(600)), //nolint:gosec // small
		})
	}
	return &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: up}
}

// drawPeaks makes PeakSchedules that are for the Forecast, that are not, and that are not valid,
// and Calendars likewise.
func (c *replayCase) drawPeaks() {
	for i := range pick(c.rng, 0, 0, 1, 3) {
		ps := v1alpha1.PeakSchedule{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: fmt.Sprint("peaks-", i), UID: types.UID(fmt.Sprint(i)), Generation: 1,
			},
		}
		ps.Spec.TimeZone = pick[v1alpha1.TimeZone](c.rng, "UTC", "Europe/Berlin")
		switch c.rng.IntN(6) {
		case 0:
			ps.Spec.ForecastRefs = []v1alpha1.ForecastReference{{Name: "something-else"}}
		case 1:
			ps.Spec.ForecastSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "front"}}
		default:
			ps.Spec.ForecastRefs = []v1alpha1.ForecastReference{{Name: c.fc.Name}}
		}
		for j := range 1 + c.rng.IntN(3) {
			ps.Spec.Windows = append(ps.Spec.Windows, c.window(j))
		}
		c.schedules = append(c.schedules, ps)
	}
	if c.rng.IntN(3) > 0 {
		return
	}
	dates := []string{"2026-02-31"} // Not a day: the Calendar is left out.
	if c.rng.IntN(4) > 0 {
		dates = nil
		for d := range 3 {
			day := c.series.Start.Add(time.Duration(c.rng.IntN(len(c.series.Values)+40)) * c.step)
			dates = append(dates, day.AddDate(0, 0, d*c.rng.IntN(2)).Format(time.DateOnly))
		}
	}
	c.calendars = []v1alpha1.Calendar{{
		ObjectMeta: metav1.ObjectMeta{Name: "days", UID: "d", Generation: 1},
		Spec:       v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{{Name: "sale", Dates: dates}}},
	}}
	c.fc.Spec.Seasonality.Calendars = pick(c.rng, []string{"days"}, []string{"days", "missing"})
	if len(c.schedules) > 0 && c.rng.IntN(2) == 0 {
		c.schedules[0].Spec.Except = &v1alpha1.Days{Calendars: []string{"days"}}
	}
}

func (c *replayCase) window(i int) v1alpha1.PeakWindow {
	w := v1alpha1.PeakWindow{
		Name: fmt.Sprint("window-", i), Duration: c.steps(1 + c.rng.IntN(30)),
		Schedule: pick(c.rng, "*/20 * * * *", "0 */3 * * *", "30 9 * * *", "0 0 * * 1", "0 25 * * *" /* not valid */),
	}
	if c.rng.IntN(4) == 0 {
		at := c.series.Start.Add(time.Duration(c.rng.IntN(len(c.series.Values)+30)) * c.step)
		w.Schedule, w.Start = "", at.Format("2006-01-02T15:04:05")
	}
	amount := resource.NewMilliQuantity(int64(1000*math.Exp(6*c.rng.Float64())), resource.DecimalSI)
	switch c.rng.IntN(5) {
	case 0:
		w.Demand.AtLeast = amount
	case 1:
		w.Demand.Add = amount
	case 2:
		w.Demand.Multiply = new(pick[v1alpha1.Decimal](c.rng, "0.05", "0.5", "2", "10"))
	case 3:
		w.Demand.Replicas = new(int32(1 + c.rng.IntN(30))) //nolint:gosec // small
	default:
		w.Demand.AtMost = amount
	}
	if c.rng.IntN(2) == 0 {
		w.RampUp = new(c.steps(1 + c.rng.IntN(10)))
	}
	if c.rng.IntN(2) == 0 {
		w.RampDown = new(c.steps(1 + c.rng.IntN(10)))
	}
	return w
}

// serve evaluates the Forecast at each of the compared steps, some time after the step began.
func (c *replayCase) serve(ctx context.Context) ([]plan.Plan, error) {
	objects := []client.Object{c.fc, deployment()}
	for i := range c.hpas {
		objects = append(objects, &c.hpas[i])
	}
	for i := range c.schedules {
		objects = append(objects, &c.schedules[i])
	}
	for i := range c.calendars {
		objects = append(objects, &c.calendars[i])
	}
	r := newReplayReconciler(objects)
	set, err := planner.Parse(c.fc)
	if err != nil {
		return nil, err
	}
	key := client.ObjectKeyFromObject(c.fc)
	// A process that starts reads as much as a fit needs, and the time between two fits.
	begin := max(0, c.from-int(set.ReadSpan()/c.step))
	var out []plan.Plan
	for k := c.from; k < len(c.series.Values); k++ {
		now := c.at(k).Add(set.Settle).Add(time.Duration(c.rng.Int64N(int64(c.step))))
		var fc v1alpha1.Forecast
		if err := r.client.Get(ctx, key, &fc); err != nil {
			return nil, err
		}
		state := r.state(key, &fc)
		state.record(reads.Result{Series: history.Series{Start: c.at(begin), Step: c.step, Values: c.series.Values[begin:k]}})
		e := r.newEvaluation(&fc, state, set, now)
		if err := e.run(ctx); err != nil {
			return nil, err
		}
		if e.out.Plan == nil {
			return nil, fmt.Errorf("no plan at step %d: outcome %d, %w", k, e.out.Outcome, e.out.Err)
		}
		if s := e.out.Spend; s != nil && s.Lowered() {
			c.lowered++
		}
		out = append(out, *e.out.Plan)
	}
	return out, nil
}

func (c *replayCase) at(k int) time.Time { return c.series.Start.Add(time.Duration(k) * c.step) }

// newReplayReconciler is a reconciler over a fake API server that takes every write.
func newReplayReconciler(objects []client.Object) *ForecastReconciler {
	api := fake.NewClientBuilder().WithScheme(NewScheme()).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.Forecast{}).
		WithIndex(&autoscalingv2.HorizontalPodAutoscaler{}, autoscalers.HPAIndex, autoscalers.IndexHPA).
		WithIndex(&v1alpha1.Forecast{}, targetIndex, indexTarget).
		WithInterceptorFuncs(interceptor.Funcs{SubResourceGet: fakeScale}).Build()
	clock := clocktesting.NewFakePassiveClock(epoch)
	r := &ForecastReconciler{
		client: api, compiler: schedules.NewCompiler(api),
		autoscalers: autoscalers.Reader{HPAs: api}, recorder: events.NewFakeRecorder(1000),
		rates: DefaultRates(), clock: passive{clock},
		logger: slog.New(slog.DiscardHandler), metrics: newReconcilerMetrics(prometheus.NewRegistry()), fetch: reads.New(),
		states: map[types.NamespacedName]*forecastState{},
	}
	r.demand = demandStub{last: func() values.LastPoll { return values.LastPoll{} }}
	r.overflows = clusters.None()
	return r
}

// replay is the dry run of the same objects.
func (c *replayCase) replay(ctx context.Context) ([]plan.Plan, error) {
	set, err := planner.NewSettings(c.fc, planner.Autoscalers{HPAs: c.hpas}, DefaultRates().HPASync)
	if err != nil {
		return nil, err
	}
	compiler := schedules.NewCompiler(nil)
	found := compiler.Select(c.fc, set.Calendars, c.schedules, c.calendars)
	o := report.DefaultOptions()
	o.UseSettings(set)
	if set.Scaling.Name == "" {
		// Otherwise the replay is of the HPA that the report proposes.
		o.Ramp, o.MinReplicas, o.MaxReplicas = set.Scaling.Ramp, set.Scaling.MinReplicas, set.Scaling.MaxReplicas
	}
	o.Series, o.From = c.series, c.from
	if o.Lead = set.Lead.Default + (gpuwarm.ControlLoop{
		HPASync: DefaultRates().HPASync, Refresh: planTravel, Settle: set.Settle,
	}).Delay(); set.Lead.Fixed != nil {
		o.Lead = *set.Lead.Fixed
	}
	o.Peaks, o.Calendars = found.Schedules, planner.NewCalendars(set.Calendars, found)
	o.Policies, o.Refresh = []string{report.PolicyHeadstart}, pick(c.rng, report.RefreshStep, report.RefreshStatus)
	var out []plan.Plan
	o.Plans = func(p plan.Plan) { out = append(out, p) }
	_, err = report.Run(ctx, o)
	return out, err
}
