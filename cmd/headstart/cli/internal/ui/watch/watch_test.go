package watch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/model"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/watch"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/planner"
)

// rules decide what the API server answers. A test changes them.
type rules struct {
	mu     sync.Mutex
	answer func(verb, kind, namespace string) error
	// watching reports whether Forecasts are watched. The client keeps no change for a later watch.
	watching bool
}

// awaitWatch waits until a change of a Forecast would arrive.
func (r *rules) awaitWatch(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		watching := r.watching
		r.mu.Unlock()
		if watching {
			return
		}
		if time.Now().After(end) {
			t.Fatal("Forecasts are not watched after a minute")
		}
	}
}

func (r *rules) set(answer func(verb, kind, namespace string) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *rules) of(verb, kind, namespace string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answer == nil {
		return nil
	}
	return r.answer(verb, kind, namespace)
}

// cluster returns a client of a cluster without KEDA, and the rules of its answers.
func cluster(objects ...client.Object) (client.WithWatch, *rules) {
	r := &rules{}
	check := func(verb string, l client.ObjectList, opts []client.ListOption) error {
		o := &client.ListOptions{}
		o.ApplyOptions(opts)
		kind := l.GetObjectKind().GroupVersionKind()
		if kind.Kind == planner.ScaledObjectKind.Kind+"List" {
			return &meta.NoKindMatchError{GroupKind: planner.ScaledObjectKind.GroupKind()}
		}
		if o.Raw != nil && o.Raw.SendInitialEvents != nil { // this server has no streaming lists
			return apierrors.NewInvalid(schema.GroupKind{}, "", nil)
		}
		name := kind.Kind
		if name == "" {
			name = strings.TrimPrefix(strings.TrimPrefix(typeName(l), "*v1alpha1."), "*v2.")
		}
		return r.of(verb, strings.TrimSuffix(name, "List"), o.Namespace)
	}
	inner := fake.NewClientBuilder().WithScheme(controller.NewScheme()).WithObjects(objects...).Build()
	return interceptor.NewClient(inner, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			if err := check("list", l, opts); err != nil {
				return err
			}
			return c.List(ctx, l, opts...)
		},
		Watch: func(
			ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption,
		) (apiwatch.Interface, error) {
			if err := check("watch", l, opts); err != nil {
				return nil, err
			}
			w, err := c.Watch(ctx, l, opts...)
			if typeName(l) == "ForecastList" && err == nil {
				r.mu.Lock()
				r.watching = true
				r.mu.Unlock()
			}
			return w, err
		},
	}), r
}

func typeName(l client.ObjectList) string {
	switch l.(type) {
	case *v1alpha1.ForecastList:
		return "ForecastList"
	case *v1alpha1.CalendarList:
		return "CalendarList"
	}
	return "other"
}

func forecast(namespace, name string) *v1alpha1.Forecast {
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	fc.Spec.TargetRef = v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name}
	return fc
}

// follow starts to follow a cluster until the end of the test.
func follow(t *testing.T, c client.WithWatch, namespaces ...string) *watch.Cluster {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, err := watch.Start(ctx, watch.Options{
		Client: c, Namespaces: namespaces, Fallback: "shop", Retry: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		out.Wait()
	})
	return out
}

// await waits until what is known is as wanted. It looks again after each change.
func await(t *testing.T, c *watch.Cluster, what string, ok func(model.Objects) bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		changed := c.Changed()
		if ok(c.Snapshot()) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not so after a minute: %s: %+v", what, c.Snapshot().Access)
		}
	}
}

