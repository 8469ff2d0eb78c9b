package controller

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/scheduler"
)

// planTravel is how long a plan takes from the end of a read to the adapters' memory.
const planTravel = time.Second

// condition is short for what every status carries.
type condition = metav1.Condition

func metaTime(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// evaluation is one pass over one Forecast.
type evaluation struct {
	*ForecastReconciler
	fc    *v1alpha1.Forecast
	state *forecastState
	set   settings
	now   time.Time
	v     verdicts

	scaling  scaling
	capacity float64
	lead     gpuwarm.Lead
	leadTime time.Duration
	peaks    peaks
	observed float64
	at       time.Time
	outlook  *forecaster.Outlook
	next     v1alpha1.ForecastStatus
}

// evaluate goes from what is known now to a plan, and writes it where it is worth a write.
func (r *ForecastReconciler) evaluate(ctx context.Context, fc *v1alpha1.Forecast, state *forecastState, set settings, now time.Time) error {
	e := &evaluation{ForecastReconciler: r, fc: fc, state: state, set: set, now: now, observed: math.NaN()}
	e.v = verdicts{generation: fc.Generation, now: metaTime(now)}
	e.next = v1alpha1.ForecastStatus{ObservedGeneration: fc.Generation, Conditions: cloneConditions(fc.Status.Conditions)}
	if err := e.readHPAs(ctx); err != nil {
		return err
	}
	if err := e.readLead(ctx); err != nil {
		return err
	}
	e.judgeFloor()
	if set.mode == v1alpha1.ForecastPaused {
		e.v.unknown(v1alpha1.ConditionServing, "Paused", "mode is Paused: observed demand is served")
		e.v.ready(set.mode, keptNothing)
		return e.publish(ctx, nil)
	}
	if err := e.readPeaks(ctx); err != nil {
		return err
	}
	if err := e.forecast(ctx); err != nil {
		return err
	}
	e.score()
	plan := e.plan()
	e.v.ready(set.mode, e.kept())
	before := e.state.plan
	err := e.publish(ctx, plan)
	e.promise(before)
	return err
}

// name of the Forecast, as the other Forecasts are told from it.
func (e *evaluation) name() string { return e.fc.Namespace + "/" + e.fc.Name }

func (e *evaluation) readHPAs(ctx context.Context) error {
	var err error
	if e.scaling, err = readHPAs(ctx, e.client, e.fc, e.rates.HPASync); err != nil {
		return err
	}
	shared, err := e.sharers(ctx, e.fc)
	if err != nil {
		return err
	}
	lintHPAs(&e.v, e.scaling, e.fc, shared)
	e.capacity, e.next.CapacityPerReplica = capacityOf(e.set, e.scaling)
	return nil
}

// readLead learns from the target's pods how long a start takes.
func (e *evaluation) readLead(ctx context.Context) error {
	delay := gpuwarm.ControlLoop{HPASync: e.rates.HPASync, Refresh: planTravel, Settle: e.set.settle}.Delay()
	if e.set.lead.fixed {
		e.leadTime = e.set.lead.value
		e.lead = gpuwarm.Lead{WarmUp: e.set.lead.value, Source: v1alpha1.LeadSourceConfigured}
		e.next.LeadTime = &v1alpha1.LeadTimeStatus{Value: v1alpha1.FormatDuration(e.leadTime), Source: v1alpha1.LeadSourceConfigured}
		e.v.unknown(v1alpha1.ConditionLeadTimeLearned, "Fixed", "spec.leadTime.mode is Fixed: nothing is learned")
		return e.checkTarget(ctx)
	}
	learner := e.state.learn(e.set, e.fc.Status.LeadTime)
	missing := e.collect(ctx, learner)
	if missing != nil && !errors.As(missing, new(*targetError)) {
		return missing
	}
	e.lead = learner.Lead(e.now)
	e.neighbours.Tell(e.name(), learner.Place(), e.lead.WarmUp, e.lead.Starts)
	e.leadTime = e.lead.WarmUp + delay
	e.next.LeadTime = &v1alpha1.LeadTimeStatus{
		Value: v1alpha1.FormatDuration(e.leadTime.Round(time.Second)), Source: e.lead.Source, Starts: int32(e.lead.Starts), //nolint:gosec // at most 64
		WarmUp:           v1alpha1.FormatDuration(e.lead.WarmUp.Round(time.Second)),
		ControlLoopDelay: v1alpha1.FormatDuration(delay.Round(time.Second)),
		RecentStarts:     learner.Records(),
	}
	e.judgeLead(missing)
	return nil
}

func (e *evaluation) judgeLead(missing error) {
	switch {
	case e.lead.Failing:
		e.v.ok(v1alpha1.ConditionStartsFailing, "StartsFail", "%s", e.lead.FailingMessage())
	case e.lead.Decided > 0:
		e.v.fail(v1alpha1.ConditionStartsFailing, "StartsFinish", "starts become Ready")
	default:
		e.v.unknown(v1alpha1.ConditionStartsFailing, "NoStarts", "no start was seen to end yet")
	}
	var target *targetError
	switch {
	case errors.As(missing, &target):
		e.v.fail(v1alpha1.ConditionLeadTimeLearned, target.reason, "%s", target.message)
	case e.lead.Source == v1alpha1.LeadSourceLearned:
		e.v.ok(v1alpha1.ConditionLeadTimeLearned, "Learned", "the lead rests on the starts of %s/%s", e.fc.Spec.TargetRef.Kind, e.fc.Spec.TargetRef.Name)
	default:
		e.v.fail(v1alpha1.ConditionLeadTimeLearned, "TooFewStarts", "too few starts of %s/%s were seen; until then the %s warm-up counts", e.fc.Spec.TargetRef.Kind, e.fc.Spec.TargetRef.Name, strings.ToLower(string(e.lead.Source)))
	}
}

// checkTarget says when a fixed lead's target does not exist.
func (e *evaluation) checkTarget(ctx context.Context) error {
	_, err := e.podsOf(ctx)
	if target, ok := errors.AsType[*targetError](err); ok {
		e.v.fail(v1alpha1.ConditionLeadTimeLearned, target.reason, "%s", target.message)
		return nil
	}
	return err
}

func (e *evaluation) podsOf(ctx context.Context) (labels.Selector, error) {
	key := fmt.Sprint(e.fc.Spec.TargetRef)
	if e.state.selector != nil && e.state.selectorKey == key && e.now.Sub(e.state.selectorAt) < selectorAge {
		return e.state.selector, nil
	}
	selector, err := PodsOf(ctx, e.client, e.fc.Namespace, e.fc.Spec.TargetRef)
	if err != nil {
		e.state.selector = nil
		return nil, err
	}
	e.state.selector, e.state.selectorKey, e.state.selectorAt = selector, key, e.now
	return selector, nil
}

func (e *evaluation) collect(ctx context.Context, learner *gpuwarm.Learner) error {
	selector, err := e.podsOf(ctx)
	if err != nil {
		return err
	}
	starts, err := gpuwarm.Collector{Reader: e.client, Events: e.live, Done: learner.Knows}.Collect(ctx, e.fc.Namespace, selector)
	if err != nil {
		return fmt.Errorf("list the pods of %s/%s: %w", e.fc.Namespace, e.fc.Spec.TargetRef.Name, err)
	}
	e.starts.Observe(learner.Sync(e.now, starts))
	learner.SetPool(e.neighbours.Of(e.name(), learner.Place()))
	next, err := e.nextPath(ctx, selector, learner.Records())
	if err != nil {
		return err
	}
	learner.SetNext(next)
	return nil
}

func (e *evaluation) readPeaks(ctx context.Context) error {
	var err error
	if e.peaks, err = e.compiler.peaksOf(ctx, e.fc); err != nil {
		return err
	}
	if len(e.peaks.errs) > 0 {
		e.v.fail(v1alpha1.ConditionPeaksValid, "PeakScheduleInvalid", "left out: %s", oneLine(errors.Join(e.peaks.errs...)))
		return nil
	}
	if reason, message := e.withoutEffect(); reason != "" {
		e.v.fail(v1alpha1.ConditionPeaksValid, reason, "%s", message)
		return nil
	}
	e.v.ok(v1alpha1.ConditionPeaksValid, "Valid", "every declared peak can be evaluated")
	return nil
}

// withoutEffect names the declared windows that need something which this Forecast does not have.
func (e *evaluation) withoutEffect() (reason, message string) {
	var messages []string
	for _, s := range e.peaks.schedules {
		capacity, forecast := s.Needs(e.now)
		if len(forecast) > 0 && !e.set.hasDemand {
			reason = "NothingToMultiply"
			messages = append(messages, fmt.Sprintf("PeakSchedule %s: %s multiply the forecast, and without spec.demand there is none: declare atLeast or replicas there, or set spec.demand here",
				s.Name(), strings.Join(forecast, ", ")))
		}
		if len(capacity) > 0 && e.capacity <= 0 {
			reason = "CapacityUnknown"
			messages = append(messages, fmt.Sprintf("PeakSchedule %s: %s ask for replicas, and what one replica serves is not known: set spec.capacityPerReplica here, or averageValue in the HPA",
				s.Name(), strings.Join(capacity, ", ")))
		}
	}
	return reason, strings.Join(messages, "; ")
}

// leadSteps is S, the number of steps until a replica asked for now serves.
func (e *evaluation) leadSteps() int {
	return int(math.Ceil(float64(e.leadTime)/float64(e.set.step) - 1e-9))
}

// forecast brings the model up to date and says how well founded it is.
func (e *evaluation) forecast(ctx context.Context) error {
	if !e.set.hasDemand {
		e.v.ok(v1alpha1.ConditionHistoryReady, "NotAsked", "spec.demand is not set: the peaks alone are served")
		e.v.unknown(v1alpha1.ConditionSkilled, "NotAsked", "spec.demand is not set")
		return nil
	}
	if e.state.readErr != nil {
		reason, message := explainRead(e.state.readErr)
		e.v.fail(v1alpha1.ConditionHistoryReady, reason, "%s", message)
	}
	if !e.state.hasRead {
		if e.state.readErr == nil {
			e.v.unknown(v1alpha1.ConditionHistoryReady, "Reading", "history is being read")
		}
		e.v.unknown(v1alpha1.ConditionSkilled, "NoHistory", "there is no history yet")
		return nil
	}
	if value, at, ok := last(e.state.series); ok {
		e.observed, e.at = value, at
		e.next.Observed = &v1alpha1.Sample{Value: quantityOf(value), Time: metaTime(at)}
	}
	days, daysKey := e.days(ctx)
	e.state.advance(e.set, e.leadSteps(), days, e.peaks, daysKey)
	e.judgeForecast()
	return nil
}

// days are the named days of the Forecast's calendars, over history and horizon.
func (e *evaluation) days(ctx context.Context) ([]forecaster.Day, string) {
	if len(e.set.calendars) == 0 {
		return nil, ""
	}
	calendars, version, err := e.compiler.calendarsNamed(ctx, e.set.calendars)
	if err != nil {
		e.v.fail(v1alpha1.ConditionPeaksValid, "CalendarInvalid", "%s", oneLine(err))
	}
	// The span is widened to whole weeks, so that the same days come back, and the model stays, while time goes on.
	from := e.now.Add(-e.set.history).Truncate(7 * 24 * time.Hour)
	to := e.now.Add(e.set.horizon).Truncate(7 * 24 * time.Hour).Add(14 * 24 * time.Hour)
	var days []forecaster.Day
	for _, name := range e.set.calendars {
		if c := calendars[name]; c != nil {
			for _, d := range c.Days(e.set.location, from, to) {
				days = append(days, forecaster.Day{Name: d.Name, Start: d.Start, End: d.End})
			}
		}
	}
	return days, fmt.Sprintf("%s|%d", version, from.Unix())
}

func (e *evaluation) judgeForecast() {
	if e.state.modelErr != nil {
		e.v.fail(v1alpha1.ConditionHistoryReady, "NoForecast", "no forecast can be made of this series: %s; use a coarser spec.demand.resolution, or a shorter lead (spec.leadTime.max or fixed)", oneLine(e.state.modelErr))
		e.v.unknown(v1alpha1.ConditionSkilled, "NoModel", "there is no model yet")
		return
	}
	if e.state.readErr == nil {
		e.v.ok(v1alpha1.ConditionHistoryReady, "Read", "the demand series is read")
	}
	outlook := e.state.model.Outlook()
	e.outlook = &outlook
	described := e.state.model.Describe()
	e.next.Model = modelStatus(described)
	if outlook.Skilled {
		how := "the forecast beats repeating the last season"
		if described.Skill <= 0 {
			how = "the last season is repeated, with a margin: no model beats that yet, and it beats the level as it is"
		}
		e.v.ok(v1alpha1.ConditionSkilled, "Skilled", "%s", how)
		return
	}
	why := "no forecast is better than the level as it is"
	if len(described.Warnings) > 0 {
		why = described.Warnings[0]
	}
	e.v.fail(v1alpha1.ConditionSkilled, "NoSkill", "observed demand and peaks are served instead: %s", why)
}

// plan builds the timeline; nil where there is nothing to plan with yet.
func (e *evaluation) plan() *planner.Plan {
	step, steps, lead := e.set.step, int(e.set.horizon/e.set.step), e.leadSteps()
	start := history.FloorTo(e.now, step)
	if e.outlook != nil && !e.now.Before(e.outlook.Start.Add(time.Duration(steps)*step)) {
		e.outlook = nil // history has not been read for a whole horizon: nothing of the forecast is left
	}
	switch {
	case e.outlook != nil:
		start = e.outlook.Start
	case e.set.hasDemand && (len(e.peaks.schedules) == 0 || e.foretold()):
		e.keepServing()
		return nil
	}
	built, notes, err := planner.Build(planner.Input{
		Now: e.now, Outlook: e.outlook, Start: start, Step: step, Horizon: steps, Lead: lead,
		Peaks:    scheduler.Timeline(e.peaks.schedules, start, step, steps+lead+1),
		Observed: e.observed, Capacity: e.capacity, Ramp: e.scaling.ramp,
		Min: e.set.min, Max: e.set.max, MaxReplicas: e.scaling.maxReplicas, PeaksAlone: !e.set.hasDemand, PeakBase: e.peakBase(start),
	})
	if err != nil {
		e.keepServing()
		e.v.fail(v1alpha1.ConditionServing, "PlanFailed", "no new plan can be made: %s; check spec.behavior.scaleUp and averageValue of the HPA that reads the forecast (%s), and spec.capacityPerReplica; %s",
			oneLine(err), e.hpaName(), e.v.get(v1alpha1.ConditionServing).Message)
		return nil
	}
	e.judgeCeiling(notes)
	e.next.NextPeak = e.nextPeak()
	e.v.ok(v1alpha1.ConditionServing, "PlanPublished", "the plan is published")
	return &built
}

func (e *evaluation) hpaName() string {
	if e.scaling.from == "" {
		return "none yet"
	}
	return e.scaling.from
}

// foretold says whether the published plan rests on a forecast and still lasts a while: then peaks alone do not replace it, after a
// restart in the middle of an outage of Prometheus, say.
func (e *evaluation) foretold() bool {
	return e.kept() == keptForecast && e.now.Add(2*e.set.step).Before(e.state.plan.End())
}

// kept is what the published plan has to serve.
func (e *evaluation) kept() kept {
	if e.state.plan == nil {
		return keptNothing
	}
	for _, s := range e.state.plan.Segments {
		if slices.ContainsFunc(s.Values, math.IsNaN) {
			return keptPeaks
		}
	}
	return keptForecast
}

// keepServing says what is served while no new plan can be made.
func (e *evaluation) keepServing() {
	if e.state.plan != nil && !e.now.Before(e.state.plan.End()) {
		e.v.fail(v1alpha1.ConditionServing, "PlanExpired", "the plan ended at %s and no new one can be made; onPlanExpiry is %s: see HistoryReady for what to mend",
			e.state.plan.End().UTC().Format(time.RFC3339), e.set.expiry)
		return
	}
	if e.state.plan == nil {
		e.v.unknown(v1alpha1.ConditionServing, "NoPlan", "there is no plan yet: observed demand is served where it can be polled")
		return
	}
	e.v.ok(v1alpha1.ConditionServing, reasonLastPlan, "the last plan is served until %s", e.state.plan.End().UTC().Format(time.RFC3339))
}

func (e *evaluation) judgeCeiling(notes planner.Notes) {
	if e.scaling.maxReplicas == 0 {
		return
	}
	if notes.Shortage == nil {
		e.v.ok(v1alpha1.ConditionWithinMaxReplicas, "Enough", "the plan stays within maxReplicas of HPA %s", e.scaling.from)
		return
	}
	e.v.fail(v1alpha1.ConditionWithinMaxReplicas, "MaxReplicasTooLow", "%s in HPA %s, and see that the cluster has room", notes.Shortage, e.scaling.from)
}

func (e *evaluation) nextPeak() *v1alpha1.PeakOccurrence {
	var best *scheduler.Occurrence
	for _, s := range e.peaks.schedules {
		for _, o := range append(s.Active(e.now), s.Next(e.now, 1)...) {
			if best == nil || o.Start.Before(best.Start) {
				best = &o
			}
		}
	}
	if best == nil {
		return nil
	}
	return &v1alpha1.PeakOccurrence{Schedule: best.Schedule, Window: best.Window, Start: metaTime(best.Start), End: metaTime(best.End)}
}

// explainRead gives a read error a reason and a message that says what to change.
func explainRead(err error) (reason, message string) {
	if kind := history.KindOf(err); kind != "" {
		return string(kind), oneLine(err)
	}
	return "ReadFailed", oneLine(err)
}

// peakBase is the demand before the windows began that multiply it or add to it now: what they build on while no skilled forecast
// says what would be without them.
func (e *evaluation) peakBase(start time.Time) float64 {
	if !e.state.hasRead || e.outlook != nil && e.outlook.Skilled {
		return math.NaN()
	}
	series := e.state.series
	return scheduler.Undisturbed(e.peaks.schedules, series.Start, series.Step, series.Values, start)
}
