package controller

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/planner/plan"
)

func startsOn(paths ...gpuwarm.Path) []v1alpha1.StartRecord {
	out := make([]v1alpha1.StartRecord, len(paths))
	for i, p := range paths {
		out[i].Path = string(p)
	}
	return out
}

// warmForecast is an entry in the status of a WarmPool. by is the Forecast that it is warmed
// through.
func warmForecast(name, by string) v1alpha1.WarmForecast {
	return v1alpha1.WarmForecast{Name: name, WarmedBy: by}
}

func withMessage(f v1alpha1.WarmForecast, message string) v1alpha1.WarmForecast {
	f.Message = message
	return f
}

// warmPool is a WarmPool that warms what its status lists.
func warmPool(name string, forecasts ...v1alpha1.WarmForecast) *v1alpha1.WarmPool {
	p := &v1alpha1.WarmPool{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	p.Status.Conditions = []metav1.Condition{
		{Type: "Ready", Status: "True"}, {Type: "NodesWarm", Status: "False", Reason: "InProgress"},
	}
	p.Status.Forecasts = forecasts
	return p
}

func gpuPod(namespace, name, node string) *corev1.Pod {
	gpu := corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			NodeName:   node,
			Containers: []corev1.Container{{Image: "model", Resources: corev1.ResourceRequirements{Limits: gpu}}},
		},
	}
}

func gpuNode(name string, images ...string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	n.Status.Allocatable = corev1.ResourceList{
		"nvidia.com/gpu": resource.MustParse("1"), "pods": resource.MustParse("10"),
	}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for _, i := range images {
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{i}})
	}
	return n
}

