package allocate

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/gpuwarm"
)

func TestQuotaCovers(t *testing.T) {
	seconds := int64(60)
	some := corev1.PodSpec{PriorityClassName: "gold", Containers: []corev1.Container{{
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1")}},
	}}}
	best := corev1.PodSpec{ActiveDeadlineSeconds: &seconds, Containers: []corev1.Container{{}}}
	scopes := func(of ...corev1.ResourceQuotaScope) corev1.ResourceQuotaSpec {
		return corev1.ResourceQuotaSpec{Scopes: of}
	}
	class := func(op corev1.ScopeSelectorOperator, values ...string) corev1.ResourceQuotaSpec {
		return corev1.ResourceQuotaSpec{ScopeSelector: &corev1.ScopeSelector{
			MatchExpressions: []corev1.ScopedResourceSelectorRequirement{{
				ScopeName: corev1.ResourceQuotaScopePriorityClass, Operator: op, Values: values,
			}},
		}}
	}
	cases := map[string]struct {
		reason     string
		quota      corev1.ResourceQuotaSpec
		some, best bool
	}{
		"NoScope":        {"A quota without scopes counts all pods.", scopes(), true, true},
		"Terminating":    {"Those with a deadline.", scopes("Terminating"), false, true},
		"NotTerminating": {"Those without.", scopes("NotTerminating"), true, false},
		"BestEffort":     {"Those that request nothing.", scopes("BestEffort"), false, true},
		"NotBestEffort":  {"Those that request something.", scopes("NotBestEffort"), true, false},
		"Both":           {"All scopes must match.", scopes("Terminating", "NotBestEffort"), false, false},
		"AnyClass":       {"Those with a priority class.", scopes("PriorityClass"), true, false},
		"ClassIn":        {"Those with this one.", class("In", "gold"), true, false},
		"ClassInOthers":  {"Or with another one.", class("In", "silver"), false, false},
		"ClassNotIn":     {"Those without this one.", class("NotIn", "gold"), false, true},
		"ClassExists":    {"Those with any.", class("Exists"), true, false},
		"ClassDoesNot":   {"Those with none.", class("DoesNotExist"), false, true},
		"NotKnown":       {"A scope that is not known here counts.", scopes("Later"), true, true},
		"CrossNamespace": {"So does one that needs more than the spec.", scopes("CrossNamespacePodAffinity"), true, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			q := &corev1.ResourceQuota{Spec: tc.quota}
			if got := quotaCovers(q, &some); got != tc.some {
				t.Errorf("\nReason: %s\na pod with requests: %t", tc.reason, got)
			}
			if got := quotaCovers(q, &best); got != tc.best {
				t.Errorf("\nReason: %s\na pod without: %t", tc.reason, got)
			}
		})
	}
}

func TestQuotaRoom(t *testing.T) {
	two := resource.MustParse("2")
	target := &Target{}
	target.Template.Spec.Containers = []corev1.Container{{
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"nvidia.com/gpu": two}},
	}}
	target.Shape = gpuwarm.ShapeOf(&target.Template.Spec)
	quota := func(name corev1.ResourceName, hard, used string, scopes ...corev1.ResourceQuotaScope) corev1.ResourceQuota {
		return corev1.ResourceQuota{
			Spec: corev1.ResourceQuotaSpec{Scopes: scopes},
			Status: corev1.ResourceQuotaStatus{
				Hard: corev1.ResourceList{name: resource.MustParse(hard), "secrets": resource.MustParse("1")},
				Used: corev1.ResourceList{name: resource.MustParse(used)},
			},
		}
	}
	const gpus = "requests.nvidia.com/gpu"
	cases := map[string]struct {
		reason string
		quotas []corev1.ResourceQuota
		want   int
	}{
		"None":     {"Nothing bounds them.", nil, -1},
		"Others":   {"A quota on other things does not.", []corev1.ResourceQuota{quota("services", "1", "1")}, -1},
		"Tightest": {"The tightest leaves 4 GPUs.", []corev1.ResourceQuota{quota(gpus, "20", "5"), quota(gpus, "9", "5")}, 2},
		"Scope":    {"These pods have no deadline.", []corev1.ResourceQuota{quota(gpus, "0", "0", "Terminating")}, -1},
		"Pods":     {"Pods are counted too.", []corev1.ResourceQuota{quota("count/pods", "9", "6")}, 3},
		"Exceeded": {"More is used than is allowed.", []corev1.ResourceQuota{quota(gpus, "4", "9")}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := quotaRoom(tc.quotas, target); got != tc.want {
				t.Errorf("\nReason: %s\n%d, want %d", tc.reason, got, tc.want)
			}
		})
	}
}
