package nodes

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// annotationTemplate has a hash of the template that a PodTemplate was made from.
const annotationTemplate = "headstart.dev/template-hash"

// buffers hold nodes by CapacityBuffers.
type buffers struct{ client kube.Client }

// Release deletes the buffer.
func (m *buffers) Release(ctx context.Context, h Hold) error {
	return m.client.Deleter.Object(ctx, h.Objects.Buffer)
}

// Ensure asks for the nodes of so many replicas beyond what runs. A buffer refills itself, so its
// size follows what is wanted at each look. 0 keeps the object, which costs nothing.
func (m *buffers) Ensure(ctx context.Context, h Hold) (Result, error) {
	out := Result{Unmet: unmetBy(h.Objects.Buffer)}
	if err := ensureTemplate(ctx, m.client, h); err != nil {
		return out, err
	}
	if h.Objects.Buffer != nil && replicasOf(h.Objects.Buffer) == h.Replicas {
		return out, nil
	}
	name := names.Object(h.Pool.Namespace, h.Pool.Name, h.Forecast)
	u := kube.NewObject(kube.CapacityBuffer, h.Pool.Namespace, name)
	return out, m.client.CreateOrUpdate(ctx, h.Pool, h.Forecast, u, func() error {
		if u.GetResourceVersion() == "" {
			if err := unstructured.SetNestedField(u.Object, name, "spec", "podTemplateRef", "name"); err != nil {
				return err
			}
		}
		return unstructured.SetNestedField(u.Object, int64(h.Replicas), "spec", "replicas")
	})
}

// replicasOf returns the size of a buffer; -1 where it has none.
func replicasOf(buffer *unstructured.Unstructured) int {
	n, ok, _ := unstructured.NestedInt64(buffer.Object, "spec", "replicas")
	if !ok {
		return -1
	}
	return int(n)
}

// unmetBy returns what keeps nodes from being brought up for a CapacityBuffer, by its own
// conditions. Provisioning says nothing about nodes: it is True where pods were injected into a
// simulation (the cluster autoscaler), or where they fit (Karpenter).
func unmetBy(buffer *unstructured.Unstructured) string {
	if buffer == nil {
		return ""
	}
	name := buffer.GetNamespace() + "/" + buffer.GetName()
	if why, limited := conditionsOf(buffer, metav1.ConditionTrue)["LimitedByQuotas"]; limited {
		return fmt.Sprintf("CapacityBuffer %s is limited by quotas: %s: raise what limits it, or lower spec.limits",
			name, why)
	}
	if why, unready := conditionsOf(buffer, metav1.ConditionFalse)["ReadyForProvisioning"]; unready {
		return fmt.Sprintf("CapacityBuffer %s is not ready for provisioning: %s", name, why)
	}
	return ""
}

// conditionsOf returns the messages of the conditions that have a status, by type.
func conditionsOf(u *unstructured.Unstructured, status metav1.ConditionStatus) map[string]string {
	out := map[string]string{}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["status"] == string(status) {
			message, _ := c["message"].(string)
			out[fmt.Sprint(c["type"])] = message
		}
	}
	return out
}

// ensureTemplate keeps the PodTemplate that sizes buffers and requests. It is not the workload's
// own template, because not every autoscaler reads that one before the first pod exists.
func ensureTemplate(ctx context.Context, c kube.Client, h Hold) error {
	raw, err := json.Marshal(h.Target.Template)
	if err != nil {
		return err
	}
	want := names.Hash(string(raw))
	isCurrent := func(t *corev1.PodTemplate) bool {
		// The API server adds defaults. Only the hash shows what was removed from the workload's
		// template.
		return t.Annotations[annotationTemplate] == want &&
			equality.Semantic.DeepDerivative(h.Target.Template, t.Template)
	}
	if h.Objects.Template != nil && isCurrent(h.Objects.Template) {
		return nil
	}
	t := &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{
		Namespace: h.Pool.Namespace, Name: names.Object(h.Pool.Namespace, h.Pool.Name, h.Forecast),
	}}
	return c.CreateOrUpdate(ctx, h.Pool, h.Forecast, t, func() error {
		if isCurrent(t) {
			return nil
		}
		t.Template = *h.Target.Template.DeepCopy()
		if t.Annotations == nil {
			t.Annotations = map[string]string{}
		}
		t.Annotations[annotationTemplate] = want
		return nil
	})
}
