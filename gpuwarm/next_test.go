package gpuwarm

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

func TestRoomPath(t *testing.T) {
	gpuNode := func(name string, gpus string, images ...string) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		n.Status.Allocatable = corev1.ResourceList{
			"nvidia.com/gpu": resource.MustParse(gpus),
			"pods":           resource.MustParse("10"),
		}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		for _, i := range images {
			n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{i}})
		}
		return n
	}
	gpu := corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")}
	spec := corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Limits: gpu}}}}
	on := func(node string, labels map[string]string) corev1.Pod {
		s := *spec.DeepCopy()
		s.NodeName = node
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: s}
	}
	nodes := []corev1.Node{gpuNode("warm", "2", "model"), gpuNode("cold", "1")}
	pods := []corev1.Pod{on("warm", nil), on("warm", map[string]string{"placeholder": "yes"})}
	room := NewRoom(nodes, pods, func(p *corev1.Pod) bool { return p.Labels["placeholder"] != "" })
	for more, want := range map[int]Path{1: PathWarm, 2: PathColdImage, 3: PathColdNode} {
		if got := room.Path(ShapeOf(&spec), "model", more); got != want {
			t.Errorf("%d more: %s, want %s", more, got, want)
		}
	}
}

func TestPoolWarmUps(t *testing.T) {
	var w PoolWarmUps
	of := func(name string) Service { return Service{"shop", name, "Deployment.apps/" + name} }
	w.Set(of("a"), "h100", 100*time.Second, 5)
	w.Set(of("b"), "h100", 400*time.Second, 5)
	w.Set(of("c"), "l4", time.Hour, 50)
	w.Set(of("d"), "h100", time.Hour, LearnedStarts-1)
	if got, starts := w.Others(of("new"), "h100"); got.Round(time.Second) != 200*time.Second || starts != 10 {
		t.Errorf("the geometric mean of 100 and 400 s is 200 s, from ten starts: %v, %d", got, starts)
	}
	if got, starts := w.Others(of("a"), "h100"); got.Round(time.Second) != 400*time.Second || starts != 5 {
		t.Errorf("a service is not one of the others: %v, %d", got, starts)
	}
	w.Set(of("b"), "l4", 400*time.Second, 5)
	w.Delete("shop", "c")
	if got, _ := w.Others(of("new"), "l4"); got.Round(time.Second) != 400*time.Second {
		t.Errorf("b moved and c is gone: %v", got)
	}
	if got, starts := w.Others(of("a"), "h100"); got != 0 || starts != 0 {
		t.Errorf("a is alone now: %v, %d", got, starts)
	}
}

// Nothing is learned from another namespace, whatever is there.
func TestPoolWarmUpsOfOtherNamespaces(t *testing.T) {
	var w PoolWarmUps
	for i := range 100 {
		w.Set(Service{"evil", fmt.Sprint("f", i), fmt.Sprint("Deployment.apps/t", i)}, "h100", 2*time.Second, 64)
	}
	mine := Service{"shop", "new", "Deployment.apps/new"}
	if got, starts := w.Others(mine, "h100"); got != 0 || starts != 0 {
		t.Errorf("learned %v from %d starts of another namespace", got, starts)
	}
	w.Delete("shop", "f0")
	if got, starts := w.Others(Service{"evil", "g", "Deployment.apps/g"}, "h100"); got == 0 || starts != 6400 {
		t.Errorf("a namespace removed what is another's: %v from %d starts", got, starts)
	}
}

// Many Forecasts of one target count as one, and not for that target itself.
func TestPoolWarmUpsCountTargetsOnce(t *testing.T) {
	var w PoolWarmUps
	for i := range 100 {
		w.Set(Service{"shop", fmt.Sprint("f", i), "Deployment.apps/fast"}, "h100", 2*time.Second, 10)
	}
	w.Set(Service{"shop", "slow", "Deployment.apps/slow"}, "h100", 200*time.Second, 10)
	if got, starts := w.Others(Service{"shop", "new", "Deployment.apps/new"}, "h100"); starts != 20 ||
		got.Round(time.Second) != 20*time.Second {
		t.Errorf("the mean of the two targets is 20 s, from 20 starts: %v, %d", got, starts)
	}
	if got, starts := w.Others(Service{"shop", "more", "Deployment.apps/fast"}, "h100"); starts != 10 ||
		got.Round(time.Second) != 200*time.Second {
		t.Errorf("a target is not one of the others: %v, %d", got, starts)
	}
}

