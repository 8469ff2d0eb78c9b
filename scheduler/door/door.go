// Package door writes the autoscaler that reads a Forecast, for each of the doors: an HPA with an
// External or an Object metric, or a ScaledObject of KEDA. Every command that proposes manifests
// uses it, so that all of them know the same doors.
package door

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"headstart.dev/headstart/api/v1alpha1"
)

// Door is a way for an autoscaler to read a Forecast. Its text is the value of the flag --door.
type Door string

// The doors.
const (
	External Door = "external"
	Object   Door = "object"
	KEDA     Door = "keda"
)

// Parse reads a door.
func Parse(text string) (Door, error) {
	if d := Door(text); slices.Contains([]Door{External, Object, KEDA}, d) {
		return d, nil
	}
	return "", fmt.Errorf("door %q is unknown: use %s, %s or %s", text, External, Object, KEDA)
}

// toleranceSince is the first minor version of Kubernetes 1 that accepts tolerance in an HPA.
const toleranceSince = 33

// Kubernetes is the minor version of Kubernetes 1 that manifests are for; 0 is the newest.
type Kubernetes int

// ParseKubernetes reads a version such as 1.31, v1.31.4 or 1.31+.
func ParseKubernetes(text string) (Kubernetes, error) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "v"), "1.")
	digits := rest
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = rest[:i]
	}
	minor, err := strconv.Atoi(digits)
	if !ok || err != nil || minor < 1 || minor > 999 {
		return 0, fmt.Errorf("version of Kubernetes %q: give one like 1.31", text)
	}
	return Kubernetes(minor), nil
}

// Tolerates reports whether an HPA may have a tolerance. Older versions refuse one that has.
func (k Kubernetes) Tolerates() bool { return k == 0 || k >= toleranceSince }

// Target is what an autoscaler scales.
type Target struct{ APIVersion, Kind, Name string }

// Autoscaler is what to write.
type Autoscaler struct {
	// Name of the autoscaler and of the Forecast, and the metadata beside the name.
	Name     string
	Target   Target
	Min, Max int32
	// Capacity is the demand that one replica serves.
	Capacity string
}

// Names are the kind of a door's autoscaler, and the fields of its bounds.
type Names struct{ Kind, Min, Max string }

// Names returns how to call the autoscaler that Manifest makes.
func (d Door) Names() Names {
	if d == KEDA {
		return Names{Kind: "ScaledObject", Min: "minReplicaCount", Max: "maxReplicaCount"}
	}
	return Names{Kind: "HorizontalPodAutoscaler", Min: "minReplicas", Max: "maxReplicas"}
}

const (
	// address is where an installation by the manifests serves KEDA.
	address = "headstart-scaler.headstart-system.svc:9443"
	// authentication is the ClusterTriggerAuthentication of docs/keda.md.
	authentication = "headstart"
)

// Manifest returns apiVersion, kind and spec of the autoscaler.
func (d Door) Manifest(a Autoscaler, k Kubernetes) (apiVersion, kind string, spec map[string]any) {
	target := map[string]any{"apiVersion": a.Target.APIVersion, "kind": a.Target.Kind, "name": a.Target.Name}
	names := d.Names()
	spec = map[string]any{"scaleTargetRef": target, names.Min: a.Min, names.Max: max(a.Max, a.Min, 1)}
	if d == KEDA {
		spec["triggers"] = []any{Trigger(a.Name)}
		if b := behavior(k); b != nil {
			spec["advanced"] = map[string]any{"horizontalPodAutoscalerConfig": map[string]any{"behavior": b}}
		}
		return "keda.sh/v1alpha1", names.Kind, spec
	}
	spec["metrics"] = []any{d.metric(a)}
	if b := behavior(k); b != nil {
		spec["behavior"] = b
	}
	return "autoscaling/v2", names.Kind, spec
}

func (d Door) metric(a Autoscaler) map[string]any {
	target := map[string]any{"type": "AverageValue", "averageValue": a.Capacity}
	if d == Object {
		return map[string]any{"type": "Object", "object": map[string]any{
			"describedObject": map[string]any{
				"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Forecast", "name": a.Name,
			},
			"metric": map[string]any{"name": "demand"}, "target": target,
		}}
	}
	return map[string]any{"type": "External", "external": map[string]any{
		"metric": map[string]any{"name": a.Name}, "target": target,
	}}
}

// Trigger returns the trigger of a ScaledObject that reads a Forecast. It has no target: KEDA reads
// the Forecast's capacity.
func Trigger(forecast string) map[string]any {
	return map[string]any{
		"type": "external-push",
		"metadata": map[string]any{
			"scalerAddress": address, "enableTLS": "true", "forecast": forecast,
		},
		"authenticationRef": map[string]any{"name": authentication, "kind": "ClusterTriggerAuthentication"},
	}
}

// behavior is the behavior of an HPA: with the default tolerance of 10 %, 20 replicas would never
// become 22.
func behavior(k Kubernetes) map[string]any {
	if !k.Tolerates() {
		return nil
	}
	return map[string]any{
		"scaleUp": map[string]any{"tolerance": "0"}, "scaleDown": map[string]any{"tolerance": "0"},
	}
}

// Needs says what has to be installed for the door.
func (d Door) Needs() string {
	switch d {
	case KEDA:
		return "the trigger needs the overlay keda, and the ClusterTriggerAuthentication headstart: see docs/keda.md. " +
			"Its scalerAddress names the namespace headstart-system: for a Helm release in another one, change it there"
	case Object:
		return "the Object metric needs the overlay custom-metrics"
	default:
		return "the External metric needs the overlay external-metrics, which cannot be beside KEDA: " +
			"use --door object or --door keda there"
	}
}

// WithoutTolerance says what is missing for an old version of Kubernetes; "" where nothing is.
func (k Kubernetes) WithoutTolerance() string {
	if k.Tolerates() {
		return ""
	}
	return fmt.Sprintf("Kubernetes 1.%d refuses tolerance in an HPA, so it is left out: "+
		"the HPA ignores changes of up to 10 %%", int(k))
}
