package autoscalers

import (
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// Only a change of an HPA's spec enqueues its Forecasts. The HPA controller writes the status at
// every sync.
func TestHPASpecChanged(t *testing.T) {
	before := autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 5}}
	before.ResourceVersion = "1"
	status, spec := before.DeepCopy(), before.DeepCopy()
	status.ResourceVersion, status.Status.CurrentReplicas = "2", 7
	status.Annotations = map[string]string{"seen": "now"}
	spec.Spec.MaxReplicas = 6
	p := hpaSpecChanged()
	if p.Update(event.UpdateEvent{ObjectOld: &before, ObjectNew: status}) {
		t.Error("a new status enqueues Forecasts")
	}
	if !p.Update(event.UpdateEvent{ObjectOld: &before, ObjectNew: spec}) {
		t.Error("a new maximum enqueues no Forecast")
	}
	if !p.Create(event.CreateEvent{Object: &before}) || !p.Delete(event.DeleteEvent{Object: &before}) {
		t.Error("a created or deleted HPA enqueues no Forecast")
	}
}
