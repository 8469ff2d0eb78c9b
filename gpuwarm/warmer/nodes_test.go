package warmer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// ramp is flat until minute 4, five replicas until minute 8, then one.
const ramp = "10 10 10 10 50 50 50 50 10 10 10 10 10 10 10 10"

func noImages(p *v1alpha1.WarmPool) { p.Spec.Images.Policy = v1alpha1.WarmImagesOff }

func TestPlaceholdersFollowThePlan(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages), node("a"))
	w.replica("a")
	if s := w.look(0); len(w.ours(names.RolePlaceholder)) != 0 || s.Forecasts[0].Needed != 1 {
		t.Fatalf("nothing should be held yet: %+v", s.Forecasts)
	}
	s := w.look(2)
	if n := len(w.ours(names.RolePlaceholder)); n != 4 || s.Placeholders != 4 || s.Forecasts[0].Hold != 4 {
		t.Fatalf("two minutes ahead four should be held, there are %d: %+v", n, s)
	}
	if got := reasonOf(s, v1alpha1.ConditionNodesWarm); got != "False InProgress" {
		t.Errorf("while placeholders wait for nodes NodesWarm is %q", got)
	}
	for i, p := range w.ours(names.RolePlaceholder)[:3] {
		w.bind(&p, fmt.Sprint("new-", i))
	}
	writes := len(w.writes)
	if s = w.look(2.25); s.Forecasts[0].Held != 3 || len(w.writes) != writes {
		t.Errorf("three are held, and nothing should be written: %+v, %v", s.Forecasts[0], w.writes[writes:])
	}
	// The ramp begins: the HPA creates replicas, and the scheduler evicts placeholders for them. These
	// are not created again.
	gone := w.ours(names.RolePlaceholder)[0]
	w.must(w.client.Delete(t.Context(), &gone))
	w.replica("new-0")
	w.replica("")
	w.look(4)
	if n := len(w.ours(names.RolePlaceholder)); n != 2 {
		t.Fatalf("three replicas are there and five needed, so two should be held, not %d", n)
	}
	if s = w.look(8.5); len(w.ours(names.RolePlaceholder)) != 0 ||
		reasonOf(s, v1alpha1.ConditionNodesWarm) != "True AsPlanned" {
		t.Errorf("the peak is over, but %d are held", len(w.ours(names.RolePlaceholder)))
	}
}

// A node that the warm pool brought up pulls the image before it counts as held.
func TestANodeIsHeldOnceItHasTheImage(t *testing.T) {
	w := newWorld(t, steady, pool(), node("a"), node("b"))
	w.look(0)
	for i, p := range w.ours(names.RolePlaceholder) {
		w.bind(&p, []string{"a", "b"}[i])
	}
	says := func(s v1alpha1.WarmPoolStatus) string {
		return meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionNodesWarm).Message
	}
	s := w.look(0.25)
	if got := reasonOf(s, v1alpha1.ConditionNodesWarm); got != "False InProgress" || s.Forecasts[0].Held != 0 ||
		!strings.Contains(says(s), "for 0 have the image") {
		t.Errorf("both nodes lack the image, but NodesWarm is %q: %s", got, says(s))
	}
	w.lists("a", image)
	if s = w.look(0.5); s.Forecasts[0].Held != 1 || reasonOf(s, v1alpha1.ConditionNodesWarm) != "False InProgress" {
		t.Errorf("one of them has it: %+v", s.Forecasts[0])
	}
	w.lists("b", image)
	if s = w.look(0.75); s.Forecasts[0].Held != 2 || reasonOf(s, v1alpha1.ConditionNodesWarm) != "True AsPlanned" {
		t.Errorf("both have it: %+v", s.Forecasts[0])
	}
}

