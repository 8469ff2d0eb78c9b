package controller

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
)

// planWorkers is how many Forecasts are fitted and planned at once. A fit takes a core.
const planWorkers = 2

// maxReadWait bounds how long a Forecast waits for a read that was requested.
const maxReadWait = time.Minute

// badQueryRetry is how long a query is left alone that fails in a way that time does not mend.
const badQueryRetry = 30 * time.Second

// rememberedWrites is how many writes status lists: the API's limit.
const rememberedWrites = 64

// conflictRetry is how long the cache is given to catch up after a write that was refused as a conflict.
const conflictRetry = 250 * time.Millisecond

// unlessChanged is a patch that the API server refuses as a conflict once anything else was written since obj was read.
func unlessChanged(obj client.Object) client.Patch {
	return client.MergeFromWithOptions(obj, client.MergeFromWithOptimisticLock{})
}

// Rates says how often things happen.
type Rates struct {
	// PlanRefresh is how often a plan is written that differs little from the last one.
	PlanRefresh time.Duration
	// WritesPerHour bounds the status writes of one Forecast.
	WritesPerHour int
	// HPASync is the period of the cluster's HPA controller.
	HPASync time.Duration
}

// ForecastReconciler makes the plan of each Forecast and writes it to status. It runs on the leader only.
type ForecastReconciler struct {
	client   client.Client
	open     func(namespace string, set planner.Settings) (seriesReader, error)
	compiler *Compiler
	recorder events.EventRecorder
	rates    Rates
	clock    clock.Clock
	logger   *slog.Logger
	metrics  *reconcilerMetrics
	starts   *gpuwarm.Metrics
	fetch    *fetcher
	live     client.Reader // of Events, which are too many to be cached; nil reads none

	poolWarmUps gpuwarm.PoolWarmUps
	rooms       rooms
	demand      DemandObserver

	mu     sync.Mutex
	states map[types.NamespacedName]*forecastState
}

// setup registers the reconciler with a manager.
func (r *ForecastReconciler) setup(mgr ctrl.Manager) error {
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &autoscalingv2.HorizontalPodAutoscaler{}, hpaIndex, indexHPA); err != nil {
		return fmt.Errorf("index the HorizontalPodAutoscalers: %w", err)
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Forecast{}, targetIndex, indexTarget); err != nil {
		return fmt.Errorf("index the Forecasts: %w", err)
	}
	if err := mgr.Add(r.fetch); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("forecast").
		Watches(&v1alpha1.Forecast{}, forecastEvents(r.clock)).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, handler.EnqueueRequestsFromMapFunc(forecastsOfHPA), withPredicate(hpaSpecChanged())).
		Watches(&v1alpha1.PeakSchedule{}, handler.EnqueueRequestsFromMapFunc(r.forecastsOfPeaks), withGeneration()).
		Watches(&v1alpha1.Calendar{}, handler.EnqueueRequestsFromMapFunc(r.forecastsOfCalendar), withGeneration()).
		WatchesRawSource(source.Channel(r.fetch.done, &handler.EnqueueRequestForObject{})).
		WatchesRawSource(source.Channel(r.demand.Changes(), &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: planWorkers}).
		Complete(reconcile.Func(r.Reconcile))
}

// Reconcile reads what is new, plans, and writes status where that is worth a write.
func (r *ForecastReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var fc v1alpha1.Forecast
	if err := r.client.Get(ctx, req.NamespacedName, &fc); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("get forecast %s: %w", req, err)
	}
	if !fc.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	state := r.state(req.NamespacedName, &fc)
	set, err := planner.ParseSpec(&fc.Spec)
	if err != nil {
		return orConflict(r.refuse(ctx, &fc, state, err))
	}
	now := r.clock.Now()
	if set.HasDemand && set.Mode != v1alpha1.ForecastPaused {
		if started := r.read(req.NamespacedName, state, set, now); started {
			return ctrl.Result{RequeueAfter: max(state.waitUntil(set).Sub(now), 100*time.Millisecond)}, nil // the read's end brings us back, as a rule much sooner
		}
	}
	if err := r.evaluate(ctx, &fc, state, set, now); err != nil {
		return orConflict(err)
	}
	return ctrl.Result{RequeueAfter: r.untilNext(state, set, now)}, nil
}

// orConflict comes back soon after a write that was refused because the Forecast has changed since it was read: the cache will have it.
func orConflict(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	return ctrl.Result{}, err
}

// state returns what is kept for a Forecast. One that was deleted and made anew under its name is another one.
func (r *ForecastReconciler) state(key types.NamespacedName, fc *v1alpha1.Forecast) *forecastState {
	r.mu.Lock()
	s, ok := r.states[key]
	again := ok && s.uid != fc.UID
	if !ok || again {
		s = &forecastState{uid: fc.UID, step: planner.State{Publisher: r.publisher()}}
		for _, at := range fc.Status.RecentWrites {
			s.step.Publisher.Wrote(at.Time)
		}
		r.states[key] = s
	}
	r.mu.Unlock()
	if again {
		r.fetch.forget(key)
	}
	s.adopt(fc.Status.Plan)
	return s
}

func (r *ForecastReconciler) publisher() *planner.Publisher {
	opts := planner.DefaultPublisherOptions()
	opts.Refresh, opts.Writes = r.rates.PlanRefresh, r.rates.WritesPerHour
	p, err := planner.NewPublisher(opts)
	if err != nil {
		panic(err) // the rates were validated with the options
	}
	return p
}

