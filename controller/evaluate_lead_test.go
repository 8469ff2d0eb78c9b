package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/planner"
)

// StartsFailing is a warning when it is True.
func TestStartsFailingCondition(t *testing.T) {
	cases := map[string]struct {
		lead    gpuwarm.Lead
		want    string
		warning bool
	}{
		"NoStarts": {gpuwarm.Lead{}, "Unknown NoStarts", false},
		"Finish":   {gpuwarm.Lead{Decided: 5}, "False StartsFinish", false},
		"OneFails": {gpuwarm.Lead{Decided: 5, Failed: 1}, "False StartsFinish", false},
		"Fail": {
			gpuwarm.Lead{Decided: 5, Failed: 2, Failing: true, Reason: "CrashLoopBackOff"},
			"True StartsFail", true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := &evaluation{lead: tc.lead, fc: &v1alpha1.Forecast{}}
			e.setLeadConditions(nil)
			c := e.conditions.Get(v1alpha1.ConditionStartsFailing)
			if got := string(c.Status) + " " + c.Reason; got != tc.want || kube.IsWarning(*c) != tc.warning {
				t.Errorf("%s, warning %v; want %s, %v: %s", got, kube.IsWarning(*c), tc.want, tc.warning, c.Message)
			}
		})
	}
}

// startedPod is a pod on a node that was Ready so long after it was created, an hour ago.
func startedPod(namespace, app string, i int, took time.Duration) *corev1.Pod {
	p := gpuPod(namespace, app, "node")
	created := metav1.NewTime(epoch.Add(-time.Hour + time.Duration(i)*time.Second))
	p.Name, p.CreationTimestamp = fmt.Sprint(app, "-", i), created
	p.UID = types.UID(fmt.Sprintf("%s%02d", app, i))
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.PodReady} {
		c := corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: created}
		if kind == corev1.PodReady {
			c.LastTransitionTime = metav1.NewTime(created.Add(took))
		}
		p.Status.Conditions = append(p.Status.Conditions, c)
	}
	return p
}

// A hundred Forecasts on one fast target do not change a neighbour's lead: none of another
// namespace does, and in its own they count as one.
func TestForecastsOnAFastTargetTeachNoNeighbour(t *testing.T) {
	lead := func(namespace string, forecasts int) time.Duration {
		t.Helper()
		n := gpuNode("node")
		n.Labels = map[string]string{"karpenter.sh/nodepool": "gpus"}
		objects := []client.Object{n, startedPod("shop", "slow", 0, 400*time.Second)}
		for i := range 10 {
			objects = append(objects, startedPod(namespace, "fast", i, 2*time.Second))
		}
		for _, d := range []string{namespace + "/fast", "shop/slow"} {
			ns, name, _ := strings.Cut(d, "/")
			objects = append(objects, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}})
		}
		f := newFixture(t, nil, objects...)
		read := func(namespace, name, target string) time.Duration {
			t.Helper()
			fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: goodSpec()}
			fc.Spec.TargetRef.Name = target
			e := f.newEvaluation(fc, &forecastState{}, planner.Settings{}, epoch)
			if err := e.readLead(t.Context()); err != nil {
				t.Fatal(err)
			}
			if e.lead.Starts == 0 {
				t.Fatalf("no starts of %s/%s were seen", namespace, target)
			}
			return e.lead.WarmUp
		}
		for i := range forecasts {
			read(namespace, fmt.Sprint("fast-", i), "fast")
		}
		return read("shop", "slow", "slow")
	}
	alone := lead("evil", 0)
	if got := lead("evil", 100); got != alone {
		t.Errorf("another namespace made a lead of %v to one of %v", alone, got)
	}
	if one, many := lead("shop", 1), lead("shop", 100); one != many || one >= alone {
		t.Errorf("one Forecast of the namespace makes it %v, and a hundred of the same target %v; alone it is %v",
			one, many, alone)
	}
}
