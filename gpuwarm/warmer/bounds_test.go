package warmer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// quota returns a quota whose controller has counted.
func quota(namespace, name string, hard, used int64) *corev1.ResourceQuota {
	list := func(n int64) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceName(name): *resource.NewQuantity(n, resource.DecimalSI)}
	}
	return &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "quota"},
		Spec:       corev1.ResourceQuotaSpec{Hard: list(hard)},
		Status:     corev1.ResourceQuotaStatus{Hard: list(hard), Used: list(used)},
	}
}

func scoped(q *corev1.ResourceQuota, scope corev1.ResourceQuotaScope) *corev1.ResourceQuota {
	q.Spec.Scopes = []corev1.ResourceQuotaScope{scope}
	return q
}

// heldFor returns placeholders of another namespace.
func heldFor(namespace string, n int) []*corev1.Pod {
	var out []*corev1.Pod
	for i := range n {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: DefaultNamespace, Name: fmt.Sprint("hold-", namespace, "-", i),
			Labels: map[string]string{names.LabelRole: names.RolePlaceholder},
			Annotations: map[string]string{
				names.AnnotationFor: names.Owner{Namespace: namespace, Pool: "theirs", Forecast: "theirs"}.String(),
			},
		}, Spec: template().Spec}
		p.Spec.Containers[0].Resources.Requests["nvidia.com/gpu"] = resource.MustParse("1")
		out = append(out, p)
	}
	return out
}

// A WarmPool that was stored before limits were required holds nothing, and says what to do. What
// it held is released.
func TestNothingIsHeldWithoutLimits(t *testing.T) {
	for name, buffer := range map[string]bool{"Placeholders": false, "Buffer": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noImages))
			w.mapper.there["CapacityBuffer"] = buffer
			w.look(0)
			if n := w.asked("demand"); n != 2 {
				t.Fatalf("%d are held", n)
			}
			change := func(f func(*v1alpha1.WarmPool)) {
				var p v1alpha1.WarmPool
				w.must(w.client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "warm"}, &p))
				f(&p)
				w.must(w.client.Update(t.Context(), &p))
			}
			change(func(p *v1alpha1.WarmPool) { p.Spec.Limits = nil })
			s := w.look(0.25)
			if n := w.asked("demand"); n != 0 || s.Forecasts[0].Hold != 0 {
				t.Errorf("%d are held without limits: %+v", n, s.Forecasts[0])
			}
			for _, kind := range []string{v1alpha1.ConditionNodesWarm, v1alpha1.ConditionReady} {
				if reasonOf(s, kind) != "False NoLimits" {
					t.Errorf("%s is %s", kind, reasonOf(s, kind))
				}
			}
			if !strings.Contains(s.Forecasts[0].Message, "give the most that may be held") {
				t.Errorf("no remedy: %s", s.Forecasts[0].Message)
			}
			change(func(p *v1alpha1.WarmPool) { p.Spec.Mode = v1alpha1.WarmPoolDryRun })
			if s = w.look(0.5); s.Forecasts[0].Hold != 2 || w.asked("demand") != 0 {
				t.Errorf("DryRun needs no limits: %+v", s.Forecasts[0])
			}
		})
	}
}