// An image that is pinned by its digest is listed without the tag.
func TestANodeHasAPinnedImage(t *testing.T) {
	const digest = "@sha256:0123456789012345678901234567890123456789012345678901234567890123"
	w := newWorld(t, steady, pool(), node("a", "registry.example/model"+digest),
		node("b", "registry.example/model"+digest))
	changeTemplate(func(s *corev1.PodSpec) { s.Containers[0].Image = image + digest })(w, nil)
	w.look(0)
	for i, p := range w.ours(names.RolePlaceholder) {
		w.bind(&p, []string{"a", "b"}[i])
	}
	s := w.look(0.25)
	if f := s.Forecasts[0]; f.Held != 2 || f.ImageNodesReady != 2 ||
		reasonOf(s, v1alpha1.ConditionImagesWarm) != "True AsPlanned" {
		t.Errorf("both nodes have it: %+v", f)
	}
	if n := len(w.ours(names.RolePull)); n != 0 {
		t.Errorf("%d pods pull what is there", n)
	}
}

func TestPlaceholderIsHarmless(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.look(2)
	p := w.ours(names.RolePlaceholder)[0]
	if labels.SelectorFromSet(labels.Set{"app": "model"}).Matches(labels.Set(p.Labels)) {
		t.Error("the target's selector matches a placeholder: it would count as a replica, or get traffic")
	}
	got := map[string]any{
		"namespace": p.Namespace, "grace": *p.Spec.TerminationGracePeriodSeconds, "priority": p.Spec.PriorityClassName,
		"token":    *p.Spec.AutomountServiceAccountToken,
		"selector": p.Spec.NodeSelector, "tolerations": p.Spec.Tolerations, "ends": *p.Spec.ActiveDeadlineSeconds,
		"consolidates": p.Annotations["karpenter.sh/do-not-disrupt"], // trap T5: Karpenter takes nodes away that pull
		"gpu":          p.Spec.Containers[0].Resources.Limits.Name("nvidia.com/gpu", resource.DecimalSI).String(),
		"cpu":          p.Spec.Containers[0].Resources.Requests.Cpu().String(), "image": p.Spec.Containers[0].Image,
	}
	want := map[string]any{
		"namespace": "headstart-warm", "grace": int64(0), "priority": "headstart-placeholder", "token": false,
		"selector": template().Spec.NodeSelector, "tolerations": template().Spec.Tolerations, "ends": int64(3600),
		"consolidates": "true", "gpu": "1", "cpu": "4",
		"image": DefaultPauseImage,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestWhatKeepsFromWarming(t *testing.T) {
	limit := func(p *v1alpha1.WarmPool) {
		p.Spec.Limits = map[string]resource.Quantity{"nvidia.com/gpu": resource.MustParse("3")}
	}
	cases := map[string]struct {
		reason  string
		pool    *v1alpha1.WarmPool
		change  func(*world, *v1alpha1.Forecast)
		held    int
		ready   string
		message string
	}{
		"Nothing": {"Nothing is wrong.", pool(noImages), nil, 5, "True AsPlanned", ""},
		"DryRun": {
			"It says what it would do, and does nothing.",
			pool(noImages, func(p *v1alpha1.WarmPool) { p.Spec.Mode = v1alpha1.WarmPoolDryRun }), nil, 0, "True DryRun", "",
		},
		"Off": {"Nodes are not to be held.", pool(noImages,
			func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesOff }), nil, 0, "True AsPlanned", "nodes"},
		"Limits": {
			"Three GPUs at most.", pool(noImages, limit), nil, 3, "True AsPlanned", "spec.limits leaves room for 3 of the 5",
		},
		"NothingSelected": {
			"A selector that selects nothing is reported.",
			pool(func(p *v1alpha1.WarmPool) {
				p.Spec.ForecastSelector.MatchLabels = map[string]string{"warm": "no"}
			}), nil, 0, "False NothingSelected", "",
		},
		"ForecastDryRun": {
			"Nobody scales by the plan of a Forecast in mode DryRun.", pool(noImages),
			func(_ *world, fc *v1alpha1.Forecast) { fc.Spec.Mode = v1alpha1.ForecastDryRun }, 0,
			"False NotWarmed", "mode DryRun",
		},
		"NoPlan": {
			"Without a plan nothing is held.", pool(noImages), func(_ *world, fc *v1alpha1.Forecast) { fc.Status.Plan = nil }, 0,
			"False NotWarmed", "no plan yet",
		},
		"NoCapacity": {
			"Without a capacity the number of replicas is not known.", pool(noImages), func(_ *world,
				fc *v1alpha1.Forecast,
			) {
				fc.Status.CapacityPerReplica = nil
			}, 0,
			"False NotWarmed", "spec.capacityPerReplica",
		},
		"NoTarget": {
			"The target is gone.", pool(noImages),
			func(w *world, _ *v1alpha1.Forecast) { w.must(w.client.Delete(w.t.Context(), deployment())) }, 0, "False NotWarmed",
			"no Deployment model",
		},
		"Claims": {
			"A placeholder cannot hold the devices of a claim for another pod.", pool(noImages),
			changeTemplate(func(s *corev1.PodSpec) {
				s.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu"}}
			}), 0, "False NotWarmed", "resource claims",
		},
		"Volumes": {"A volume can bind to a node.", pool(noImages), changeTemplate(func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{{
				Name: "weights",
				VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "w"},
				},
			}}
		}), 0, "False NotWarmed", "volume weights is a claim"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ramp, tc.pool)
			if tc.change != nil {
				fc := w.forecast(ramp)
				w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(fc), fc))
				tc.change(w, fc)
				status := fc.Status
				w.must(w.client.Update(t.Context(), fc))
				fc.Status = status
				w.must(w.client.Status().Update(t.Context(), fc))
				w.writes = nil
			}
			s := w.look(2)
			if n := len(w.ours(names.RolePlaceholder)); n != tc.held {
				t.Errorf("\nReason: %s\nholds %d, want %d", tc.reason, n, tc.held)
			}
			if got := reasonOf(s, v1alpha1.ConditionReady); got != tc.ready {
				t.Errorf("\nReason: %s\nReady is %q, want %q: %+v", tc.reason, got, tc.ready, s.Conditions)
			}
			if len(s.Forecasts) > 0 && !strings.Contains(s.Forecasts[0].Message, tc.message) {
				t.Errorf("\nReason: %s\nmessage %q does not say %q", tc.reason, s.Forecasts[0].Message, tc.message)
			}
			if tc.held == 0 && len(w.writes) > 0 {
				t.Errorf("\nReason: %s\nwrote %v", tc.reason, w.writes)
			}
		})
	}
}

