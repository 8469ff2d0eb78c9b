package clusters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/api/v1alpha1"
)

// namespaceWatch follows the Forecasts of one namespace of another cluster.
type namespaceWatch struct {
	clock    clock.PassiveClock
	logger   *slog.Logger
	informer cache.SharedIndexInformer
	cancel   context.CancelFunc
	// changed is called with the name of a Forecast, or with none when all may have changed.
	changed func(name string)

	mu    sync.Mutex
	err   error     // of the last request; nil when it succeeded
	since time.Time // when err began
	skew  skew
}

// forecastClient returns a client for the Forecasts of a cluster.
func forecastClient(config *rest.Config) (rest.Interface, runtime.ParameterCodec, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	metav1.AddToGroupVersion(scheme, v1alpha1.GroupVersion)
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = "/apis", &v1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return client, runtime.NewParameterCodec(scheme), nil
}

// newNamespaceWatch returns a watch that run runs.
func newNamespaceWatch(
	config *rest.Config, namespace string, c clock.PassiveClock, logger *slog.Logger, changed func(string),
) (*namespaceWatch, error) {
	client, codec, err := forecastClient(config)
	if err != nil {
		return nil, err
	}
	w := &namespaceWatch{clock: c, logger: logger, changed: changed}
	request := func(o metav1.ListOptions) *rest.Request {
		return client.Get().Namespace(namespace).Resource("forecasts").VersionedParams(&o, codec)
	}
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list := &v1alpha1.ForecastList{}
			err := request(o).Do(ctx).Into(list)
			w.answered(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.Watch = true
			events, err := request(o).Watch(ctx)
			w.answered(ctx, err)
			return events, err
		},
	}
	w.informer = cache.NewSharedIndexInformer(source, &v1alpha1.Forecast{}, 0, cache.Indexers{})
	err = errors.Join(w.informer.SetTransform(strip), w.informer.SetWatchErrorHandlerWithContext(
		func(_ context.Context, _ *cache.Reflector, err error) { logger.Debug("watch ended", "error", err) }))
	if err != nil {
		return nil, err
	}
	_, err = w.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { w.seen(obj, false) },
		UpdateFunc: func(_, obj any) { w.seen(obj, true) },
		DeleteFunc: func(obj any) {
			if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = gone.Obj
			}
			w.seen(obj, false)
		},
	})
	return w, err
}

// run watches until ctx ends or stop is called.
func (w *namespaceWatch) run(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	go w.informer.RunWithContext(ctx)
}

func (w *namespaceWatch) stop() {
	if w.cancel != nil {
		w.cancel()
	}
}

// answered notes the result of a request. Only a change of it is told.
func (w *namespaceWatch) answered(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil {
		return // The watch is being stopped.
	}
	now := w.clock.Now()
	w.mu.Lock()
	before := w.err
	w.err = err
	if err != nil && before == nil {
		w.since = now
	}
	w.mu.Unlock()
	if (before == nil) != (err == nil) || reasonOf(before) != reasonOf(err) {
		w.logger.Info("reading another cluster", "error", err)
		w.changed("")
	}
}

// seen notes an event of a Forecast. An update of its status tells how far its clock is off.
func (w *namespaceWatch) seen(obj any, update bool) {
	fc, ok := obj.(*v1alpha1.Forecast)
	if !ok {
		return
	}
	if writes := fc.Status.RecentWrites; update && len(writes) > 0 {
		w.mu.Lock()
		w.skew.add(writes[len(writes)-1].Time, w.clock.Now())
		w.mu.Unlock()
	}
	w.changed(fc.Name)
}

// get returns what is known of one Forecast.
func (w *namespaceWatch) get(namespace, name string) Reading {
	w.mu.Lock()
	r := Reading{Err: w.err, Since: w.since}
	r.Skew, r.SkewKnown = w.skew.estimate()
	w.mu.Unlock()
	r.Synced = w.informer.HasSynced()
	key := types.NamespacedName{Namespace: namespace, Name: name}.String()
	if obj, found, err := w.informer.GetStore().GetByKey(key); err == nil && found {
		r.Forecast, _ = obj.(*v1alpha1.Forecast)
	}
	return r
}

// strip keeps what is read of a Forecast of another cluster.
func strip(obj any) (any, error) {
	fc, ok := obj.(*v1alpha1.Forecast)
	if !ok {
		return obj, nil
	}
	out := &v1alpha1.Forecast{}
	out.Namespace, out.Name, out.UID, out.ResourceVersion = fc.Namespace, fc.Name, fc.UID, fc.ResourceVersion
	out.Spec.Unit = fc.Spec.Unit
	s := &fc.Status
	for _, c := range s.Conditions {
		if c.Type == v1alpha1.ConditionFitsCluster {
			out.Status.Conditions = []metav1.Condition{c}
		}
	}
	if s.Plan != nil {
		out.Status.Plan = &v1alpha1.Plan{ComputedAt: s.Plan.ComputedAt, Start: s.Plan.Start, End: s.Plan.End}
	}
	out.Status.Overflow = s.Overflow
	if s.OverflowOf != nil {
		out.Status.OverflowOf = &v1alpha1.OverflowSource{Chain: s.OverflowOf.Chain}
	}
	if n := len(s.RecentWrites); n > 0 {
		out.Status.RecentWrites = s.RecentWrites[n-1:]
	}
	return out, nil
}