// The path is Warm when a WarmPool warms and the newest starts were warm. It is cold as soon as
// there is no free capacity.
func TestNextPath(t *testing.T) {
	const warm, coldImage, coldNode = gpuwarm.PathWarm, gpuwarm.PathColdImage, gpuwarm.PathColdNode
	pod := gpuPod("shop", "model", "a")
	placeholder := gpuPod("headstart-warm", "hold", "b")
	placeholder.Labels = map[string]string{"headstart.dev/role": "placeholder"}
	changed := func(p *v1alpha1.WarmPool, change func(*v1alpha1.WarmPool)) *v1alpha1.WarmPool {
		change(p)
		return p
	}
	notReady := func(p *v1alpha1.WarmPool) { p.Status.Conditions[0].Status = "False" }
	// other is a WarmPool that does not select the Forecast model.
	other := func(name string, forecasts ...v1alpha1.WarmForecast) *v1alpha1.WarmPool {
		return changed(warmPool(name, forecasts...), func(p *v1alpha1.WarmPool) {
			p.Spec.ForecastSelector.MatchLabels = map[string]string{"of": "others"}
		})
	}
	self, viaDemand := warmForecast("model", ""), warmForecast("model", "demand")
	demand := warmForecast("demand", "")
	five := startsOn(warm, warm, warm, warm, warm)
	cases := map[string]struct {
		reason  string
		objects []client.Object
		starts  []v1alpha1.StartRecord
		want    gpuwarm.Path
	}{
		"FreeNode": {
			"a free node with the image may be in use later, so the next pods are like the recent ones",
			[]client.Object{pod, gpuNode("a"), gpuNode("b", "model")},
			nil, "",
		},
		"ColdImage": {
			"a free node without the image",
			[]client.Object{pod, gpuNode("a", "model"), gpuNode("b")},
			nil, coldImage,
		},
		"Full": {
			"a node has to be added",
			[]client.Object{pod, gpuNode("a", "model")},
			nil, coldNode,
		},
		"Placeholder": {
			"what a placeholder holds is not free",
			[]client.Object{pod, placeholder, gpuNode("a"), gpuNode("b", "model")},
			nil, coldNode,
		},
		"NoPods": {
			"the shape of a replica is not known",
			[]client.Object{gpuNode("a")},
			nil, "",
		},
		"Warmed": {
			"a WarmPool warms, and the newest starts were warm",
			[]client.Object{pod, warmPool("warm", self)},
			startsOn(coldImage, warm, warm, "", warm, warm, warm), warm,
		},
		"ColdStart": {
			"a WarmPool warms, but one of the newest starts was cold",
			[]client.Object{pod, warmPool("warm", self)},
			startsOn(warm, warm, coldImage, warm, warm, warm), "",
		},
		"TooFewStarts": {
			"four warm starts are too few",
			[]client.Object{pod, warmPool("warm", self)},
			startsOn(warm, warm, warm, warm), "",
		},
		"DryRun": {
			"a WarmPool in mode DryRun does not warm",
			[]client.Object{
				pod, gpuNode("a"),
				changed(warmPool("warm", self), func(p *v1alpha1.WarmPool) { p.Spec.Mode = v1alpha1.WarmPoolDryRun }),
			},
			five, coldNode,
		},
		"NotReady": {
			"a WarmPool that is not Ready does not warm",
			[]client.Object{pod, gpuNode("a"), changed(warmPool("warm", self), notReady)},
			five, coldNode,
		},
		"Limited": {
			"a WarmPool at its limits does not warm enough",
			[]client.Object{pod, gpuNode("a"), changed(warmPool("warm", self), func(p *v1alpha1.WarmPool) {
				p.Status.Conditions[1].Reason = "Limited"
			})},
			five, coldNode,
		},
		"Problem": {
			"the WarmPool has a message about the Forecast",
			[]client.Object{pod, gpuNode("a"), warmPool("warm", withMessage(self, "no"))},
			five, coldNode,
		},
		"OtherForecast": {
			"another Forecast of the target is warmed",
			[]client.Object{pod, warmPool("warm", demand, viaDemand)},
			five, warm,
		},
		"OtherForecastProblem": {
			"the WarmPool has a message about the other Forecast",
			[]client.Object{pod, gpuNode("a"), warmPool("warm", withMessage(demand, "no"), viaDemand)},
			five, coldNode,
		},
		"OtherForecastMissing": {
			"no WarmPool lists the other Forecast",
			[]client.Object{pod, gpuNode("a"), warmPool("warm", viaDemand)},
			five, coldNode,
		},
		"OtherPool": {
			"another WarmPool warms the other Forecast",
			[]client.Object{pod, warmPool("warm", viaDemand), other("other", demand)},
			five, warm,
		},
		"OtherPoolNotReady": {
			"the WarmPool of the other Forecast is not Ready",
			[]client.Object{pod, gpuNode("a"), warmPool("warm", viaDemand), changed(other("other", demand), notReady)},
			five, coldNode,
		},
		"TwoOtherPools": {
			"a third WarmPool, the first by name, selects the other Forecast too, and leaves it to the second",
			[]client.Object{
				pod, warmPool("warm", viaDemand), other("other", demand),
				other("a-third", withMessage(demand, "WarmPool other warms for it")),
			},
			five, warm,
		},
		"OtherForecastIsSelf": {
			"a Forecast that is warmed through itself causes no endless loop",
			[]client.Object{pod, warmPool("warm", warmForecast("model", "model"))},
			five, warm,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := fake.NewClientBuilder().WithScheme(NewScheme()).WithObjects(tc.objects...).Build()
			e := &evaluation{
				ForecastReconciler: &ForecastReconciler{client: c}, state: &forecastState{}, now: time.Unix(1e9, 0),
				fc: &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "model"}},
			}
			got, err := e.nextPath(t.Context(), labels.SelectorFromSet(labels.Set{"app": "model"}), tc.starts)
			if err != nil || got != tc.want {
				t.Errorf("\nReason: %s\ngot %q, %v; want %q", tc.reason, got, err, tc.want)
			}
		})
	}
}

func TestAdditionalReplicas(t *testing.T) {
	now := time.Unix(1e9, 0).UTC()
	e := &evaluation{state: &forecastState{}, now: now, fc: &v1alpha1.Forecast{}, capacity: 10}
	if got := e.additionalReplicas(3); got != 1 {
		t.Errorf("%d additional replicas without a plan, want 1", got)
	}
	e.state.step.Published = &plan.Plan{
		Start: now, Segments: []plan.Segment{{Step: time.Minute, Values: []float64{30, 30, 75, 200}}},
	}
	e.fc.Status.LeadTime = &v1alpha1.LeadTimeStatus{Value: "2m30s"}
	if got := e.additionalReplicas(3); got != 5 {
		t.Errorf("%d additional replicas, want 5: a demand of 75 within the lead needs 8, and 3 exist", got)
	}
}