// The result depends on what is known, and not on the order of a map. The warm-ups are years long,
// What the status of a Forecast says is what its owner knows.
func TestPoolWarmUpsFromStatus(t *testing.T) {
	var byOwner, byOther PoolWarmUps
	other := Service{Namespace: "shop", Forecast: "a", Target: "Deployment.apps/a"}
	me := Service{Namespace: "shop", Forecast: "b", Target: "Deployment.apps/b"}
	status := &v1alpha1.LeadTimeStatus{
		WarmUp: "3m0s", Starts: 5,
		RecentStarts: []v1alpha1.StartRecord{{Key: "image-old"}, {Key: "image-pool"}, {}},
	}
	byOwner.Set(other, "pool", 3*time.Minute, 5)
	byOther.Restore(other, status)
	want, wantStarts := byOwner.Others(me, "pool")
	if got, starts := byOther.Others(me, "pool"); got != want || starts != wantStarts || starts != 5 {
		t.Errorf("%s from %d starts, want %s from %d", got, starts, want, wantStarts)
	}
	if _, starts := byOther.Others(me, "old"); starts != 0 {
		t.Error("a service is on the pool of an older start")
	}
	for name, gone := range map[string]*v1alpha1.LeadTimeStatus{
		"no status": nil, "no starts": {WarmUp: "3m0s"}, "no duration": {WarmUp: "?", Starts: 5},
	} {
		byOther.Restore(other, status)
		byOther.Restore(other, gone)
		if _, starts := byOther.Others(me, "pool"); starts != 0 {
			t.Errorf("%s: %d starts are left", name, starts)
		}
	}
}

// so that the last digit of a sum shows.
func TestPoolWarmUpsAreStable(t *testing.T) {
	var w PoolWarmUps
	for i := range 40 {
		w.Set(Service{"shop", fmt.Sprint("f", i), fmt.Sprint("Deployment.apps/t", i/2)}, "h100",
			time.Duration(7*i*i+i+3)*500_000*time.Second, 3+i/2)
	}
	mine := Service{"shop", "new", "Deployment.apps/new"}
	first, starts := w.Others(mine, "h100")
	for range 100 {
		if got, n := w.Others(mine, "h100"); got != first || n != starts {
			t.Fatalf("%v from %d starts, and before %v from %d", got, n, first, starts)
		}
	}
}

// A default that a user configured is a floor for what is learned from neighbours. It is none for
// what is learned from own starts.
func TestNeighboursDoNotUndercutTheConfiguredDefault(t *testing.T) {
	opts := LearnerOptions{Default: 10 * time.Minute, DefaultConfigured: true}
	l := NewLearner(opts)
	l.SetPool(2*time.Second, 64)
	if got := l.Lead(at(0)).WarmUp; got != 10*time.Minute {
		t.Errorf("fast neighbours made it %v", got)
	}
	l.SetPool(20*time.Minute, 64)
	if got := l.Lead(at(0)).WarmUp; got != 20*time.Minute {
		t.Errorf("slow neighbours make it longer: %v", got)
	}
	l.SetPool(2*time.Second, 64)
	for i := range 10 {
		l.Record(at(5000), readyStart(fmt.Sprint("pod-", i), 100*i, 60))
	}
	if got := l.Lead(at(5000)).WarmUp; got > 2*time.Minute {
		t.Errorf("its own starts take a minute: %v", got)
	}
	l = NewLearner(LearnerOptions{})
	l.SetPool(time.Minute, 64)
	if got := l.Lead(at(0)).WarmUp; got != time.Minute {
		t.Errorf("without a configured default they are the prior: %v", got)
	}
}
