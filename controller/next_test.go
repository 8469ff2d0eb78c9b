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

// The next pods' path is Warm by promise and evidence together, and cold as soon as there is no room.
func TestNextPath(t *testing.T) {
	const warm, cold = gpuwarm.PathWarm, gpuwarm.PathColdImage
	gpu := corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")}
	spec := corev1.PodSpec{NodeName: "a", Containers: []corev1.Container{{Image: "model", Resources: corev1.ResourceRequirements{Limits: gpu}}}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "model", Labels: map[string]string{"app": "model"}}, Spec: spec}
	held := pod.DeepCopy()
	held.Name, held.Namespace, held.Labels, held.Spec.NodeName = "hold", "headstart-warm", map[string]string{"headstart.dev/role": "placeholder"}, "b"
	node := func(name string, images ...string) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		n.Status.Allocatable = corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1"), "pods": resource.MustParse("10")}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		for _, i := range images {
			n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{i}})
		}
		return n
	}
	pool := func(change func(*v1alpha1.WarmPool)) *v1alpha1.WarmPool {
		p := &v1alpha1.WarmPool{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "warm"}}
		p.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "True"}, {Type: "NodesWarm", Status: "False", Reason: "InProgress"}}
		p.Status.Forecasts = []v1alpha1.WarmForecast{{Name: "model"}}
		change(p)
		return p
	}
	asIs := func(*v1alpha1.WarmPool) {}
	with := func(list ...v1alpha1.WarmForecast) *v1alpha1.WarmPool {
		return pool(func(p *v1alpha1.WarmPool) { p.Status.Forecasts = list })
	}
	elsewhere := func(change func(*v1alpha1.WarmPool)) *v1alpha1.WarmPool {
		return pool(func(p *v1alpha1.WarmPool) {
			p.Name, p.Spec.ForecastSelector.MatchLabels, p.Status.Forecasts = "other", map[string]string{"of": "others"}, []v1alpha1.WarmForecast{{Name: "demand"}}
			change(p)
		})
	}
	five := startsOn(warm, warm, warm, warm, warm)
	cases := map[string]struct {
		reason  string
		objects []client.Object
		starts  []v1alpha1.StartRecord
		want    gpuwarm.Path
	}{
		"Room":      {"Room with the image now is no promise: the pods are taken to be like the recent ones.", []client.Object{pod, node("a"), node("b", "model")}, nil, ""},
		"ColdImage": {"Room, but no image.", []client.Object{pod, node("a", "model"), node("b")}, nil, cold},
		"Full":      {"A node would have to come up.", []client.Object{pod, node("a", "model")}, nil, gpuwarm.PathColdNode},
		"Held":      {"What a placeholder holds is for a WarmPool to promise.", []client.Object{pod, held, node("a"), node("b", "model")}, nil, gpuwarm.PathColdNode},
		"NoPods":    {"Nothing says what a replica looks like.", []client.Object{node("a")}, nil, ""},
		"Promised":  {"A WarmPool holds nodes and images, and the newest starts were warm.", []client.Object{pod, pool(asIs)}, startsOn(cold, warm, warm, "", warm, warm, warm), warm},
		"Unproved":  {"It promises, but the newest starts were not all warm.", []client.Object{pod, pool(asIs)}, startsOn(warm, warm, cold, warm, warm, warm), ""},
		"TooFew":    {"Four are too few.", []client.Object{pod, pool(asIs)}, startsOn(warm, warm, warm, warm), ""},
		"DryRun":    {"A WarmPool that does not act promises nothing.", []client.Object{pod, pool(func(p *v1alpha1.WarmPool) { p.Spec.Mode = v1alpha1.WarmPoolDryRun }), node("a")}, startsOn(warm, warm, warm, warm, warm), gpuwarm.PathColdNode},
		"NotReady": {
			"Nor does one that something keeps from it.",
			[]client.Object{pod, pool(func(p *v1alpha1.WarmPool) { p.Status.Conditions[0].Status = "False" }), node("a")},
			startsOn(warm, warm, warm, warm, warm), gpuwarm.PathColdNode,
		},
		"Told": {"Nor for a Forecast that is told to lack something.", []client.Object{pod, with(v1alpha1.WarmForecast{Name: "model", Message: "no"}), node("a")}, five, gpuwarm.PathColdNode},
		"Joined": {
			"It may do so by another Forecast of the target.",
			[]client.Object{pod, with(v1alpha1.WarmForecast{Name: "demand"}, v1alpha1.WarmForecast{Name: "model", WarmedBy: "demand"})},
			five, warm,
		},
		"JoinedTold": {
			"Unless that one lacks something.",
			[]client.Object{pod, with(v1alpha1.WarmForecast{Name: "demand", Message: "no"}, v1alpha1.WarmForecast{Name: "model", WarmedBy: "demand"}), node("a")},
			five, gpuwarm.PathColdNode,
		},
		"JoinedToNone": {"Or is not there.", []client.Object{pod, with(v1alpha1.WarmForecast{Name: "model", WarmedBy: "demand"}), node("a")}, five, gpuwarm.PathColdNode},
		"JoinedElsewhere": {
			"Another WarmPool may do so.", []client.Object{pod, with(v1alpha1.WarmForecast{Name: "model", WarmedBy: "demand"}), elsewhere(asIs)}, five, warm,
		},
		"JoinedElsewhereLacking": {
			"Unless something keeps that one from it.",
			[]client.Object{pod, with(v1alpha1.WarmForecast{Name: "model", WarmedBy: "demand"}), elsewhere(func(p *v1alpha1.WarmPool) { p.Status.Conditions[0].Status = "False" }), node("a")},
			five, gpuwarm.PathColdNode,
		},
		"JoinedElsewhereOfTwo": {
			"Whatever WarmPool is listed first that selects that one too, and leaves it to the other.",
			[]client.Object{
				pod, with(v1alpha1.WarmForecast{Name: "model", WarmedBy: "demand"}), elsewhere(asIs),
				elsewhere(func(p *v1alpha1.WarmPool) {
					p.Name, p.Status.Forecasts = "a-third", []v1alpha1.WarmForecast{{Name: "demand", Message: "WarmPool other warms for it"}}
				}),
			},
			five, warm,
		},
		"JoinedToSelf": {"A status that makes no sense hangs nobody.", []client.Object{pod, with(v1alpha1.WarmForecast{Name: "model", WarmedBy: "model"})}, five, warm},
		"Limited":      {"Or its limits.", []client.Object{pod, pool(func(p *v1alpha1.WarmPool) { p.Status.Conditions[1].Reason = "Limited" }), node("a")}, startsOn(warm, warm, warm, warm, warm), gpuwarm.PathColdNode},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &ForecastReconciler{client: fake.NewClientBuilder().WithScheme(NewScheme()).WithObjects(tc.objects...).Build()}
			e := &evaluation{ForecastReconciler: r, state: &forecastState{}, now: time.Unix(1e9, 0), fc: &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "model"}}}
			got, err := e.nextPath(t.Context(), labels.SelectorFromSet(labels.Set{"app": "model"}), tc.starts)
			if err != nil || got != tc.want {
				t.Errorf("\nReason: %s\ngot %q, %v; want %q", tc.reason, got, err, tc.want)
			}
		})
	}
}

func TestMore(t *testing.T) {
	now := time.Unix(1e9, 0).UTC()
	e := &evaluation{state: &forecastState{}, now: now, fc: &v1alpha1.Forecast{}, capacity: 10}
	if got := e.more(3); got != 1 {
		t.Errorf("without a plan one more is looked at, not %d", got)
	}
	e.state.step.Published = &plan.Plan{Start: now, Segments: []plan.Segment{{Step: time.Minute, Values: []float64{30, 30, 75, 200}}}}
	e.fc.Status.LeadTime = &v1alpha1.LeadTimeStatus{Value: "2m30s"}
	if got := e.more(3); got != 5 {
		t.Errorf("75 need 8 replicas of 10 within the lead, 3 there are: %d more", got)
	}
}
