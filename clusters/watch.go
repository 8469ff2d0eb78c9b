package clusters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
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
	names map[string]int // how many follow each Forecast
	err   error          // of the last request; nil when it succeeded
	since time.Time      // when err began
	skew  skew
}

// forecastClient returns a client for the Forecasts of a cluster, with bounds on its answers. It sets
// full when a watch has had all that it may have.
func forecastClient(config *rest.Config, full *atomic.Bool) (rest.Interface, runtime.ParameterCodec, error) {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypeWithName(v1alpha1.GroupVersion.WithKind("Forecast"), &remoteForecast{})
	scheme.AddKnownTypeWithName(v1alpha1.GroupVersion.WithKind("ForecastList"), &remoteList{})
	metav1.AddToGroupVersion(scheme, v1alpha1.GroupVersion)
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return limited{next: next, full: full} })
	config.APIPath, config.GroupVersion = "/apis", &v1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return client, runtime.NewParameterCodec(scheme), nil
}

// newNamespaceWatch returns a watch that run runs. Its requests are answered within a time.
func newNamespaceWatch(
	config *rest.Config, namespace string, answer time.Duration, c clock.PassiveClock, logger *slog.Logger,
	changed func(string),
) (*namespaceWatch, error) {
	w := &namespaceWatch{clock: c, logger: logger, changed: changed, names: map[string]int{}}
	source, err := w.source(config, namespace, answer)
	if err != nil {
		return nil, err
	}
	w.informer = cache.NewSharedIndexInformer(source, &remoteForecast{}, 0, cache.Indexers{})
	err = errors.Join(w.informer.SetTransform(keep), w.informer.SetWatchErrorHandlerWithContext(
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

// listed makes the informer begin with a list, which has a limit, and not with a watch.
type listed struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is what the reflector asks.
func (listed) IsWatchListSemanticsUnSupported() bool { return true }

// source returns how the Forecasts are listed and watched.
func (w *namespaceWatch) source(
	config *rest.Config, namespace string, answer time.Duration,
) (cache.ListerWatcher, error) {
	var full atomic.Bool
	client, codec, err := forecastClient(config, &full)
	if err != nil {
		return nil, err
	}
	request := func(o metav1.ListOptions) *rest.Request {
		return client.Get().Namespace(namespace).Resource("forecasts").VersionedParams(&o, codec)
	}
	return listed{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list := &remoteList{}
			err := request(o).Timeout(answer).Do(ctx).Into(list)
			w.answered(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			if full.Swap(false) {
				return nil, apierrors.NewResourceExpired("the watch had too many events: list again")
			}
			o.Watch = true
			most := watchAnswers * answer
			if o.TimeoutSeconds != nil {
				most += time.Duration(*o.TimeoutSeconds) * time.Second
			}
			events, err := startWatch(ctx, watchAnswers*answer, most, request(o).Watch)
			w.answered(ctx, err)
			return events, err
		},
	}}, nil
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
	w.mu.Lock()
	if writes := fc.Status.RecentWrites; update && len(writes) > 0 {
		w.skew.add(writes[len(writes)-1].Time, w.clock.Now())
	}
	wanted := w.names[fc.Name] > 0
	w.mu.Unlock()
	if wanted {
		w.changed(fc.Name)
	}
}

// count notes that one more follows a Forecast, or one less.
func (w *namespaceWatch) count(name string, change int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.names[name] += change; w.names[name] <= 0 {
		delete(w.names, name)
	}
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