func changeTemplate(change func(*corev1.PodSpec)) func(*world, *v1alpha1.Forecast) {
	return func(w *world, _ *v1alpha1.Forecast) {
		d := deployment()
		w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(d), d))
		change(&d.Spec.Template.Spec)
		w.must(w.client.Update(w.t.Context(), d))
	}
}

func TestDeniedPlaceholders(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	cases := map[string]struct {
		err    error
		reason string
		says   string
	}{
		"Quota": {apierrors.NewForbidden(pods, "x",
			errors.New("exceeded quota: gpus, requested: 1, used: 4, limited: 4")), "QuotaDenied", "raise the quota"},
		"Priority": {apierrors.NewForbidden(pods, "x",
			errors.New("no PriorityClass with name headstart-placeholder was found")), "Denied", "create the PriorityClass"},
		"Rights": {
			apierrors.NewForbidden(pods, "x", errors.New("User \"headstart\" cannot create resource")), "Denied",
			"grant",
		},
		"Namespace": {
			apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "headstart-warm"), "Denied",
			"create the namespace",
		},
		"Invalid": {apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "x", nil), "Denied", "template"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ramp, pool(noImages))
			w.refuse = func(string, client.Object) error { return tc.err }
			for i := range 20 {
				s := w.look(2 + float64(i)/60)
				if got := reasonOf(s, v1alpha1.ConditionNodesWarm); got != "False "+tc.reason {
					t.Fatalf("NodesWarm is %q", got)
				}
				if m := s.Forecasts[0].Message; !strings.Contains(m, tc.says) {
					t.Fatalf("message %q does not say %q", m, tc.says)
				}
			}
			if len(w.writes) != 2 {
				t.Errorf("%d attempts in 20 looks over 20 s, want one in 15 s", len(w.writes))
			}
			w.refuse = nil
			if s := w.look(3); reasonOf(s, v1alpha1.ConditionReady) != "True AsPlanned" ||
				len(w.ours(names.RolePlaceholder)) != 5 {
				t.Errorf("did not recover: %+v", s.Conditions)
			}
		})
	}
}