// What bounds a tenant beside its own limits: each is refused with its reason.
func TestTenantsAreBounded(t *testing.T) {
	another := func(change func(*v1alpha1.WarmPool)) func(*world) {
		return func(w *world) {
			p := pool(noImages, change)
			p.UID = "another-uid"
			w.must(w.client.Create(w.t.Context(), p))
		}
	}
	shop := func(p *v1alpha1.WarmPool) {
		p.Name, p.Spec.ForecastSelector.MatchLabels = "second", map[string]string{"no": "body"}
	}
	nextDoor := func(p *v1alpha1.WarmPool) { p.Namespace = "next-door" }
	create := func(pods []*corev1.Pod) func(*world) {
		return func(w *world) {
			for _, p := range pods {
				w.must(w.client.Create(w.t.Context(), p))
			}
		}
	}
	cases := map[string]struct {
		reason string
		bounds Bounds
		quotas []*corev1.ResourceQuota
		change []func(*world)
		want   int
		says   string
	}{
		"Nothing": {"Ten replicas are needed.", Bounds{}, nil, nil, 10, ""},
		"Cap":     {"The administrator bounds replicas.", Bounds{Placeholders: 4}, nil, nil, 4, "--warm-max-placeholders"},
		"GPUs":    {"And accelerators.", Bounds{Accelerators: 3}, nil, nil, 3, "--warm-max-accelerators"},
		"OtherDevices": {
			"Also where another device comes first by name.",
			Bounds{Accelerators: 8},
			nil,
			[]func(*world){func(w *world) {
				changeTemplate(func(s *corev1.PodSpec) {
					s.Containers[0].Resources.Requests = corev1.ResourceList{
						"a.example/fuse": resource.MustParse("1"), "nvidia.com/gpu": resource.MustParse("2"),
					}
				})(w, nil)
			}},
			4, "--warm-max-accelerators",
		},
		"HeldByAnother": {
			"What another WarmPool of the tenant holds beyond its part counts, for it may stay.",
			Bounds{Placeholders: 8},
			nil,
			[]func(*world){another(shop), create(heldFor("shop", 7))},
			1, "--warm-max-placeholders",
		},
		"BufferOfAnother": {
			"Also where the cluster's autoscaler holds it.",
			Bounds{Placeholders: 8},
			nil,
			[]func(*world){another(func(p *v1alpha1.WarmPool) {
				shop(p)
				p.Status.Forecasts = []v1alpha1.WarmForecast{{Name: "theirs", NodesBy: "CapacityBuffer", Hold: 6}}
			})},
			2, "--warm-max-placeholders",
		},
		"Pools": {
			"Who makes more WarmPools gets no more.",
			Bounds{Placeholders: 8},
			nil,
			[]func(*world){another(shop)},
			4, "--warm-max-placeholders",
		},
		"Neighbour": {
			"A neighbour's do not count.",
			Bounds{Placeholders: 8},
			nil,
			[]func(*world){another(nextDoor), create(heldFor("next-door", 8))},
			8, "--warm-max-placeholders",
		},
		"Quota": {
			"Replicas will need the tenant's own quota.",
			Bounds{},
			[]*corev1.ResourceQuota{quota("shop", "requests.nvidia.com/gpu", 9, 4)},
			nil, 5, "ResourceQuota",
		},
		"QuotaOfPods": {
			"Also of pods.", Bounds{}, []*corev1.ResourceQuota{quota("shop", "count/pods", 9, 6)}, nil, 3, "ResourceQuota",
		},
		"QuotaOfScope": {
			"Also one with scopes, where replicas are in them.",
			Bounds{},
			[]*corev1.ResourceQuota{scoped(quota("shop", "requests.nvidia.com/gpu", 9, 4),
				corev1.ResourceQuotaScopeNotTerminating)},
			nil, 5, "ResourceQuota",
		},
		"QuotaOfOtherScope": {
			"One for other pods bounds nothing.",
			Bounds{},
			[]*corev1.ResourceQuota{scoped(quota("shop", "requests.nvidia.com/gpu", 9, 4),
				corev1.ResourceQuotaScopeTerminating)},
			nil, 10, "",
		},
		"QuotaIsUsedUp": {
			"Nothing is left of it.",
			Bounds{},
			[]*corev1.ResourceQuota{quota("shop", "requests.nvidia.com/gpu", 4, 9)},
			nil, 0, "ResourceQuota",
		},
		"QuotaOfTwo": {
			"Another WarmPool of the tenant holds for some of it.",
			Bounds{},
			[]*corev1.ResourceQuota{quota("shop", "requests.nvidia.com/gpu", 9, 0)},
			[]func(*world){create(heldFor("shop", 3))},
			6, "ResourceQuota",
		},
		"Alone": {
			"A namespace alone may use all of the shared quota.",
			Bounds{},
			[]*corev1.ResourceQuota{quota(DefaultNamespace, "pods", 8, 0)},
			nil, 8, "share of",
		},
		"OfTwo": {
			"Of two each has half, also before the other begins.",
			Bounds{},
			[]*corev1.ResourceQuota{quota(DefaultNamespace, "pods", 8, 0)},
			[]func(*world){another(nextDoor)},
			4, "share of",
		},
		"GreedyNeighbour": {
			"One that came first and took all leaves its part all the same.",
			Bounds{},
			[]*corev1.ResourceQuota{quota(DefaultNamespace, "requests.nvidia.com/gpu", 8, 8)},
			[]func(*world){another(nextDoor), create(heldFor("next-door", 8))},
			4, "share of",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, strings.Repeat("100 ", 60), pool(noImages))
			if tc.bounds.Placeholders > 0 {
				w.r.opts.Bounds.Placeholders = tc.bounds.Placeholders
			}
			if tc.bounds.Accelerators > 0 {
				w.r.opts.Bounds.Accelerators = tc.bounds.Accelerators
			}
			for _, q := range tc.quotas {
				w.must(w.client.Create(t.Context(), q))
			}
			for _, f := range tc.change {
				f(w)
			}
			var s v1alpha1.WarmPoolStatus
			for i := range 3 {
				s = w.look(float64(i) / 4)
			}
			if int(s.Forecasts[0].Hold) != tc.want || int(s.Placeholders) != tc.want {
				t.Errorf("\nReason: %s\n%d of %d held, want %d", tc.reason, s.Placeholders, s.Forecasts[0].Hold, tc.want)
			}
			if tc.says == "" {
				return
			}
			for _, c := range s.Conditions {
				if c.Type == v1alpha1.ConditionNodesWarm && (c.Reason != "Limited" || !strings.Contains(c.Message, tc.says)) {
					t.Errorf("\nReason: %s\n%s: %s", tc.reason, c.Reason, c.Message)
				}
			}
			if got := s.Forecasts[0].Message; !strings.Contains(got, tc.says) {
				t.Errorf("\nReason: %s\nthe Forecast says %q", tc.reason, got)
			}
		})
	}
}