func (r *ForecastReconciler) forget(key types.NamespacedName) {
	r.mu.Lock()
	delete(r.states, key)
	r.mu.Unlock()
	r.fetch.forget(key)
	r.metrics.forget(key)
	r.poolWarmUps.Delete(key.Namespace + "/" + key.Name)
}

// read starts a read of history where one is due, and says whether the result is worth waiting for: a plan made without it would be
// written twice. The wait is a short one, since peaks and conditions must not wait for a source that never answers.
func (r *ForecastReconciler) read(key types.NamespacedName, state *forecastState, set planner.Settings, now time.Time) bool {
	wanted := fmt.Sprintf("%s|%s|%s|%s|%s", set.Source, set.Query, set.Step, set.History, set.Settle)
	if state.readerKey != wanted {
		r.fetch.forget(key)
		state.readerKey, state.hasRead, state.readErr, state.nextRead = wanted, false, nil, time.Time{}
		state.series = history.Series{}
		state.step.Model.Forget()
		state.reader, state.readErr = r.open(key.Namespace, set)
	}
	if got, ok := r.fetch.take(key); ok {
		state.record(got)
		if kind := history.KindOf(got.err); kind != "" && !kind.Temporary() {
			state.nextRead = now.Add(max(set.Step, badQueryRetry)) // only a person can mend it
		}
		return false
	}
	if state.reader == nil {
		state.reader, state.readErr = r.open(key.Namespace, set) // the sources may have been mended
		if state.reader == nil {
			state.nextRead = now.Add(max(set.Step, badQueryRetry)) // only a person can mend it
			return false
		}
	}
	if r.fetch.busy(key) {
		if !now.Before(state.nextRead) {
			state.nextRead = nextRead(key, set, now) // a read that lasts longer than a step must not have us come back at once, again and again
		}
		return !state.hasRead && state.readErr == nil && now.Before(state.waitUntil(set))
	}
	if now.Before(state.nextRead) {
		return false
	}
	state.nextRead, state.requestedAt = nextRead(key, set, now), now
	r.fetch.request(key, set.Source, state.reader)
	return true
}

// openFrom reads series from the configured sources.
func openFrom(sources *history.Sources, c history.Clock) func(string, planner.Settings) (seriesReader, error) {
	return func(namespace string, set planner.Settings) (seriesReader, error) {
		src, err := sources.For(namespace, set.Source)
		if err != nil {
			return nil, err
		}
		reader, err := history.NewReader(src, history.ReaderConfig{Query: set.Query, Step: set.Step, History: set.ReadSpan(), Settle: set.Settle}, c)
		if err != nil {
			return nil, err // not the typed nil, which would not be nil as an interface
		}
		return reader, nil
	}
}

// nextRead is the instant at which the step that is under way has settled, spread a little by the Forecast's name.
func nextRead(key types.NamespacedName, set planner.Settings, now time.Time) time.Time {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key.String()))
	spread := time.Duration(h.Sum64() % uint64(max(1, set.Step/8))) //nolint:gosec // a duration above 0
	end := history.FloorTo(now.Add(-set.Settle), set.Step).Add(set.Step)
	return end.Add(set.Settle + spread)
}

func (r *ForecastReconciler) untilNext(state *forecastState, set planner.Settings, now time.Time) time.Duration {
	wait := state.nextRead.Sub(now)
	if !set.HasDemand || set.Mode == v1alpha1.ForecastPaused {
		wait = history.FloorTo(now, set.Step).Add(set.Step).Sub(now)
	}
	return max(wait, 100*time.Millisecond)
}

// refuse says in the conditions why a spec is not acted upon. The plan stays in status; meanwhile the adapter answers with an error,
// on which an HPA holds its replicas.
func (r *ForecastReconciler) refuse(ctx context.Context, fc *v1alpha1.Forecast, state *forecastState, why error) error {
	v := verdicts{generation: fc.Generation, now: metaTime(r.clock.Now())}
	v.fail(v1alpha1.ConditionReady, "InvalidSpec", "%s", oneLine(why))
	next := fc.Status.DeepCopy()
	next.ObservedGeneration = fc.Generation
	changed := v.merge(&next.Conditions)
	if len(changed) == 0 && fc.Status.ObservedGeneration == fc.Generation {
		return nil
	}
	return r.write(ctx, fc, state, next, changed)
}

// write stores a status and tells of the conditions that changed. It is refused as a conflict where the Forecast has changed since it
// was read: a leader that was held up and deposed meanwhile must not put its plan in place of its successor's.
func (r *ForecastReconciler) write(ctx context.Context, fc *v1alpha1.Forecast, state *forecastState, next *v1alpha1.ForecastStatus, changed []condition) error {
	now := r.clock.Now()
	next.RecentWrites = recentWrites(append(state.step.Publisher.Recent(now), now))
	before := fc.DeepCopy()
	fc.Status = *next
	if err := r.client.Status().Patch(ctx, fc, unlessChanged(before)); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("write the status of forecast %s/%s: %w", fc.Namespace, fc.Name, err)
	}
	state.step.Publisher.Wrote(now)
	r.metrics.writes.Inc()
	emit(r.recorder, fc, changed)
	return nil
}

// recentWrites are the newest of the times, as status lists them.
func recentWrites(times []time.Time) []metav1.Time {
	var out []metav1.Time
	for _, at := range times[max(0, len(times)-rememberedWrites):] {
		out = append(out, metaTime(at))
	}
	return out
}
