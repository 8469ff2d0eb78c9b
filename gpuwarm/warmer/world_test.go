package warmer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a fake cluster with one service "model" in the namespace "shop". A replica takes one
// GPU, and the plan has one value a minute from start on.
type world struct {
	t      *testing.T
	client client.WithWatch
	clock  *clocktesting.FakeClock
	r      *Reconciler
	mapper *fickleDiscovery
	reads  []string                                 // kinds that were read
	writes []string                                 // "verb kind" of all writes but status
	refuse func(verb string, o client.Object) error // of the API server
	admit  func(*corev1.Pod)                        // webhook that changes pods on their way in
	unread func(kind string) error                  // of the API server, for reads
	pods   int
	mu     sync.Mutex
}

// optional are the kinds that a cluster may not have.
var optional = map[string]bool{
	"CapacityBuffer": true, "ProvisioningRequest": true, "ImagePullJob": true,
	"LocalModelCache": true, "DataLoad": true,
}

// fickleDiscovery serves optional APIs, or not.
type fickleDiscovery struct {
	there map[string]bool
	away  bool // and does not answer
	asked int
}

func (d *fickleDiscovery) ServerResourcesForGroupVersion(gv string) (*metav1.APIResourceList, error) {
	d.asked++
	if d.away {
		return nil, apierrors.NewServiceUnavailable("discovery is away")
	}
	list := &metav1.APIResourceList{GroupVersion: gv}
	for _, gvk := range []schema.GroupVersionKind{
		kube.CapacityBuffer, kube.ProvisioningRequest, kube.ImagePullJob,
		kube.LocalModelCache, kube.DataLoad,
	} {
		if gvk.GroupVersion().String() == gv && d.there[gvk.Kind] {
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name: strings.ToLower(gvk.Kind) + "s",
				Kind: gvk.Kind,
			})
		}
	}
	if len(list.APIResources) == 0 {
		return nil, unserved("")
	}
	return list, nil
}

// unserved is the error of client-go for a path that the API server does not know, with the name of
// the requested object.
func unserved(name string) error {
	return apierrors.NewGenericServerResponse(http.StatusNotFound, "get",
		schema.GroupResource{Group: "example", Resource: "things"}, name, "404 page not found", 0, true)
}

func newWorld(t *testing.T, plan string, objects ...client.Object) *world {
	t.Helper()
	w := &world{t: t, clock: clocktesting.NewFakeClock(start), mapper: &fickleDiscovery{there: map[string]bool{}}}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	objects = append(objects, w.forecast(plan), deployment())
	w.client = fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.WarmPool{},
		&v1alpha1.Forecast{}).
		WithObjects(objects...).WithInterceptorFuncs(w.interceptors()).Build()
	r, err := New(Options{
		Client: w.client, Discovery: w.mapper, Logger: slog.New(slog.DiscardHandler), Clock: w.clock,
		Bounds: Bounds{Placeholders: 1000, Accelerators: 1000, Pulls: 1000, ImageNodes: 1000},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.r = r
	return w
}

// interceptors record what is read and written, and have it fail as a test says.
func (w *world) interceptors() interceptor.Funcs {
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := w.write("create", o); err != nil {
				return err
			}
			if p, ok := o.(*corev1.Pod); ok && w.admit != nil {
				w.admit(p)
			}
			o.SetUID(types.UID(fmt.Sprint("uid-", len(w.writes))))
			o.SetCreationTimestamp(metav1.NewTime(w.clock.Now()))
			return c.Create(ctx, o, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			if err := w.write("delete", o); err != nil {
				return err
			}
			return c.Delete(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			if err := w.write("update", o); err != nil {
				return err
			}
			return c.Update(ctx, o, opts...)
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object,
			opts ...client.GetOption,
		) error {
			w.reads = append(w.reads, kindOf(o))
			if w.unread != nil {
				if err := w.unread(kindOf(o)); err != nil {
					return err
				}
			}
			if kind := kindOf(o); optional[kind] && !w.mapper.there[kind] {
				return unserved(key.Name)
			}
			return c.Get(ctx, key, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			kind := list.GetObjectKind().GroupVersionKind().Kind
			if kind == "" {
				kind = strings.TrimPrefix(fmt.Sprintf("%T", list), "*v1.")
			}
			w.reads = append(w.reads, kind)
			if w.unread != nil {
				if err := w.unread(kind); err != nil {
					return err
				}
			}
			if of := strings.TrimSuffix(kind, "List"); optional[of] && !w.mapper.there[of] {
				return unserved("")
			}
			return c.List(ctx, list, opts...)
		},
	}
}

func kindOf(o client.Object) string {
	if k := o.GetObjectKind().GroupVersionKind().Kind; k != "" {
		return k
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", o), "*v1.")
}

func (w *world) write(verb string, o client.Object) error {
	w.mu.Lock() // the sweep writes beside looks
	defer w.mu.Unlock()
	if w.refuse != nil {
		if err := w.refuse(verb, o); err != nil {
			w.writes = append(w.writes, verb+" "+kindOf(o)+" refused")
			return err
		}
	}
	w.writes = append(w.writes, verb+" "+kindOf(o))
	return nil
}

// service adds another service of one GPU a replica, with its Forecast.
func (w *world) service(name, plan, expected string) {
	w.t.Helper()
	d := deployment()
	d.Name, d.Spec.Selector.MatchLabels = name, map[string]string{"app": name}
	d.Spec.Template.Labels = map[string]string{"app": name}
	fc := w.forecast(plan)
	fc.Name, fc.Spec.TargetRef.Name = name, name
	fc.Status.Plan.Segments[0].Expected = expected
	w.must(w.client.Create(w.t.Context(), d))
	status := fc.Status
	w.must(w.client.Create(w.t.Context(), fc))
	fc.Status = status
	w.must(w.client.Status().Update(w.t.Context(), fc))
}

// forecast returns a Forecast with a capacity of 10 a replica. The plan has one value of demand a
// minute.
func (w *world) forecast(plan string) *v1alpha1.Forecast {
	ten := resource.MustParse("10")
	fc := &v1alpha1.Forecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "demand", Labels: map[string]string{"warm": "yes"}},
		Spec: v1alpha1.ForecastSpec{
			TargetRef: v1alpha1.TargetReference{
				APIVersion: "apps/v1", Kind: "Deployment",
				Name: "model",
			}, Mode: v1alpha1.ForecastActive,
		},
	}
	fc.Status.CapacityPerReplica = &v1alpha1.CapacityStatus{Value: ten, Source: "Spec"}
	fc.Status.Plan = &v1alpha1.Plan{
		Start:    metav1.NewTime(start),
		Segments: []v1alpha1.PlanSegment{{Step: "1m", Values: plan}},
	}
	return fc
}

func template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "model"}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "server", Image: "registry.example/model:1", Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("16Gi")},
					Limits:   corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")},
				},
			}},
			NodeSelector:       map[string]string{"gpu": "yes"},
			Tolerations:        []corev1.Toleration{{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists}},
			ServiceAccountName: "model", ImagePullSecrets: []corev1.LocalObjectReference{{Name: "registry"}},
		},
	}
}

