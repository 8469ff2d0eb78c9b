package convert

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
)

// maxActivation is the largest activationThreshold that Headstart's scaler takes.
const maxActivation = 9e15

// activationOf returns the demand above which a trigger wakes its target, as it is written; empty
// for 0, the default. Below 0 it is always active, and stays in the ScaledObject.
func activationOf(t kedaTrigger) (string, error) {
	text := strings.TrimSpace(string(t.Metadata["activationThreshold"]))
	if text == "" {
		return "", nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v <= maxActivation) {
		return "", fmt.Errorf("activationThreshold %q is not a number up to %v", text, maxActivation)
	}
	if v <= 0 {
		return "", nil
	}
	return text, nil
}

// noteAsleep notes the windows that do not wake a target, because their demand is not above the
// activationThreshold. KEDA's cron triggers have none. A target that always runs its minimum never
// has to wake; least is what runs where nothing is active.
func (s *source) noteAsleep(v conversion, least int32) {
	activation, err := strconv.ParseFloat(v.activation, 64)
	if err != nil || least > 0 && least == v.min {
		return
	}
	for _, group := range v.groups {
		for _, w := range group.windows {
			if demand, ok := demandOf(w, v.capacity); ok && demand <= activation {
				s.note("window %s wants %d replicas, a demand of %v, which is not above the activationThreshold %s: "+
					"it does not wake the target. Set a smaller activationThreshold in the first trigger",
					w.Name, *w.Demand.Replicas, demand, v.activation)
			}
		}
	}
}

// demandOf returns the demand of a window that wants a number of replicas, in thousandths as it is
// served.
func demandOf(w v1alpha1.PeakWindow, capacity string) (float64, bool) {
	q, err := resource.ParseQuantity(capacity)
	if err != nil || w.Demand.Replicas == nil {
		return 0, false
	}
	return math.Round(q.AsApproximateFloat64()*float64(*w.Demand.Replicas)*1000) / 1000, true
}
