package nodes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/gpuwarm/warmer/allocate"
)

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

func TestAffinityReadsFromAnotherNamespace(t *testing.T) {
	term := corev1.PodAffinityTerm{
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "model"}},
		TopologyKey:   corev1.LabelHostname,
	}
	elsewhere := term
	elsewhere.Namespaces = []string{"other"}
	a := &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution:  []corev1.PodAffinityTerm{term, elsewhere},
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: term}},
	}}
	got := inNamespace(a, "shop").PodAntiAffinity
	names := [][]string{
		got.RequiredDuringSchedulingIgnoredDuringExecution[0].Namespaces,
		got.RequiredDuringSchedulingIgnoredDuringExecution[1].Namespaces,
		got.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.Namespaces,
	}
	if diff := cmp.Diff([][]string{{"shop"}, {"other"}, {"shop"}}, names); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].Namespaces) != 0 {
		t.Error("the template was changed")
	}
}

func TestPlaceholdersKeepNobodyOutOfAZone(t *testing.T) {
	term := func(key string) corev1.PodAffinityTerm {
		return corev1.PodAffinityTerm{
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "other"}},
			TopologyKey:   key,
		}
	}
	got := inNamespace(&corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			term(corev1.LabelTopologyZone),
			term(corev1.LabelHostname),
		},
	}}, "shop").PodAntiAffinity
	in := func(term corev1.PodAffinityTerm) corev1.PodAffinityTerm {
		term.Namespaces = []string{"shop"}
		return term
	}
	want := &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{in(term(corev1.LabelHostname))},
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight:          100,
			PodAffinityTerm: in(term(corev1.LabelTopologyZone)),
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("an eviction frees a node, and no zone. -want, +got:\n%s", diff)
	}
}

// A template is decoded again at each look. Its pointers differ each time, and its hash does not.
func TestShapeOutlivesADecoding(t *testing.T) {
	seconds, domains, policy := int64(30), int32(2), corev1.NodeInclusionPolicyHonor
	of := func(seconds int64) string {
		constraint := corev1.TopologySpreadConstraint{
			MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule,
			MinDomains: &domains, NodeTaintsPolicy: &policy,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "model"}},
		}
		template := corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "model"}},
			Spec: corev1.PodSpec{
				Tolerations:               []corev1.Toleration{{Key: "gpu", TolerationSeconds: &seconds}},
				TopologySpreadConstraints: []corev1.TopologySpreadConstraint{constraint},
			},
		}
		return ShapeKey(&allocate.Target{Template: *template.DeepCopy()})
	}
	if a, b := of(seconds), of(seconds); a != b {
		t.Errorf("the same template has the shapes %s and %s: its placeholders would be created again at each look", a, b)
	}
	if of(seconds) == of(seconds+1) {
		t.Error("another toleration has to be another shape")
	}
}

// An upgrade creates no placeholder again, so shapes keep their hashes. The change from FNV-1a to
// SHA-256 was the exception: hashes that a tenant can make collide mix its placeholders with
// others.
func TestShapeKeysOfEarlierReleases(t *testing.T) {
	plain := &allocate.Target{Template: template()}
	if got, want := ShapeKey(plain), "mszlqxkbhlxga7r5nihproq6bt"; got != want {
		t.Errorf("a plain template has the shape %s, in the release before %s: each placeholder would be created again", got,
			want)
	}
	apart := &allocate.Target{Template: template(), Namespace: "shop"}
	apart.Template.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "model"}},
			TopologyKey:   corev1.LabelHostname,
		}},
	}}
	if got, want := ShapeKey(apart), "5uktjyobhd5uuwzil4iqslrvcg"; got != want {
		t.Errorf("one whose pods keep apart has the shape %s, in the release before %s", got, want)
	}
}
