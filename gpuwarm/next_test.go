package gpuwarm

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	w.Set("a", "h100", 100*time.Second, 5)
	w.Set("b", "h100", 400*time.Second, 5)
	w.Set("c", "l4", time.Hour, 50)
	w.Set("d", "h100", time.Hour, LearnedStarts-1)
	if got, starts := w.Others("new", "h100"); got.Round(time.Second) != 200*time.Second || starts != 10 {
		t.Errorf("the geometric mean of 100 and 400 s is 200 s, from ten starts: %v, %d", got, starts)
	}
	if got, starts := w.Others("a", "h100"); got.Round(time.Second) != 400*time.Second || starts != 5 {
		t.Errorf("a service is not one of the others: %v, %d", got, starts)
	}
	w.Set("b", "l4", 400*time.Second, 5)
	w.Delete("c")
	if got, _ := w.Others("new", "l4"); got.Round(time.Second) != 400*time.Second {
		t.Errorf("b moved and c is gone: %v", got)
	}
	if got, starts := w.Others("a", "h100"); got != 0 || starts != 0 {
		t.Errorf("a is alone now: %v, %d", got, starts)
	}
}