func TestOutageIsAnError(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.refuse = func(string, client.Object) error { return apierrors.NewServiceUnavailable("etcd is away") }
	if _, err := w.tryLook(2); err == nil {
		t.Error("an API server that refuses writes must slow the looks down")
	}
	if len(w.writes) != 1 {
		t.Errorf("%d writes against an API server that refuses them", len(w.writes))
	}
}

func TestNothingOutlivesItsWarmPool(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.look(2)
	p := pool()
	w.must(w.client.Delete(t.Context(), p))
	w.look(2.25)
	if n := len(w.ours(names.RolePlaceholder)); n != 0 {
		t.Errorf("%d placeholders outlived their WarmPool", n)
	}

	w = newWorld(t, ramp, pool(noImages))
	w.look(2)
	w.must(w.client.Delete(t.Context(), pool()))
	w.must(w.r.Sweep(t.Context()))
	if n := len(w.ours(names.RolePlaceholder)); n != 0 {
		t.Errorf("%d placeholders outlived a WarmPool that went while nobody looked", n)
	}

	w = newWorld(t, ramp, pool(noImages))
	w.look(2)
	w.must(w.r.Sweep(t.Context()))
	if n := len(w.ours(names.RolePlaceholder)); n != 5 {
		t.Errorf("the sweep left %d of the 5 that are of use", n)
	}
	fc := w.forecast(ramp)
	w.must(w.client.Delete(t.Context(), fc))
	w.look(2.5)
	if n := len(w.ours(names.RolePlaceholder)); n != 0 {
		t.Errorf("%d placeholders outlived their Forecast", n)
	}
}

func TestRolloutChangesPlaceholders(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.look(2)
	changeTemplate(func(s *corev1.PodSpec) { s.Containers[0].Resources.Requests["cpu"] = resource.MustParse("6") })(w, nil)
	w.look(2.25)
	pods := w.ours(names.RolePlaceholder)
	if len(pods) != 5 || pods[0].Spec.Containers[0].Resources.Requests.Cpu().String() != "6" {
		t.Errorf("%d placeholders, of %s CPUs; want 5 of the new shape", len(pods),
			pods[0].Spec.Containers[0].Resources.Requests.Cpu())
	}
}