func names(o model.Objects) string {
	var out []string
	for _, fc := range o.Forecasts {
		out = append(out, fc.Namespace+"/"+fc.Name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// state is that of a kind in a namespace, with its message.
func state(o model.Objects, kind, namespace string) (model.State, string) {
	for _, a := range o.Access {
		if a.Kind == kind && a.Namespace == namespace {
			return a.State, a.Message
		}
	}
	return "", ""
}

var errForbidden = apierrors.NewForbidden(schema.GroupResource{Resource: "forecasts"}, "", errors.New("no role"))

// What the user sees, and what the page says about the rest, by what the API server answers.
func TestAccess(t *testing.T) {
	cases := map[string]struct {
		reason     string
		namespaces []string
		answer     func(verb, kind, namespace string) error
		sees       string
		states     map[string]model.State // by kind and namespace
		says       string                 // about forecasts, where they are not live
	}{
		"All": {
			reason: "a user who may see everything", sees: "ml/b shop/a",
			states: map[string]model.State{"forecasts ": model.Live, "calendars ": model.Live, "scaledobjects ": model.Absent},
		},
		"OneNamespace": {
			reason: "a user with rights in one namespace", sees: "shop/a",
			answer: func(_, kind, namespace string) error {
				if kind == "Forecast" && namespace != "shop" {
					return errForbidden
				}
				return nil
			},
			states: map[string]model.State{"forecasts ": model.Denied, "forecasts shop": model.Live},
			says:   "you may not list forecasts in all namespaces",
		},
		"Named": {
			reason: "two namespaces are named, and one of them is denied", namespaces: []string{"ml", "shop"}, sees: "ml/b",
			answer: func(_, kind, namespace string) error {
				if kind == "Forecast" && namespace == "shop" {
					return errForbidden
				}
				return nil
			},
			states: map[string]model.State{"forecasts ml": model.Live, "forecasts shop": model.Denied},
			says:   "you may not list forecasts in namespace shop",
		},
		"NoWatch": {
			reason: "a user who may list and not watch sees what was listed, and that it is not live", sees: "ml/b shop/a",
			answer: func(verb, kind, _ string) error {
				if kind == "Forecast" && verb == "watch" {
					return errForbidden
				}
				return nil
			},
			states: map[string]model.State{"forecasts ": model.Denied}, says: "you may not watch forecasts",
		},
		"Calendars": {
			reason: "a kind of the whole cluster has no namespace to fall back to", sees: "ml/b shop/a",
			answer: func(_, kind, _ string) error {
				if kind == "Calendar" {
					return errForbidden
				}
				return nil
			},
			states: map[string]model.State{"calendars ": model.Denied, "calendars shop": ""},
		},
		"LoggedOut": {
			reason: "credentials that have expired",
			answer: func(string, string, string) error { return apierrors.NewUnauthorized("expired") },
			states: map[string]model.State{"forecasts ": model.Failed}, says: "log in again",
		},
		"Down": {
			reason: "an API server that does not answer",
			answer: func(string, string, string) error { return errors.New("connection refused") },
			states: map[string]model.State{"forecasts ": model.Failed}, says: "connection refused",
		},
		"NotInstalled": {
			reason: "a cluster without Headstart",
			answer: func(_, kind, _ string) error {
				if kind == "Forecast" {
					return &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "Forecast"}}
				}
				return nil
			},
			states: map[string]model.State{"forecasts ": model.Absent}, says: "the cluster has no forecasts",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, r := cluster(forecast("shop", "a"), forecast("ml", "b"))
			r.set(tc.answer)
			got := follow(t, c, tc.namespaces...)
			await(t, got, tc.reason, func(o model.Objects) bool {
				said := tc.says == ""
				for key, want := range tc.states {
					kind, namespace, _ := strings.Cut(key, " ")
					is, message := state(o, kind, namespace)
					if is != want {
						return false
					}
					said = said || kind == "forecasts" && is != model.Live && strings.Contains(message, tc.says)
				}
				return said && names(o) == tc.sees
			})
			for _, a := range got.Snapshot().Access {
				if named := strings.Contains(a.Message, " "+a.Kind); named != (len(a.Around) == 2) ||
					named && strings.Join(a.Around, a.Kind) != a.Message {
					t.Errorf("%s: %q around %s does not make %q", tc.reason, a.Around, a.Kind, a.Message)
				}
			}
		})
	}
}

