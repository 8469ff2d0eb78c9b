package controller

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/autoscalers"
	"headstart.dev/headstart/controller/evidence"
	"headstart.dev/headstart/controller/internal/background"
	"headstart.dev/headstart/controller/internal/fair"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/controller/overload"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/controller/rooms"
	"headstart.dev/headstart/controller/schedules"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/internal/conditions"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/publish"
)

// PlanWorkers is how many Forecasts are planned at once. A namespace that is alone has two of them,
// and one beside others. Of their fits, fewer run at once where there are few cores.
const PlanWorkers = 3

// planHalfLife is how soon a namespace's use of the plan workers counts half.
const planHalfLife = 5 * time.Minute

// maxReadWait bounds how long an evaluation waits for a read.
const maxReadWait = time.Minute

// permanentErrorRetry is the shortest wait after a read error that does not go away by itself, such
// as a query that is not PromQL. Somebody must change the query or the source first.
const permanentErrorRetry = 30 * time.Second

// minRequeue is the shortest wait until the next reconciliation.
const minRequeue = 100 * time.Millisecond

// maxRecentWrites is how many writes status lists: the API's limit.
const maxRecentWrites = 64

// Rates says how often things happen.
type Rates struct {
	// PlanRefresh is how often a plan is written that hardly differs from the last one.
	PlanRefresh time.Duration
	// WritesPerHour bounds the status writes of one Forecast.
	WritesPerHour int
	// HPASync is the period of the cluster's HPA controller.
	HPASync time.Duration
}

// ForecastReconciler makes the plan of each Forecast of this replica's shard and writes it to
// status.
type ForecastReconciler struct {
	client   client.Client
	open     func(namespace string, set planner.Settings) (reads.SeriesReader, error)
	compiler *schedules.Compiler
	// openEvidence opens what a capacity is learned from.
	openEvidence evidence.Open
	recorder     events.EventRecorder
	rates        Rates
	clock        clock.Clock
	logger       *slog.Logger
	metrics      *reconcilerMetrics
	starts       *gpuwarm.Metrics
	fetch        *reads.Fetcher
	fits         *background.Computations
	live         client.Reader // Reads Events, which are too many for the cache. Nil reads none.

	shard       kube.Shard // Nil owns everything.
	poolWarmUps gpuwarm.PoolWarmUps
	free        rooms.Free
	overload    *overload.Memory // Nil never goes without.
	candidates  evidence.Candidates
	demand      DemandObserver
	overflows   OverflowReader
	// autoscalers knows those that read a Forecast.
	autoscalers autoscalers.Reader

	mu     sync.Mutex
	states map[types.NamespacedName]*forecastState
}

// setup registers the reconciler with a manager.
func (r *ForecastReconciler) setup(mgr ctrl.Manager) error {
	ctx, indexer := context.Background(), mgr.GetFieldIndexer()
	if err := indexer.IndexField(ctx, &v1alpha1.Forecast{}, targetIndex, indexTarget); err != nil {
		return fmt.Errorf("index the Forecasts: %w", err)
	}
	if err := mgr.Add(r.fetch); err != nil {
		return err
	}
	options := kube.ShardOptions(r.shard, PlanWorkers)
	options.NewQueue = fair.Queue(PlanWorkers, planHalfLife)
	b := ctrl.NewControllerManagedBy(mgr).Named("forecast")
	if err := r.autoscalers.Watch(ctx, mgr, b); err != nil {
		return err
	}
	return b.Watches(&v1alpha1.Forecast{}, r.forecastEvents()).
		Watches(&v1alpha1.PeakSchedule{}, handler.EnqueueRequestsFromMapFunc(r.forecastsOfPeaks), kube.WithGeneration()).
		Watches(&v1alpha1.Calendar{}, handler.EnqueueRequestsFromMapFunc(r.forecastsOfCalendar), kube.WithGeneration()).
		WatchesRawSource(source.Channel(r.fetch.Done(), &handler.EnqueueRequestForObject{})).
		WatchesRawSource(source.Channel(r.demand.Changes(), &handler.EnqueueRequestForObject{})).
		WatchesRawSource(source.Channel(r.overflows.Changes(), &handler.EnqueueRequestForObject{})).
		WatchesRawSource(kube.ShardChanges(r.shard, func(ctx context.Context) []reconcile.Request {
			return r.forecastsIn(ctx, "")
		})).
		WithOptions(options).
		Complete(reconcile.Func(r.Reconcile))
}