// A CapacityBuffer is bounded like placeholders.
func TestBuffersAreBounded(t *testing.T) {
	w := newWorld(t, strings.Repeat("100 ", 60), pool(noImages))
	w.mapper.there[kube.CapacityBuffer.Kind] = true
	w.r.opts.Bounds.Placeholders = 4
	if s := w.look(0); s.Forecasts[0].Hold != 4 || w.asked("demand") != 4 {
		t.Errorf("want 4: %+v", s.Forecasts[0])
	}
}

// Placeholders copy nothing that reaches beyond the tenant, and status says what was left out.
func TestPlaceholdersReachNoOtherTenant(t *testing.T) {
	gpu := corev1.Toleration{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists}
	model := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "model"}}
	term := func(of *metav1.LabelSelector, selector *metav1.LabelSelector, namespaces ...string) corev1.PodAffinityTerm {
		return corev1.PodAffinityTerm{
			LabelSelector: of, TopologyKey: corev1.LabelHostname, NamespaceSelector: selector, Namespaces: namespaces,
		}
	}
	anti := func(terms ...corev1.PodAffinityTerm) func(*corev1.PodSpec) {
		return func(s *corev1.PodSpec) {
			s.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: terms,
			}}
		}
	}
	near := func(terms ...corev1.PodAffinityTerm) func(*corev1.PodSpec) {
		return func(s *corev1.PodSpec) {
			s.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: terms,
			}}
		}
	}
	all := &metav1.LabelSelector{}
	some := &metav1.LabelSelector{MatchLabels: map[string]string{"tenant": "b"}}
	cases := map[string]struct {
		change func(*corev1.PodSpec)
		says   string // empty where nothing is left out
	}{
		"Nothing": {func(*corev1.PodSpec) {}, ""},
		"Everything": {
			func(s *corev1.PodSpec) {
				s.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}, gpu}
			},
			"every taint",
		},
		"EveryNoExecute": {
			func(s *corev1.PodSpec) {
				s.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}, gpu}
			},
			"every taint",
		},
		"ControlPlane": {
			func(s *corev1.PodSpec) {
				s.Tolerations = []corev1.Toleration{
					{Key: "node-role.kubernetes.io/control-plane", Operator: corev1.TolerationOpExists}, gpu,
				}
			},
			"node-role.kubernetes.io/",
		},
		"Master": {
			func(s *corev1.PodSpec) {
				s.Tolerations = []corev1.Toleration{gpu, {Key: "node-role.kubernetes.io/master", Value: ""}}
			},
			"node-role.kubernetes.io/",
		},
		"Cordoned": {
			func(s *corev1.PodSpec) {
				s.Tolerations = []corev1.Toleration{
					gpu, {Key: "node.kubernetes.io/unschedulable", Operator: corev1.TolerationOpExists},
				}
			},
			"node.kubernetes.io/",
		},
		"Scheduler":        {func(s *corev1.PodSpec) { s.SchedulerName = "theirs" }, "schedulerName theirs"},
		"DefaultScheduler": {func(s *corev1.PodSpec) { s.SchedulerName = "default-scheduler" }, ""},
		"AllowedScheduler": {func(s *corev1.PodSpec) { s.SchedulerName = "volcano" }, ""},
		"OtherNamespace":   {anti(term(model, nil, "next-door")), "other namespaces"},
		"Placeholders":     {anti(term(all, nil, DefaultNamespace)), "other namespaces"},
		"BothNamespaces":   {anti(term(model, nil, "shop", "next-door")), "other namespaces"},
		"AllNamespaces":    {anti(term(model, all)), "other namespaces"},
		"SomeNamespaces":   {anti(term(model, some)), "other namespaces"},
		"NearOthers":       {near(term(some, nil, "shop", "next-door")), "other namespaces"},
		"NearItself":       {near(term(model, all)), "other namespaces"},
		"OwnNamespace":     {anti(term(model, nil, "shop")), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noImages))
			w.r.opts.Bounds.Schedulers = []string{"volcano"}
			changeTemplate(tc.change)(w, nil)
			s := w.look(0)
			if got := s.Forecasts[0].Message; (got == "") != (tc.says == "") || !strings.Contains(got, tc.says) {
				t.Errorf("the Forecast says %q, want %q", got, tc.says)
			}
			pods := w.ours(names.RolePlaceholder)
			if len(pods) != 2 {
				t.Fatalf("%d placeholders", len(pods))
			}
			spec := pods[0].Spec
			if diff := cmp.Diff([]corev1.Toleration{gpu}, spec.Tolerations); diff != "" {
				t.Errorf("tolerations: -want, +got:\n%s", diff)
			}
			if spec.SchedulerName == "theirs" || (name == "AllowedScheduler") != (spec.SchedulerName == "volcano") {
				t.Errorf("scheduler %s", spec.SchedulerName)
			}
			for _, term := range termsOf(spec.Affinity) {
				own := len(term.Namespaces) == 0 && term.LabelSelector.MatchLabels[names.LabelRole] != "" // among themselves
				if term.NamespaceSelector != nil || (!own && !cmp.Equal(term.Namespaces, []string{"shop"})) {
					t.Errorf("a term reaches other namespaces: %+v", term)
				}
			}
			if apart := strings.HasPrefix(name, "All") || name == "BothNamespaces"; apart &&
				name != "AllowedScheduler" && len(termsOf(spec.Affinity)) != 2 {
				t.Errorf("the target's pods keep apart, and so do their placeholders: %+v", spec.Affinity)
			}
			writes := len(w.writes)
			if w.look(0.25); len(w.writes) != writes {
				t.Errorf("nothing changed, but wrote %v", w.writes[writes:])
			}
		})
	}
}

// termsOf returns the required terms about pods.
func termsOf(a *corev1.Affinity) []corev1.PodAffinityTerm {
	var out []corev1.PodAffinityTerm
	if a != nil && a.PodAffinity != nil {
		out = append(out, a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution...)
	}
	if a != nil && a.PodAntiAffinity != nil {
		out = append(out, a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution...)
	}
	return out
}