// Changes arrive by the watch, with the replicas of the targets.
func TestChangesArrive(t *testing.T) {
	replicas := int32(4)
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "a"}}
	deployment.Spec.Replicas, deployment.Status.ReadyReplicas = &replicas, 3
	c, r := cluster(forecast("shop", "a"), deployment)
	got := follow(t, c)
	await(t, got, "the first one is listed", func(o model.Objects) bool { return names(o) == "shop/a" })
	r.awaitWatch(t)
	if err := c.Create(t.Context(), forecast("shop", "c")); err != nil {
		t.Fatal(err)
	}
	key := model.TargetKey{Namespace: "shop", APIVersion: "apps/v1", Kind: "Deployment", Name: "a"}
	await(t, got, "both are seen", func(o model.Objects) bool {
		return names(o) == "shop/a shop/c" && o.Targets[key] == model.Target{Wanted: 4, Ready: 3}
	})
	if err := c.Delete(t.Context(), forecast("shop", "a")); err != nil {
		t.Fatal(err)
	}
	await(t, got, "one is gone", func(o model.Objects) bool { return names(o) == "shop/c" })
}

// The editor of a Forecast names the kind of its target. That must not make the page of somebody with
// more rights read Secrets.
func TestCoreKindsAreNotRead(t *testing.T) {
	secret := forecast("shop", "a")
	secret.Spec.TargetRef = v1alpha1.TargetReference{APIVersion: "v1", Kind: "Secret", Name: "a"}
	odd := forecast("shop", "b")
	odd.Spec.TargetRef = v1alpha1.TargetReference{APIVersion: "/v1", Kind: "Secret", Name: "a"}
	old := forecast("shop", "c")
	old.Spec.TargetRef = v1alpha1.TargetReference{APIVersion: "v1", Kind: "ReplicationController", Name: "c"}
	c, r := cluster(secret, odd, old, forecast("shop", "d"))
	var mu sync.Mutex
	asked := false
	r.set(func(_, kind, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		asked = asked || kind == "Secret"
		return nil
	})
	got := follow(t, c)
	await(t, got, "the others are followed", func(o model.Objects) bool {
		core, _ := state(o, "replicationcontrollers.", "")
		apps, _ := state(o, "deployments.apps", "")
		return core == model.Live && apps == model.Live
	})
	mu.Lock()
	defer mu.Unlock()
	if asked {
		t.Error("Secrets are read")
	}
}

// Kinds that do not exist, or that no Forecast names any longer, keep no place from others.
func TestKindsGiveTheirPlace(t *testing.T) {
	c, r := cluster()
	r.set(func(_, kind, _ string) error {
		if strings.HasPrefix(kind, "Absent") {
			return &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: kind}}
		}
		return nil
	})
	for i := range 20 {
		fc := forecast("shop", fmt.Sprintf("a-%d", i))
		fc.Spec.TargetRef.APIVersion, fc.Spec.TargetRef.Kind = "a.example/v1", fmt.Sprintf("Absent%d", i)
		if err := c.Create(t.Context(), fc); err != nil {
			t.Fatal(err)
		}
	}
	fc := forecast("shop", "z")
	if err := c.Create(t.Context(), fc); err != nil {
		t.Fatal(err)
	}
	got := follow(t, c)
	live := func(o model.Objects) bool {
		is, _ := state(o, "deployments.apps", "")
		return is == model.Live
	}
	await(t, got, "a kind that exists is followed", live)
	r.awaitWatch(t)
	if err := c.Delete(t.Context(), fc); err != nil {
		t.Fatal(err)
	}
	await(t, got, "one that is no longer named is not", func(o model.Objects) bool {
		is, _ := state(o, "deployments.apps", "")
		return is == ""
	})
}

// A permission that is given later is noticed.
func TestPermissionIsGiven(t *testing.T) {
	c, r := cluster(forecast("shop", "a"), forecast("ml", "b"))
	r.set(func(_, kind, namespace string) error {
		if kind == "Forecast" && namespace == "" {
			return errForbidden
		}
		return nil
	})
	got := follow(t, c)
	await(t, got, "one namespace is seen", func(o model.Objects) bool { return names(o) == "shop/a" })
	r.set(nil)
	await(t, got, "all are seen, each once", func(o model.Objects) bool { return names(o) == "ml/b shop/a" })
}

func TestOptions(t *testing.T) {
	c, _ := cluster()
	for reason, o := range map[string]watch.Options{
		"no client": {Fallback: "shop", Retry: time.Second}, "no fallback": {Client: c, Retry: time.Second},
		"no retry": {Client: c, Fallback: "shop"},
	} {
		if _, err := watch.Start(t.Context(), o); err == nil {
			t.Errorf("%s: no error", reason)
		}
	}
}
