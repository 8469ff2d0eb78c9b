package propose

import (
	"fmt"
	"strings"
	"time"

	"headstart.dev/headstart/report/internal/format"
	"headstart.dev/headstart/scheduler/door"
)

// autoscaler returns the manifest of the autoscaler that reads the Forecast through the door.
func (b *builder) autoscaler() string {
	lines := []string{"# " + b.Door.Needs()}
	if b.Door == "" {
		lines = nil
	}
	if without := b.Kubernetes.WithoutTolerance(); without != "" {
		lines = append(lines, "# "+without)
	}
	if b.Door == door.KEDA {
		lines = append(lines, b.scaledObject()...)
	} else {
		lines = append(lines, b.hpa()...)
	}
	return b.existing() + strings.Join(append(lines, ""), "\n")
}

// existing says what to do about the autoscaler that scales the target today.
func (b *builder) existing() string {
	h := b.Today
	const fight = "two autoscalers on one target fight.\n"
	switch {
	case h.HPA == "":
		return ""
	case h.ScaledObject != "" && h.ReadsForecast:
		return "# The ScaledObject " + h.ScaledObject + " reads the Forecast already, through the HPA " + h.HPA + ".\n" +
			"# Compare it with this one, and do not apply this one beside it: " + fight
	case h.ScaledObject != "":
		return "# The ScaledObject " + h.ScaledObject + " scales this target today, through the HPA " + h.HPA + ".\n" +
			"# Add a trigger for the Forecast to it, and do not apply this one beside it: " + fight
	case h.ReadsForecast:
		return "# The HPA " + h.HPA + " reads the Forecast already. Compare it with this one.\n"
	case b.Door == door.KEDA:
		return "# The HPA " + h.HPA + " scales this target today. Move its metrics to triggers of this ScaledObject,\n" +
			"# and delete it when you apply this one: " + fight
	}
	return "# The HPA " + h.HPA + " scales this target today. Add the metric and the behavior below to it, and do not\n" +
		"# apply this one beside it: " + fight
}

func (b *builder) hpa() []string {
	lines := []string{
		"apiVersion: autoscaling/v2",
		"kind: HorizontalPodAutoscaler",
		"metadata:" + b.metadata,
		"spec:",
		"  scaleTargetRef: " + b.target,
		fmt.Sprintf("  minReplicas: %d", b.MinReplicas) + b.whyOne(),
		fmt.Sprintf("  maxReplicas: %d # the dry run used up to %s", b.MaxReplicas, format.Whole(b.UsedReplicas)),
		"  metrics:",
	}
	target := "      target: {type: AverageValue, averageValue: " + quoteYAML(b.averageValue()) + "}"
	if b.Door == door.Object {
		lines = append(lines,
			"  - type: Object",
			"    object:",
			"      describedObject: {apiVersion: headstart.dev/v1alpha1, kind: Forecast, name: "+b.name+"}",
			"      metric: {name: demand}", target)
	} else {
		lines = append(lines,
			"  - type: External",
			"    external:",
			"      metric: {name: "+b.name+"}", target)
	}
	return append(append(lines, "  behavior:"), b.behavior("    ")...)
}

// averageValue is what one replica serves, in the unit of the metric.
func (b *builder) averageValue() string {
	if strings.HasPrefix(b.serve, inReplicas) {
		return "1"
	}
	return format.Plain(b.Capacity)
}

// whyOne says why an HPA keeps a replica although none was asked for.
func (b *builder) whyOne() string {
	if !b.noZero {
		return ""
	}
	return " # 0 needs the feature gate HPAScaleToZero, or KEDA: --door keda"
}

// scaledObject has no target: KEDA reads the capacity of the Forecast.
func (b *builder) scaledObject() []string {
	trigger := door.Trigger(b.name)
	metadata := trigger["metadata"].(map[string]any)
	lines := []string{
		"apiVersion: keda.sh/v1alpha1",
		"kind: ScaledObject",
		"metadata:" + b.metadata,
		"spec:",
		"  scaleTargetRef: " + b.target,
		fmt.Sprintf("  minReplicaCount: %d", b.MinReplicas),
		fmt.Sprintf("  maxReplicaCount: %d # the dry run used up to %s", b.MaxReplicas, format.Whole(b.UsedReplicas)),
		"  triggers:",
		"  - type: external-push",
		"    metadata:",
		fmt.Sprintf("      scalerAddress: %s", metadata["scalerAddress"]),
		"      enableTLS: \"true\"",
		"      forecast: " + b.name,
		fmt.Sprintf("    authenticationRef: {name: %s, kind: ClusterTriggerAuthentication}",
			trigger["authenticationRef"].(map[string]any)["name"]),
		"  advanced:",
		"    horizontalPodAutoscalerConfig:",
		"      behavior:",
	}
	return append(lines, b.behavior("        ")...)
}

func (b *builder) behavior(indent string) []string {
	lines := []string{
		"scaleUp:",
		"  tolerance: \"0\" # needs Kubernetes 1.35; older versions ignore changes of up to 10 %",
		"  stabilizationWindowSeconds: 0",
		"  # Replicas take " + duration(b.Lead) + " to start, and the plan is early enough for this. It bounds what",
		"  # one wrong number starts.",
		"  policies:",
		"  - {type: Percent, value: 100, periodSeconds: 60}",
		"  - {type: Pods, value: 10, periodSeconds: 60}",
		"  selectPolicy: Max",
		"scaleDown:",
		"  tolerance: \"0\"",
		fmt.Sprintf("  stabilizationWindowSeconds: %d", int(min(b.Stabilization, time.Hour).Seconds())),
	}
	var out []string
	for _, line := range lines {
		if strings.Contains(line, "tolerance") && !b.Kubernetes.Tolerates() {
			continue
		}
		out = append(out, indent+line)
	}
	return out
}
