package warmer

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Placeholders have the anti-affinity and the topology spread of the target's pods, among
// themselves.
func TestPlaceholdersAmongThemselves(t *testing.T) {
	picks := func(app string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}
	others := &metav1.LabelSelector{MatchLabels: map[string]string{
		names.LabelRole:     names.RolePlaceholder,
		names.LabelForecast: names.Forecast("shop", "demand"),
	}}
	anti := func(terms ...corev1.PodAffinityTerm) *corev1.Affinity {
		return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: terms,
		}}
	}
	skew := func(selector *metav1.LabelSelector, keys ...string) corev1.TopologySpreadConstraint {
		return corev1.TopologySpreadConstraint{
			MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone,
			WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: selector, MatchLabelKeys: keys,
		}
	}
	cases := map[string]struct {
		reason string
		change func(*corev1.PodSpec)
		terms  []corev1.PodAffinityTerm
		soft   int
		spread []corev1.TopologySpreadConstraint
	}{
		"Nothing": {"The template has no affinity.", func(*corev1.PodSpec) {}, nil, 0, nil},
		"OneANode": {
			"Two of the target's pods may not share a node, so their placeholders do not share one either.",
			func(s *corev1.PodSpec) {
				s.Affinity = anti(corev1.PodAffinityTerm{LabelSelector: picks("model"), TopologyKey: corev1.LabelHostname})
			},
			[]corev1.PodAffinityTerm{
				{LabelSelector: picks("model"), TopologyKey: corev1.LabelHostname, Namespaces: []string{"shop"}},
				{LabelSelector: others, TopologyKey: corev1.LabelHostname},
			},
			0, nil,
		},
		"OneAZone": {
			"In a zone only other placeholders are kept away, and no real pod.",
			func(s *corev1.PodSpec) {
				s.Affinity = anti(corev1.PodAffinityTerm{LabelSelector: picks("model"), TopologyKey: corev1.LabelTopologyZone})
			},
			[]corev1.PodAffinityTerm{{LabelSelector: others, TopologyKey: corev1.LabelTopologyZone}},
			1, nil,
		},
		"Others": {
			"Anti-affinity to other pods does not apply among placeholders.",
			func(s *corev1.PodSpec) {
				s.Affinity = anti(corev1.PodAffinityTerm{LabelSelector: picks("db"), TopologyKey: corev1.LabelHostname})
			},
			[]corev1.PodAffinityTerm{{
				LabelSelector: picks("db"), TopologyKey: corev1.LabelHostname,
				Namespaces: []string{"shop"},
			}},
			0, nil,
		},
		"Elsewhere": {
			"Pods with that label in another namespace are not the target's, and not to be kept off its nodes.",
			func(s *corev1.PodSpec) {
				s.Affinity = anti(corev1.PodAffinityTerm{
					LabelSelector: picks("model"), TopologyKey: corev1.LabelHostname,
					Namespaces: []string{"other"},
				})
			},
			nil, 0, nil,
		},
		"Spread": {
			"Zones get equal numbers; a spread over other pods does not apply.",
			func(s *corev1.PodSpec) {
				s.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
					skew(picks("model"), "pod-template-hash"),
					skew(picks("db")), skew(nil),
				}
			},
			nil, 0,
			[]corev1.TopologySpreadConstraint{skew(others)},
		},
		"HostPorts": {
			"A host port exists once a node, for a replica or a placeholder.",
			func(s *corev1.PodSpec) {
				s.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80}, {ContainerPort: 8000, HostPort: 8000}}
			},
			[]corev1.PodAffinityTerm{
				{LabelSelector: others, TopologyKey: corev1.LabelHostname},
				{LabelSelector: picks("model"), TopologyKey: corev1.LabelHostname, Namespaces: []string{"shop"}},
			},
			0, nil,
		},
		"SidecarPorts": {
			"Ports of a sidecar count, and those of an ordinary init container do not.",
			func(s *corev1.PodSpec) {
				port, always := []corev1.ContainerPort{{ContainerPort: 9000, HostPort: 9000}}, corev1.ContainerRestartPolicyAlways
				s.InitContainers = []corev1.Container{
					{Name: "init", Ports: port},
					{Name: "sidecar", RestartPolicy: &always, Ports: port},
				}
			},
			[]corev1.PodAffinityTerm{
				{LabelSelector: others, TopologyKey: corev1.LabelHostname},
				{LabelSelector: picks("model"), TopologyKey: corev1.LabelHostname, Namespaces: []string{"shop"}},
			},
			0, nil,
		},
		"InitPorts": {
			"Container ports without a host port do not count.",
			func(s *corev1.PodSpec) {
				s.InitContainers = []corev1.Container{{
					Name:  "init",
					Ports: []corev1.ContainerPort{{ContainerPort: 9000, HostPort: 9000}},
				}}
				s.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80}}
			},
			nil, 0, nil,
		},
		"HostNetwork": {
			"With hostNetwork all declared ports are the node's.",
			func(s *corev1.PodSpec) {
				s.HostNetwork, s.Containers[0].Ports = true, []corev1.ContainerPort{{ContainerPort: 8000}}
			},
			[]corev1.PodAffinityTerm{
				{LabelSelector: others, TopologyKey: corev1.LabelHostname},
				{LabelSelector: picks("model"), TopologyKey: corev1.LabelHostname, Namespaces: []string{"shop"}},
			},
			0, nil,
		},
		"HostNetworkAlone": {
			"With hostNetwork and no declared ports pods may share a node.",
			func(s *corev1.PodSpec) { s.HostNetwork = true },
			nil, 0, nil,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noImages))
			changeTemplate(tc.change)(w, nil)
			w.look(0)
			got := w.ours(names.RolePlaceholder)[0].Spec
			var terms []corev1.PodAffinityTerm
			soft := 0
			if got.Affinity != nil && got.Affinity.PodAntiAffinity != nil {
				terms = got.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
				soft = len(got.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
			}
			if diff := cmp.Diff(tc.terms, terms, cmpopts.EquateEmpty()); diff != "" || soft != tc.soft {
				t.Errorf("\nReason: %s\n%d preferred, want %d; -want, +got:\n%s", tc.reason, soft, tc.soft, diff)
			}
			if n := len(got.Containers[0].Ports); n > 0 || got.HostNetwork {
				t.Errorf("\nReason: %s\n%d ports, and on the network of the host: %t; the namespace's security standard admits "+
					"neither", tc.reason, n, got.HostNetwork)
			}
			if diff := cmp.Diff(tc.spread, got.TopologySpreadConstraints, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got:\n%s", tc.reason, diff)
			}
			// A change of it replaces the placeholders.
			changeTemplate(func(s *corev1.PodSpec) {
				s.HostNetwork, s.Affinity, s.TopologySpreadConstraints, s.InitContainers,
					s.Containers[0].Ports = false, nil, nil, nil, nil
			})(w, nil)
			w.look(0.25)
			if got := w.ours(names.RolePlaceholder); len(got) != 2 || got[0].Spec.Affinity != nil ||
				len(got[0].Spec.TopologySpreadConstraints) > 0 {
				t.Errorf("\nReason: %s\nplaceholders should follow a rollout: %d", tc.reason, len(got))
			}
		})
	}
}

