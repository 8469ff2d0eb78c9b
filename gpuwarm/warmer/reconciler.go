package warmer

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// Reconciler keeps warm what WarmPools ask for.
type Reconciler struct {
	opts    Options
	apis    *apis
	metrics *metrics

	// What follows is for one worker, as a controller has unless it is told otherwise. It is lost in a restart, which costs a few looks or savings.
	errors   map[types.NamespacedName]*gpuwarm.Errors            // of the forecasts of a WarmPool
	clean    map[string]absence                                  // objects that it is taken are not there
	denied   map[string]denial                                   // by Forecast and what was tried for it
	trials   map[string]*trials                                  // by Forecast, of its image's pulls
	admitted map[types.NamespacedName]map[admissionKey]admission // by WarmPool and target
	swept    map[types.NamespacedName]sweep                      // when what a WarmPool made was looked through last

	last map[types.NamespacedName]map[string]memory // by WarmPool and Forecast

	overheads map[string]corev1.ResourceList // that admission adds, by runtime class

	ends    map[string]ends               // by Forecast, of its placeholders
	stuck   *refusals                     // of removing pods; what sweeps has them too
	failing map[types.NamespacedName]bool // whether the last look at a WarmPool failed
}

// New returns a Reconciler.
func New(opts Options) (*Reconciler, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, fmt.Errorf("warmer: %w", err)
	}
	return &Reconciler{
		opts: opts, metrics: m, apis: &apis{discovery: opts.Discovery, seen: map[schema.GroupVersionKind]sighting{}},
		errors: map[types.NamespacedName]*gpuwarm.Errors{}, clean: map[string]absence{}, denied: map[string]denial{},
		trials: map[string]*trials{}, admitted: map[types.NamespacedName]map[admissionKey]admission{}, swept: map[types.NamespacedName]sweep{},
		last: map[types.NamespacedName]map[string]memory{}, overheads: map[string]corev1.ResourceList{},
		failing: map[types.NamespacedName]bool{}, ends: map[string]ends{}, stuck: &refusals{by: map[string]denial{}},
	}, nil
}

// SetupWithManager adds the reconciler to a manager. It needs leadership. A failing API server is asked again after a second, then ever more slowly
// up to a minute; what a person has to mend is looked at once an interval.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if err := mgr.Add(manager.RunnableFunc(r.sweepAlways)); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).Named("warmpool").
		For(&v1alpha1.WarmPool{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})). // a status that was written is no reason to look again
		WithOptions(controller.Options{RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, time.Minute)}).
		Complete(r)
}

// Reconcile looks at one WarmPool.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var pool v1alpha1.WarmPool
	err := r.opts.Client.Get(ctx, req.NamespacedName, &pool)
	if apierrors.IsNotFound(err) || (err == nil && pool.DeletionTimestamp != nil) {
		r.metrics.forget(req.NamespacedName)
		r.forget(req.NamespacedName)
		return reconcile.Result{}, r.release(ctx, poolHash(req.Namespace, req.Name))
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read WarmPool %s: %w", req.NamespacedName, err)
	}
	return r.reconcile(ctx, &pool)
}

func (r *Reconciler) reconcile(ctx context.Context, pool *v1alpha1.WarmPool) (reconcile.Result, error) {
	key := client.ObjectKeyFromObject(pool)
	selector, err := metav1.LabelSelectorAsSelector(&pool.Spec.ForecastSelector)
	if err != nil {
		return reconcile.Result{}, r.notReady(ctx, pool, reasonSelector, fmt.Sprintf("spec.forecastSelector: %v: what is held stays until it is mended", err))
	}
	again := r.failing[key]
	l, selected, err := r.look(ctx, pool, selector)
	if err != nil {
		if r.failing[key] = true; again {
			err = errors.Join(err, r.notReady(ctx, pool, reasonFailed, brief(err)+": it is tried again, at least once a minute"))
		}
		return reconcile.Result{}, err
	}
	status := pool.Status.DeepCopy()
	status.ObservedGeneration = pool.Generation
	outcome := &outcome{}
	jobs := r.jobs(ctx, l, selected)
	err = r.tend(ctx, l, jobs, status, outcome)
	r.remember(l, jobs)
	if r.failing[key] = err != nil; err != nil && !again {
		return reconcile.Result{}, err // most often the next look, a second later, has nothing to tell
	}
	outcome.conditions(status, pool, len(selected), l.now)
	r.metrics.report(key, l, jobs, outcome)
	if err := errors.Join(err, r.write(ctx, pool, status)); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: r.opts.Interval}, nil
}

// tend does what there is to do for each Forecast, and lets go of what was done for others. It returns what time alone may mend.
func (r *Reconciler) tend(ctx context.Context, l *look, jobs []*job, status *v1alpha1.WarmPoolStatus, outcome *outcome) error {
	failures := []error{outcome.unread(l.unread)}
	status.Forecasts, status.Placeholders = nil, 0
	status.Shared = r.share(l, jobs)
	l.heed(jobs)
	l.deduct(jobs)
	l.claim(jobs)
	l.countLeft(jobs)
	r.shortfalls(l, jobs, outcome)
	wanted := map[string]bool{}
	for _, j := range holdersFirst(jobs) {
		wanted[forecastHash(j.fc.Namespace, j.fc.Name)] = true
		// What fails for one Forecast is no reason to leave the others cold.
		failures = append(failures, r.warm(ctx, l, j, outcome))
		outcome.totals.add(j)
		status.Placeholders += outcome.placeholders
	}
	for _, j := range jobs[:min(len(jobs), 64)] {
		status.Forecasts = append(status.Forecasts, j.status)
	}
	return errors.Join(append(failures,
		outcome.settle(&outcome.left, nil, "removal of what was warmed for Forecasts that are not selected any more", r.forsake(ctx, l, wanted)))...)
}

// notReady says why nothing can be looked at, and leaves the rest of the status as it is.
func (r *Reconciler) notReady(ctx context.Context, pool *v1alpha1.WarmPool, reason, message string) error {
	status := pool.Status.DeepCopy()
	status.ObservedGeneration = pool.Generation
	setCondition(status, pool, v1alpha1.ConditionReady, finding{false, reason, message}, r.opts.Clock.Now())
	return r.write(ctx, pool, status)
}

func (r *Reconciler) write(ctx context.Context, pool *v1alpha1.WarmPool, status *v1alpha1.WarmPoolStatus) error {
	if equality.Semantic.DeepEqual(&pool.Status, status) {
		return nil
	}
	old := pool.DeepCopy()
	pool.Status = *status
	if err := r.opts.Client.Status().Update(ctx, pool); err != nil {
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return nil // the next look writes what is then
		}
		return fmt.Errorf("write the status of WarmPool %s/%s: %w", pool.Namespace, pool.Name, err)
	}
	r.announce(old, pool)
	return nil
}
