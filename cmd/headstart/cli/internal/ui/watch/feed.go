package watch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/model"
)

// feed follows the objects of one kind in one namespace, or in all.
type feed struct {
	client    client.WithWatch
	kind      kind
	namespace string
	store     *notifyingStore
	notify    func()

	mu     sync.Mutex
	state  model.State
	why    why
	synced bool               // whether a list has been read
	stop   context.CancelFunc // ends the current attempt
}

func newFeed(c client.WithWatch, k kind, namespace string, notify func()) *feed {
	f := &feed{client: c, kind: k, namespace: namespace, notify: notify, state: model.Loading}
	f.store = &notifyingStore{Store: cache.NewStore(cache.MetaNamespaceKeyFunc), feed: f}
	return f
}

// run follows the objects until ctx ends. told hears of each state.
func (f *feed) run(ctx context.Context, retry time.Duration, told func(model.State)) {
	// The reflector would log each error to the terminal. The page shows them.
	ctx = klog.NewContext(ctx, logr.Discard())
	for ctx.Err() == nil {
		attempt, stop := context.WithCancel(ctx)
		f.mu.Lock()
		f.stop = stop
		f.mu.Unlock()
		reflector := cache.NewReflectorWithOptions(f.listWatch(), f.kind.object(), f.store, cache.ReflectorOptions{
			Name: f.kind.name, TypeDescription: f.kind.name,
		})
		reflector.RunWithContext(attempt) // until record finds that there is no point
		stop()
		told(f.access().State)
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

func (f *feed) listWatch() *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			l := f.kind.list()
			err := f.client.List(ctx, l, &client.ListOptions{Namespace: f.namespace, Raw: &o})
			f.record(ctx, "list", err)
			return l, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error) {
			w, err := f.client.Watch(ctx, f.kind.list(), &client.ListOptions{Namespace: f.namespace, Raw: &o})
			f.record(ctx, "watch", err)
			return w, err
		},
	}
}

// record remembers why a request failed. Where it will fail again, the attempt ends.
func (f *feed) record(ctx context.Context, verb string, err error) {
	switch {
	case err == nil && verb == "watch":
		f.resume()
		return
	case err == nil, ctx.Err() != nil, passing(err):
		return
	}
	f.mu.Lock()
	if !f.synced {
		verb = "list" // a first list may come by a watch
	}
	f.mu.Unlock()
	state, why := f.explain(verb, err)
	f.set(state, why)
	if state != model.Failed {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.stop()
	}
}

// passing reports whether an error is no failure: the reflector lists again.
func passing(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsInvalid(err) ||
		apierrors.IsTimeout(err)
}

// why says why objects are not seen, and what to do: a text, the name of their kind if named is set,
// and more text.
type why struct {
	before string
	named  bool
	after  string
}

// explain says why the objects are not seen, and what to do. What is denied or absent stays so.
func (f *feed) explain(verb string, err error) (model.State, why) {
	switch {
	case apierrors.IsForbidden(err):
		return model.Denied, why{
			"you may not " + verb + " ", true,
			" " + f.where() + "; the role headstart-view, or view for the kinds of Kubernetes, permits it",
		}
	case apierrors.IsUnauthorized(err):
		return model.Failed, why{before: "the API server does not accept your credentials: log in again"}
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return model.Absent, why{"the cluster has no ", true, ""}
	}
	return model.Failed, why{before: fmt.Sprintf("the API server does not answer: %v", err)}
}

// where says in which namespaces the objects are.
func (f *feed) where() string {
	switch {
	case f.kind.clusterWide:
		return "of the cluster"
	case f.namespace == "":
		return "in all namespaces"
	}
	return "in namespace " + f.namespace
}

// resume notes that the API server answers again. Without a list, the objects are still to come.
func (f *feed) resume() {
	f.mu.Lock()
	synced := f.synced
	f.mu.Unlock()
	if synced {
		f.set(model.Live, why{})
	}
}

func (f *feed) set(state model.State, why why) {
	f.mu.Lock()
	same := f.state == state && f.why == why
	f.state, f.why = state, why
	f.mu.Unlock()
	if !same {
		f.notify()
	}
}

func (f *feed) access() model.Access {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := model.Access{Kind: f.kind.name, Namespace: f.namespace, State: f.state, Message: f.why.before}
	if f.why.named {
		out.Message, out.Around = f.why.before+out.Kind+f.why.after, []string{f.why.before, f.why.after}
	}
	return out
}

func (f *feed) objects() []client.Object {
	items := f.store.List()
	out := make([]client.Object, len(items))
	for i, item := range items {
		out[i] = item.(client.Object)
	}
	return out
}

// notifyingStore keeps the objects of a feed, and reports each change.
type notifyingStore struct {
	cache.Store
	feed *feed
}

// Add implements cache.Store.
func (s *notifyingStore) Add(o any) error { return s.changed(s.Store.Add(stripped(o))) }

// Update implements cache.Store.
func (s *notifyingStore) Update(o any) error { return s.changed(s.Store.Update(stripped(o))) }

// Delete implements cache.Store.
func (s *notifyingStore) Delete(o any) error { return s.changed(s.Store.Delete(o)) }

// Replace implements cache.Store. It is called when a list has been read.
func (s *notifyingStore) Replace(all []any, version string) error {
	for i := range all {
		all[i] = stripped(all[i])
	}
	s.feed.mu.Lock()
	s.feed.synced = true
	s.feed.mu.Unlock()
	return s.changed(s.Store.Replace(all, version))
}

// changed reports a change, and marks the kind as live.
func (s *notifyingStore) changed(err error) error {
	s.feed.set(model.Live, why{})
	s.feed.notify()
	return err
}

func stripped(o any) any {
	if o, ok := o.(client.Object); ok {
		strip(o)
	}
	return o
}
