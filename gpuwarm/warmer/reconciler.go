package warmer

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/nodes"
)

// Reconciler keeps warm what WarmPools ask for.
type Reconciler struct {
	opts    Options
	apis    *kube.APIs
	client  kube.Client
	deleter *kube.Deleter // shared with Sweep, which runs beside the looks
	metrics *metrics
	pools   map[types.NamespacedName]*poolState // for the one worker of the controller
	quotas  map[string]quotaRead                // likewise, by namespace
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
	deleter := kube.NewDeleter(opts.Client, opts.Clock)
	return &Reconciler{
		opts: opts, metrics: m, apis: kube.NewAPIs(opts.Discovery, opts.Clock), deleter: deleter,
		client: kube.Client{Client: opts.Client, Live: opts.Live, Deleter: deleter},
		pools:  map[types.NamespacedName]*poolState{},
		quotas: map[string]quotaRead{},
	}, nil
}

// SetupWithManager adds the reconciler to a manager. It needs leadership, unless the options say
// what this replica owns. When the API server fails, the next look comes after a second, then ever
// more slowly up to a minute. What a person has to fix is looked at once per interval.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if err := mgr.Add(manager.RunnableFunc(r.sweepRegularly)); err != nil {
		return err
	}
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, time.Minute)
	return ctrl.NewControllerManagedBy(mgr).Named("warmpool").
		// A status that we wrote is no reason to look again.
		For(&v1alpha1.WarmPool{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Channel(r.opts.OwnersChanged, handler.EnqueueRequestsFromMapFunc(r.allPools))).
		WithOptions(controller.Options{RateLimiter: limiter, NeedLeaderElection: new(r.opts.Owns == nil)}).
		Complete(r)
}

// allPools returns a request for every WarmPool.
func (r *Reconciler) allPools(ctx context.Context, _ client.Object) []reconcile.Request {
	var list v1alpha1.WarmPoolList
	if err := r.opts.Client.List(ctx, &list); err != nil {
		return nil // the cache is being stopped
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}

// Reconcile looks at one WarmPool.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	if r.opts.Owns != nil && !r.opts.Owns(req.Namespace) {
		r.metrics.forget(req.NamespacedName)
		delete(r.pools, req.NamespacedName)
		return reconcile.Result{}, nil
	}
	var pool v1alpha1.WarmPool
	err := r.opts.Client.Get(ctx, req.NamespacedName, &pool)
	if apierrors.IsNotFound(err) || (err == nil && pool.DeletionTimestamp != nil) {
		r.metrics.forget(req.NamespacedName)
		delete(r.pools, req.NamespacedName)
		return reconcile.Result{}, r.releasePool(ctx, req.NamespacedName)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read WarmPool %s: %w", req.NamespacedName, err)
	}
	return r.look(ctx, &pool)
}

// look observes, decides, applies and reports. A first failure is not reported: it is most often
// over at the next look, a second later.
func (r *Reconciler) look(ctx context.Context, pool *v1alpha1.WarmPool) (reconcile.Result, error) {
	selector, err := pool.Spec.Selector()
	if err != nil {
		message := fmt.Sprintf("%v: what is held stays until it is mended", err)
		return reconcile.Result{}, r.notReady(ctx, pool, reasonSelector, message)
	}
	if !r.counts(ctx, pool) {
		return r.rest(ctx, pool, selector)
	}
	st := r.stateOf(pool)
	again := st.failing
	o, err := r.observe(ctx, pool, selector, st)
	if err != nil {
		if st.failing = true; again {
			message := brief(err) + ": it is tried again, at least once a minute"
			err = errors.Join(err, r.notReady(ctx, pool, reasonFailed, message))
		}
		return reconcile.Result{}, err
	}
	d := r.decide(o, st)
	outcomes, rest := r.newApplier(o, d, st).apply(ctx)
	report := newReport(o, d, outcomes, rest, st.errors)
	st.remember(o, d, report.statuses)
	if st.failing = report.err != nil; report.err != nil && !again {
		return reconcile.Result{}, report.err
	}
	r.metrics.measure(client.ObjectKeyFromObject(pool), st, o, d, report, outcomes)
	if err := errors.Join(report.err, r.write(ctx, pool, report.status(d.Works, o.Now))); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: r.opts.Interval}, nil
}

func (r *Reconciler) decide(o *observation, st *poolState) *allocate.Desired {
	b := r.opts.Bounds
	return allocate.Decide(&o.Snapshot, st.memory(), allocate.Options{
		ShapeKey: nodes.ShapeKey,
		Cap: allocate.Cap{
			Placeholders: b.Placeholders, Accelerators: b.Accelerators, Pulls: b.Pulls, ImageNodes: b.ImageNodes,
		},
	})
}
