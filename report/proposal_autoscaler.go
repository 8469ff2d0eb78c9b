package report

import (
	"fmt"
	"strings"
	"time"

	"headstart.dev/headstart/report/internal/format"
	"headstart.dev/headstart/scheduler/door"
)

// autoscaler returns the manifest of the autoscaler that reads the Forecast through the door.
func (b *proposalBuilder) autoscaler() string {
	lines := []string{"# " + b.o.Door.Needs()}
	if b.o.Door == "" {
		lines = nil
	}
	if without := b.o.Kubernetes.WithoutTolerance(); without != "" {
		lines = append(lines, "# "+without)
	}
	if b.o.Door == door.KEDA {
		lines = append(lines, b.scaledObject()...)
	} else {
		lines = append(lines, b.hpa()...)
	}
	return b.existing() + strings.Join(append(lines, ""), "\n")
}

// existing says what to do about the HPA that scales the target today.
func (b *proposalBuilder) existing() string {
	h := b.o.HPA
	switch {
	case h == nil || h.Name == "":
		return ""
	case h.ScaledObject != "":
		return "# The ScaledObject " + h.ScaledObject + " scales this target today, through the HPA " + h.Name + ".\n" +
			"# Add a trigger for the Forecast to it instead of this HPA: two HPAs on one target fight.\n"
	case h.ReadsForecast:
		return "# The HPA " + h.Name + " reads the Forecast already. Compare it with this one.\n"
	}
	return "# The HPA " + h.Name + " scales this target today. Add the metric and the behavior below to it, and do not\n" +
		"# apply this one beside it: two HPAs on one target fight.\n"
}

func (b *proposalBuilder) hpa() []string {
	lines := []string{
		"apiVersion: autoscaling/v2",
		"kind: HorizontalPodAutoscaler",
		"metadata:" + b.metadata,
		"spec:",
		"  scaleTargetRef: " + b.target,
		fmt.Sprintf("  minReplicas: %d", b.minReplicas),
		fmt.Sprintf("  maxReplicas: %d # the dry run used up to %s", b.maxReplicas, format.Whole(b.usedReplicas)),
		"  metrics:",
	}
	target := "      target: {type: AverageValue, averageValue: " + quoteYAML(format.Plain(b.capacity)) + "}"
	if b.o.Door == door.Object {
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

// scaledObject has no target: KEDA reads the capacity of the Forecast.
func (b *proposalBuilder) scaledObject() []string {
	trigger := door.Trigger(b.name)
	metadata := trigger["metadata"].(map[string]any)
	lines := []string{
		"apiVersion: keda.sh/v1alpha1",
		"kind: ScaledObject",
		"metadata:" + b.metadata,
		"spec:",
		"  scaleTargetRef: " + b.target,
		fmt.Sprintf("  minReplicaCount: %d", b.minReplicas),
		fmt.Sprintf("  maxReplicaCount: %d # the dry run used up to %s", b.maxReplicas, format.Whole(b.usedReplicas)),
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

func (b *proposalBuilder) behavior(indent string) []string {
	lines := []string{
		"scaleUp:",
		"  tolerance: \"0\" # needs Kubernetes 1.35; older versions ignore changes of up to 10 %",
		"  stabilizationWindowSeconds: 0",
		"  # Replicas take " + duration(b.o.Lead) + " to start, and the plan is early enough for this. It bounds what",
		"  # one wrong number starts.",
		"  policies:",
		"  - {type: Percent, value: 100, periodSeconds: 60}",
		"  - {type: Pods, value: 10, periodSeconds: 60}",
		"  selectPolicy: Max",
		"scaleDown:",
		"  tolerance: \"0\"",
		fmt.Sprintf("  stabilizationWindowSeconds: %d", int(min(b.o.Stabilization, time.Hour).Seconds())),
	}
	var out []string
	for _, line := range lines {
		if strings.Contains(line, "tolerance") && !b.o.Kubernetes.Tolerates() {
			continue
		}
		out = append(out, indent+line)
	}
	return out
}