func deployment() *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "model"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "model"}},
			Template: template(),
		},
	}
}

// pool returns a WarmPool that selects all Forecasts. A node takes 2 minutes and a pull 1.
func pool(change ...func(*v1alpha1.WarmPool)) *v1alpha1.WarmPool {
	p := &v1alpha1.WarmPool{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "warm", UID: "pool-uid",
			CreationTimestamp: metav1.NewTime(start),
		},
		Spec: v1alpha1.WarmPoolSpec{
			Mode: v1alpha1.WarmPoolActive, Limits: map[string]resource.Quantity{
				"pods": resource.MustParse("1000"),
			}, Nodes: v1alpha1.WarmNodes{
				Policy: v1alpha1.WarmNodesAuto, Lead: "2m",
			},
			Images: v1alpha1.WarmImages{Policy: v1alpha1.WarmImagesAuto, Lead: "1m", Parallelism: 2},
		},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func node(name string, images ...string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"gpu": "yes"}}}
	n.Status.Allocatable = corev1.ResourceList{
		"cpu": resource.MustParse("8"), "memory": resource.MustParse("64Gi"), "nvidia.com/gpu": resource.MustParse("1"),
		"pods": resource.MustParse("110"),
	}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for _, i := range images {
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{i}})
	}
	return n
}

// replica creates a replica of the service, on a node or, with "", waiting for one.
func (w *world) replica(nodeName string) *corev1.Pod {
	w.t.Helper()
	w.pods++
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: fmt.Sprint("model-", w.pods),
		Labels: map[string]string{"app": "model"},
	}, Spec: template().Spec}
	p.Spec.NodeName = nodeName
	if err := w.client.Create(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// look reconciles so many minutes after start, and returns the status.
func (w *world) look(minutes float64) v1alpha1.WarmPoolStatus {
	w.t.Helper()
	status, err := w.tryLook(minutes)
	if err != nil {
		w.t.Fatal(err)
	}
	return status
}

func (w *world) tryLook(minutes float64) (v1alpha1.WarmPoolStatus, error) {
	w.t.Helper()
	w.clock.SetTime(start.Add(time.Duration(minutes * float64(time.Minute))))
	key := types.NamespacedName{Namespace: "shop", Name: "warm"}
	if _, err := w.r.Reconcile(w.t.Context(), reconcile.Request{NamespacedName: key}); err != nil {
		return v1alpha1.WarmPoolStatus{}, err
	}
	var p v1alpha1.WarmPool
	if err := w.client.Get(w.t.Context(), key, &p); err != nil {
		return v1alpha1.WarmPoolStatus{}, client.IgnoreNotFound(err)
	}
	return p.Status, nil
}

// ours returns the pods of a role.
func (w *world) ours(role string) []corev1.Pod {
	w.t.Helper()
	var pods corev1.PodList
	if err := w.client.List(w.t.Context(), &pods, client.MatchingLabels{names.LabelRole: role}); err != nil {
		w.t.Fatal(err)
	}
	return pods.Items
}

// bind puts a pod onto a node.
func (w *world) bind(p *corev1.Pod, nodeName string) {
	w.t.Helper()
	p.Spec.NodeName = nodeName
	w.must(w.client.Update(w.t.Context(), p))
}

// state returns what is remembered of the WarmPool.
func (w *world) state() *poolState {
	return w.r.pools[types.NamespacedName{Namespace: "shop", Name: "warm"}]
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func reasonOf(s v1alpha1.WarmPoolStatus, kind string) string {
	if c := meta.FindStatusCondition(s.Conditions, kind); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

var errInternal = apierrors.NewInternalError(errors.New("a webhook is away"))