// The conditions of a CapacityBuffer are reported where nodes are missing. They never count as
// nodes.
func TestCapacityBufferSaysWhy(t *testing.T) {
	cases := map[string]struct {
		reason     string
		conditions []any
		nodes      int
		want, says string
	}{
		"Limited": {"a quota bounds it", []any{
			map[string]any{"type": "ReadyForProvisioning", "status": "True"},
			map[string]any{"type": "LimitedByQuotas", "status": "True", "message": "quota gpus allows 1"},
		}, 1, "False NotProvisioned", "is limited by quotas: quota gpus allows 1"},
		"NotReady": {"its controller cannot make use of it", []any{
			map[string]any{"type": "ReadyForProvisioning", "status": "False", "message": "template not found"},
		}, 0, "False NotProvisioned", "is not ready for provisioning: template not found"},
		"Enough": {"nodes that are there are there", []any{
			map[string]any{"type": "LimitedByQuotas", "status": "True", "message": "quota gpus allows 1"},
		}, 2, "True AsPlanned", "for 2 replicas"},
		"Injected": {"provisioning is a simulation's, or a fit", []any{
			map[string]any{"type": "ReadyForProvisioning", "status": "True"}, map[string]any{
				"type":   "Provisioning",
				"status": "True",
			}, map[string]any{"type": "LimitedByQuotas", "status": "False"},
		}, 1, "False InProgress", "have room for 1"},
		"Odd": {
			"an invalid condition is ignored",
			[]any{"x", map[string]any{"status": "True"}},
			1, "False InProgress",
			"have room for 1",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noImages))
			for i := range tc.nodes {
				w.must(w.client.Create(t.Context(), node(fmt.Sprint("n", i))))
			}
			w.mapper.there["CapacityBuffer"] = true
			w.look(0)
			u := kube.NewObject(kube.CapacityBuffer, "shop", names.Object("shop", "warm", "demand"))
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(u), u))
			w.must(unstructured.SetNestedSlice(u.Object, tc.conditions, "status", "conditions"))
			w.must(w.client.Update(t.Context(), u))
			s := w.look(1)
			if got := reasonOf(s, v1alpha1.ConditionNodesWarm); got != tc.want ||
				!strings.Contains(messageOf(s, v1alpha1.ConditionNodesWarm), tc.says) {
				t.Errorf("\nReason: %s\nNodesWarm is %q: %s", tc.reason, got, messageOf(s, v1alpha1.ConditionNodesWarm))
			}
		})
	}
}

func TestShortfall(t *testing.T) {
	off := func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesOff }
	grow := func(gpus string) func(*v1alpha1.WarmPool) {
		return func(p *v1alpha1.WarmPool) {
			p.Spec.Nodes.Capacity = map[string]resource.Quantity{"nvidia.com/gpu": resource.MustParse(gpus)}
		}
	}
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "gpus"},
		Status: corev1.ResourceQuotaStatus{
			Hard: corev1.ResourceList{"requests.nvidia.com/gpu": resource.MustParse("4")},
			Used: corev1.ResourceList{"requests.nvidia.com/gpu": resource.MustParse("1")},
		},
	}
	cases := map[string]struct {
		reason string
		pool   *v1alpha1.WarmPool
		more   []client.Object
		short  string
		says   string
		most   string
	}{
		"Grows": {"Nodes come up on demand, as many as one likes.", pool(noImages), nil, "False Enough", "", ""},
		"Fixed": {
			"Three nodes, five replicas.", pool(noImages, off), nil, "True PlanNeedsMore",
			"from 2026-03-01T12:04:00Z on, but the nodes can give 3", "3 Nodes",
		},
		"Pool": {
			"The pool grows to four.", pool(noImages, grow("4")), nil, "True PlanNeedsMore", "the pool can give 4", "4 Pool",
		},
		"PoolDoes": {"The pool grows to five.", pool(noImages, grow("5")), nil, "False Enough", "", "5 Pool"},
		"Quota": {
			"The quota allows three more than the one that runs.", pool(noImages),
			[]client.Object{quota},
			"True PlanNeedsMore", "raise the namespace's ResourceQuota", "4 Quota",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ramp, append(tc.more, tc.pool, node("a"), node("b"), node("c"))...)
			w.replica("a")
			s := w.look(0)
			most := ""
			if f := s.Forecasts[0]; f.Most != nil {
				most = fmt.Sprintf("%d %s", *f.Most, f.MostBy)
			}
			if most != tc.most {
				t.Errorf("there can be %q replicas, want %q", most, tc.most)
			}
			if got := reasonOf(s, v1alpha1.ConditionCapacityShort); got != tc.short ||
				!strings.Contains(s.Forecasts[0].Message, tc.says) {
				t.Errorf("\nReason: %s\nCapacityShort is %q, message %q", tc.reason, got, s.Forecasts[0].Message)
			}
		})
	}
}
