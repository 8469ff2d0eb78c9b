package gpuwarm

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func list(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

func asks(name string, pairs ...string) corev1.Container {
	return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: list(pairs...)}}
}

func TestRequestsOf(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	sidecar := asks("sidecar", "cpu", "1")
	sidecar.RestartPolicy = &always
	limited := corev1.Container{Resources: corev1.ResourceRequirements{Limits: list("nvidia.com/gpu", "2")}}
	cases := map[string]struct {
		reason string
		spec   corev1.PodSpec
		want   corev1.ResourceList
	}{
		"Sum": {
			"Containers run at once.",
			corev1.PodSpec{Containers: []corev1.Container{asks("a", "cpu", "1"), asks("b", "cpu", "500m")}},
			list("cpu", "1500m"),
		},
		"Init": {
			"Init containers run before.",
			corev1.PodSpec{
				Containers:     []corev1.Container{asks("a", "cpu", "1")},
				InitContainers: []corev1.Container{asks("i", "cpu", "4"), asks("j", "cpu", "2")},
			},
			list("cpu", "4"),
		},
		"Sidecar": {
			"Sidecars run with both.",
			corev1.PodSpec{
				Containers:     []corev1.Container{asks("a", "cpu", "1")},
				InitContainers: []corev1.Container{sidecar, asks("i", "cpu", "4")},
			},
			list("cpu", "5"),
		},
		"Limits": {
			"A limit in a template becomes the request.",
			corev1.PodSpec{Containers: []corev1.Container{limited}},
			list("nvidia.com/gpu", "2"),
		},
		"Overhead": {
			"The overhead comes on top.",
			corev1.PodSpec{Containers: []corev1.Container{asks("a", "cpu", "1")}, Overhead: list("cpu", "250m")},
			list("cpu", "1250m"),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, requestsOf(&tc.spec)); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func readyNode(name string, labels map[string]string, taints ...corev1.Taint) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: corev1.NodeSpec{Taints: taints}}
	n.Status.Allocatable = list("cpu", "8", "nvidia.com/gpu", "2", "pods", "10")
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	return n
}

func TestAdmits(t *testing.T) {
	gpuTaint := corev1.Taint{Key: "nvidia.com/gpu", Value: "present", Effect: corev1.TaintEffectNoSchedule}
	need := func(r ...corev1.NodeSelectorRequirement) corev1.PodSpec {
		return corev1.PodSpec{
			Affinity: &corev1.Affinity{
				NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
					NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: r}},
				}},
			},
		}
	}
	node := readyNode("n", map[string]string{"gpu": "h100", "mem": "80"})
	notReady, cordoned := node.DeepCopy(), node.DeepCopy()
	notReady.Status.Conditions[0].Status = corev1.ConditionUnknown
	cordoned.Spec.Unschedulable = true
	tainted := readyNode("t", nil, gpuTaint)
	preferred := readyNode("p", nil, corev1.Taint{Key: "x", Effect: corev1.TaintEffectPreferNoSchedule})
	byName := corev1.PodSpec{
		Affinity: &corev1.Affinity{
			NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{
					{
						MatchFields: []corev1.NodeSelectorRequirement{
							{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"n"}},
						},
					},
				},
			}},
		},
	}
	cases := map[string]struct {
		spec corev1.PodSpec
		node *corev1.Node
		want bool
	}{
		"Plain":       {corev1.PodSpec{}, &node, true},
		"NotReady":    {corev1.PodSpec{}, notReady, false},
		"Cordoned":    {corev1.PodSpec{}, cordoned, false},
		"Selected":    {corev1.PodSpec{NodeSelector: map[string]string{"gpu": "h100"}}, &node, true},
		"NotSelected": {corev1.PodSpec{NodeSelector: map[string]string{"gpu": "l4"}}, &node, false},
		"Absent":      {corev1.PodSpec{NodeSelector: map[string]string{"zone": ""}}, &node, false},
		"In": {
			need(
				corev1.NodeSelectorRequirement{
					Key:      "gpu",
					Operator: corev1.NodeSelectorOpIn,
					Values:   []string{"h100", "h200"},
				},
			),
			&node, true,
		},
		"Gt": {
			need(corev1.NodeSelectorRequirement{Key: "mem", Operator: corev1.NodeSelectorOpGt, Values: []string{"79"}}),
			&node, true,
		},
		"NotGt": {
			need(corev1.NodeSelectorRequirement{Key: "mem", Operator: corev1.NodeSelectorOpGt, Values: []string{"80"}}),
			&node, false,
		},
		"EmptyTerm": {need(), &node, false},
		"ByName":    {byName, &node, true},
		"OtherName": {byName, &preferred, false},
		"Tainted":   {corev1.PodSpec{}, &tainted, false},
		"Tolerated": {
			corev1.PodSpec{
				Tolerations: []corev1.Toleration{{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists}},
			},
			&tainted, true,
		},
		"WrongValue": {
			corev1.PodSpec{Tolerations: []corev1.Toleration{{Key: "nvidia.com/gpu", Value: "absent"}}}, &tainted, false,
		},
		"All": {
			corev1.PodSpec{Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}}, &tainted, true,
		},
		"Preferred": {corev1.PodSpec{}, &preferred, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := ShapeOf(&tc.spec).Admits(tc.node); got != tc.want {
				t.Errorf("admits: %v, want %v", got, tc.want)
			}
		})
	}
}