// Reconcile reads new history, plans, and writes status when the result is worth a write.
func (r *ForecastReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if !kube.Owns(r.shard, kube.ForecastKey(req.NamespacedName)) {
		r.forget(req.NamespacedName)
		return ctrl.Result{}, r.learnFromOwner(ctx, req.NamespacedName)
	}
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
	set, err := planner.Parse(&fc)
	if err != nil {
		r.dropCandidate(req.NamespacedName, state, r.clock.Now())
		return kube.OrConflict(r.reportInvalidSpec(ctx, &fc, state, err))
	}
	if r.waits(&fc, state) {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	now := r.clock.Now()
	reads := set.HasDemand && set.Mode != v1alpha1.ForecastPaused
	if reads && r.spare(state, now) && r.read(req.NamespacedName, state, set, now, r.fetch) {
		// The end of the read requeues the Forecast, usually much sooner.
		return ctrl.Result{RequeueAfter: max(state.waitUntil(set).Sub(now), minRequeue)}, nil
	}
	if err := r.plan(ctx, &fc, state, set, now); err != nil {
		return kube.OrConflict(err)
	}
	return ctrl.Result{RequeueAfter: untilNext(state, set, now)}, nil
}

// waits reports whether the cache does not know yet what an evaluation needs: the autoscalers, or the
// Forecast after its weights have changed.
func (r *ForecastReconciler) waits(fc *v1alpha1.Forecast, state *forecastState) bool {
	return r.autoscalers.Wait() || state.before != "" && state.before == fc.ResourceVersion
}

// state returns the state of a Forecast, with the plan in status as the published one. A Forecast
// that was deleted and created again under the same name gets a new state.
func (r *ForecastReconciler) state(key types.NamespacedName, fc *v1alpha1.Forecast) *forecastState {
	r.mu.Lock()
	s, ok := r.states[key]
	recreated := ok && s.uid != fc.UID
	if !ok || recreated {
		s = &forecastState{uid: fc.UID, step: planner.State{Publisher: r.publisher(), Model: planner.Model{Small: true}}}
		for _, at := range fc.Status.RecentWrites {
			s.step.Publisher.Wrote(at.Time)
		}
		r.states[key] = s
	}
	r.mu.Unlock()
	if recreated {
		r.candidates.Leave(key)
		r.fetch.Forget(key)
	}
	s.adopt(fc.Status.Plan)
	return s
}

func (r *ForecastReconciler) publisher() *publish.Publisher {
	opts := publish.DefaultOptions()
	opts.Refresh, opts.Writes = r.rates.PlanRefresh, r.rates.WritesPerHour
	p, err := publish.New(opts)
	if err != nil {
		panic(err) // Impossible: Options.validate has checked the rates.
	}
	return p
}

func (r *ForecastReconciler) forget(key types.NamespacedName) {
	r.mu.Lock()
	delete(r.states, key)
	r.mu.Unlock()
	r.fetch.Forget(key)
	r.candidates.Leave(key)
	r.overflows.Forget(key)
	r.metrics.forget(key)
	r.poolWarmUps.Delete(key.Namespace, key.Name)
}

// learnFromOwner reads what the owner of a Forecast has learned about its warm-up: other services of
// the namespace may learn from it here.
func (r *ForecastReconciler) learnFromOwner(ctx context.Context, key types.NamespacedName) error {
	var fc v1alpha1.Forecast
	if err := r.client.Get(ctx, key, &fc, &client.GetOptions{UnsafeDisableDeepCopy: new(true)}); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.poolWarmUps.Restore(serviceOf(&fc), fc.Status.LeadTime)
	return nil
}

// reportInvalidSpec sets the condition Ready to False because of an invalid spec. The plan stays in
// status. Meanwhile the adapter answers with an error, so HPAs keep their replicas.
func (r *ForecastReconciler) reportInvalidSpec(
	ctx context.Context, fc *v1alpha1.Forecast, state *forecastState, why error,
) error {
	set := newConditionSet(fc.Generation, r.clock.Now())
	set.SetFalse(v1alpha1.ConditionReady, "InvalidSpec", "%s", kube.OneLine(why))
	next := fc.Status.DeepCopy()
	next.ObservedGeneration = fc.Generation
	changed := set.Merge(&next.Conditions)
	r.metrics.observeConditions(client.ObjectKeyFromObject(fc), next.Conditions)
	if len(changed) == 0 && fc.Status.ObservedGeneration == fc.Generation {
		return nil
	}
	return r.write(ctx, fc, state, next, changed)
}

// write writes the status of a Forecast and counts the write, see [writeStatus].
func (r *ForecastReconciler) write(
	ctx context.Context, fc *v1alpha1.Forecast, state *forecastState, next *v1alpha1.ForecastStatus,
	changed []conditions.Change,
) error {
	now := r.clock.Now()
	next.RecentWrites = kube.Newest(append(state.step.Publisher.Recent(now), now), maxRecentWrites)
	before := fc.DeepCopy()
	fc.Status = *next
	if written, err := kube.WriteStatus(ctx, r.client, r.recorder, before, fc, changed); err != nil || !written {
		return err
	}
	state.step.Publisher.Wrote(now)
	r.metrics.writes.Inc()
	return nil
}