// For pods with affinity to each other places are held together before the first pod, and then
// where that pod is.
func TestPlaceholdersOfPodsThatStayTogether(t *testing.T) {
	term := func(selector *metav1.LabelSelector, namespaces ...string) []corev1.PodAffinityTerm {
		return []corev1.PodAffinityTerm{{
			LabelSelector: selector, TopologyKey: corev1.LabelTopologyZone,
			Namespaces: namespaces,
		}}
	}
	model := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "model"}}
	cache := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "cache"}}
	others := &metav1.LabelSelector{MatchLabels: map[string]string{
		names.LabelRole:     names.RolePlaceholder,
		names.LabelForecast: names.Forecast("shop", "demand"),
	}}
	w := newWorld(t, steady, pool(noImages), node("a"))
	changeTemplate(func(s *corev1.PodSpec) {
		s.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: append(term(model, "shop"), term(cache)...),
		}}
	})(w, nil)
	check := func(minute float64, when string, first []corev1.PodAffinityTerm) {
		t.Helper()
		w.look(minute)
		for _, p := range w.ours(names.RolePlaceholder) {
			if diff := cmp.Diff(append(first, term(cache, "shop")...),
				p.Spec.Affinity.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", when, diff)
			}
		}
	}
	check(0, "none is there", term(others))
	replica := w.replica("")
	check(0.25, "one waits", term(others))
	w.bind(replica, "a")
	check(0.5, "one has a node", term(model, "shop"))
	if n := len(w.ours(names.RolePlaceholder)); n != 1 {
		t.Errorf("%d placeholders for the second of two", n)
	}
}

// A placeholder has the runtime class of the target's pods, and so their nodes and their overhead.
// Only admission sets the overhead.
func TestPlaceholdersHaveTheRuntimeClass(t *testing.T) {
	class, over := "kata", corev1.ResourceList{"cpu": resource.MustParse("250m"), "memory": resource.MustParse("1Gi")}
	w := newWorld(t, steady, pool(noImages))
	w.look(0)
	before := w.ids(names.RolePlaceholder)
	changeTemplate(func(s *corev1.PodSpec) { s.RuntimeClassName = &class })(w, nil)
	w.look(0.25)
	pods := w.ours(names.RolePlaceholder)
	if len(pods) != 2 || len(before) != 2 || slices.Contains(before, pods[0].UID) || slices.Contains(before, pods[1].UID) {
		t.Fatalf("placeholders should follow a rollout of a class: %d", len(pods))
	}
	changeTemplate(func(s *corev1.PodSpec) { s.Overhead = over })(w, nil)
	w.look(0.5)
	got := w.ours(names.RolePlaceholder)[0].Spec
	if got.RuntimeClassName == nil || *got.RuntimeClassName != class || got.Overhead != nil {
		t.Errorf("runtime class %v, overhead %v: want the class, and nothing set for admission", got.RuntimeClassName,
			got.Overhead)
	}
	if cpu := got.Containers[0].Resources.Requests.Cpu(); cpu.String() != "4" {
		t.Errorf("it requests %s CPU besides what the class adds, want 4", cpu)
	}
}