func TestRoom(t *testing.T) {
	spec := corev1.PodSpec{NodeName: "a", Containers: []corev1.Container{asks("c", "cpu", "2", "nvidia.com/gpu", "1")}}
	nodes := []corev1.Node{readyNode("a", nil), readyNode("b", nil)}
	held := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "held"}, Spec: *spec.DeepCopy()}
	held.Spec.NodeName = "b"
	ended := corev1.Pod{Spec: *spec.DeepCopy(), Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}
	pods := []corev1.Pod{{Spec: spec}, held, ended}
	free := FreeResources(nodes, pods, func(p *corev1.Pod) bool { return p.Name == "held" })
	shape := ShapeOf(&spec)
	got := map[string]int{}
	for name, left := range free {
		got[name] = shape.Room(left)
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "b": 2}, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if n := (Shape{}).Room(list("cpu", "1")); n != 0 {
		t.Errorf("a shape of nothing has room for %d", n)
	}
}

// A pod that names a node takes room there once the scheduler or the kubelet says so.
func TestPodsThatNameANode(t *testing.T) {
	node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	node.Status.Allocatable = list("nvidia.com/gpu", "8")
	pod := corev1.Pod{Spec: corev1.PodSpec{
		NodeName: "a", Containers: []corev1.Container{asks("c", "nvidia.com/gpu", "8")},
	}}
	free := func() int64 {
		q := FreeResources([]corev1.Node{node}, []corev1.Pod{pod}, nil)["a"]["nvidia.com/gpu"]
		return q.Value()
	}
	pod.Status.Phase = corev1.PodPending
	if got := free(); got != 8 {
		t.Errorf("%d are free, though nobody has put the pod there", got)
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}
	if got := free(); got != 0 {
		t.Errorf("%d are free beside a pod that was scheduled", got)
	}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning}
	if got := free(); got != 0 {
		t.Errorf("%d are free beside a pod that runs", got)
	}
}

func TestCapacity(t *testing.T) {
	cases := map[string]struct {
		in    Capacity
		most  int
		bound string
	}{
		"Fixed":   {Capacity{Fits: 3, Quota: -1}, 8, "nodes"},
		"Grows":   {Capacity{Fits: 3, Grows: true, Quota: -1}, 0, ""},
		"Pool":    {Capacity{Fits: 3, Grows: true, Pool: 12, Quota: -1}, 12, "pool"},
		"Quota":   {Capacity{Fits: 3, Grows: true, Pool: 12, Quota: 1}, 6, "quota"},
		"NoQuota": {Capacity{Fits: 0, Quota: 0}, 5, "nodes"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			most, bound, ok := tc.in.MaxReplicas(5)
			if bound != tc.bound || ok != (tc.bound != "") || (ok && most != tc.most) {
				t.Errorf("got %d by %q, want %d by %q", most, bound, tc.most, tc.bound)
			}
		})
	}
}

// What a runtime class selects nodes by is not known here, so shapes of different classes are taken
// not to share nodes.
func TestPoolsOfRuntimeClasses(t *testing.T) {
	of := func(class *string) string { return ShapeOf(&corev1.PodSpec{RuntimeClassName: class}).Pool() }
	kata, gvisor := "kata", "gvisor"
	if of(&kata) == of(&gvisor) || of(&kata) == of(nil) {
		t.Error("another class is another pool")
	}
	if again := "kata"; of(&kata) != of(&again) {
		t.Error("one class is one pool")
	}
}
