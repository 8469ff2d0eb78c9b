package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/simulator"
)

// Image is what the pods of a Service run.
const Image = "example.com/model:1"

// Service is a Deployment with one GPU for each replica, its HPA in the recommended form, and the
// Forecast that the HPA reads. All three have the same name.
type Service struct {
	Namespace, Name string
	// Capacity of a replica in requests per second. It is the HPA's averageValue.
	Capacity float64
	// Replicas at the start, and the HPA's bounds.
	Replicas, Min, Max int
	// WarmUp of each pod.
	WarmUp controlplane.WarmUp
	// ScaleDownWindow is the HPA's stabilizationWindowSeconds for scaling down.
	ScaleDownWindow time.Duration

	// Objective is the latency in seconds at the capacity, for a service with a queue. Its metric is then
	// served in replicas, and the HPA's averageValue is "1".
	Objective float64
	// Learned lets Headstart learn the capacity of such a service, beginning with Capacity.
	Learned bool

	// Pool is the node pool of its pods; any when it is empty.
	Pool string
	// Priority of the Forecast.
	Priority int

	// Source of the Forecast's demand. The default is "default".
	Source string
	// Mode of the Forecast: Active, DryRun or Paused.
	Mode string
	// ProvisionFor is the Forecast's, such as {serviceLevel: "0.99"}.
	ProvisionFor string
	// Step, History and Horizon of the Forecast.
	Step, History, Horizon time.Duration
	// DefaultLead is the lead until one is learned.
	DefaultLead time.Duration

	// Scaler is the address of Headstart's scaler. With one, a ScaledObject takes the place of the HPA:
	// it has a Prometheus trigger, and in mode Active also one that reads the Forecast.
	Scaler string
	// Prometheus is the URL that the Prometheus trigger reads.
	Prometheus string
}

// Query returns the query of the service's demand. Its range is two steps long, so that a late
// scrape leaves no gap.
func (s Service) Query() string {
	return fmt.Sprintf(`sum(rate(simulator_requests_total{service=%q}[%s]))`, s.Name, promDuration(2*s.Step))
}

// YAML returns the three objects.
func (s Service) YAML() string {
	annotations, err := json.Marshal(s.WarmUp.Annotations())
	if err != nil {
		panic(err) // a map of strings
	}
	selector := "{}"
	if s.Pool != "" {
		selector = "{pool: " + s.Pool + "}"
	}
	source := s.Source
	if source == "" {
		source = "default"
	}
	return strings.NewReplacer(
		"$NAMESPACE", s.Namespace, "$NAME", s.Name, "$IMAGE", Image, "$LABEL", simulator.ServiceLabel,
		"$CAPACITY", fmt.Sprint(s.Capacity),
		"$REPLICAS", fmt.Sprint(s.Replicas), "$MIN", fmt.Sprint(s.Min), "$MAX", fmt.Sprint(s.Max),
		"$ANNOTATIONS", string(annotations), "$WINDOW", fmt.Sprint(int(s.ScaleDownWindow.Seconds())),
		"$MODE", s.Mode, "$PROVISION", s.ProvisionFor, "$QUERY", s.Query(), "$SOURCE", source, "$STEP", promDuration(s.Step),
		"$HISTORY", promDuration(s.History), "$HORIZON", promDuration(s.Horizon), "$LEAD", promDuration(s.DefaultLead),
		"$SELECTOR", selector, "$LEARN", s.capacitySpec(), "$TARGET", s.target(),
		"$PRIORITY", fmt.Sprint(s.Priority), "$SCALER", s.Scaler, "$PROMETHEUS", s.Prometheus,
	).Replace(s.template())
}

// target returns the averageValue of the HPA.
func (s Service) target() string {
	if s.Objective > 0 {
		return "1"
	}
	return fmt.Sprint(s.Capacity)
}

// capacitySpec returns the lines about the capacity of a service with a queue.
func (s Service) capacitySpec() string {
	const unit = "  serve: {unit: Replicas}\n"
	switch {
	case s.Objective == 0:
		return ""
	case !s.Learned:
		return fmt.Sprintf("%s  capacityPerReplica: %q\n", unit, fmt.Sprint(s.Capacity))
	}
	return fmt.Sprintf(`%s  capacity:
    objective: {query: 'simulator_latency_seconds{service=%q}', atMost: %q}
    attain: "0.95"
    replicas: {query: 'simulator_replicas_ready{service=%q}'}
    default: %q
`, unit, s.Name, fmt.Sprint(s.Objective), s.Name, fmt.Sprint(s.Capacity))
}

// template returns the objects, with the autoscaler of the door.
func (s Service) template() string {
	if s.Scaler == "" {
		return serviceYAML
	}
	before, _, _ := strings.Cut(serviceYAML, "---\napiVersion: autoscaling/v2")
	scaled := scaledObjectYAML
	if s.Mode == "Active" {
		scaled += forecastTriggerYAML
	}
	return before + scaled
}

const scaledObjectYAML = `---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: $NAME, namespace: $NAMESPACE}
spec:
  scaleTargetRef: {name: $NAME}
  pollingInterval: 2
  cooldownPeriod: 5
  minReplicaCount: $MIN
  maxReplicaCount: $MAX
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleUp:
          tolerance: "0"
          stabilizationWindowSeconds: 0
          selectPolicy: Max
          policies: [{type: Percent, value: 900, periodSeconds: 15}, {type: Pods, value: 20, periodSeconds: 15}]
        scaleDown: {tolerance: "0", stabilizationWindowSeconds: $WINDOW}
  fallback: {failureThreshold: 3, replicas: $MIN, behavior: currentReplicasIfHigher}
  triggers:
  - type: prometheus
    metadata: {serverAddress: "$PROMETHEUS", query: '$QUERY', threshold: "$CAPACITY"}
`

const forecastTriggerYAML = `  - type: external-push
    metadata: {scalerAddress: "$SCALER", enableTLS: "true", forecast: $NAME, targetValue: "$CAPACITY"}
    authenticationRef: {name: headstart, kind: ClusterTriggerAuthentication}
`

const serviceYAML = `
apiVersion: v1
kind: Namespace
metadata: {name: $NAMESPACE}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: $NAME, namespace: $NAMESPACE}
spec:
  replicas: $REPLICAS
  selector: {matchLabels: {$LABEL: $NAME}}
  template:
    metadata:
      labels: {$LABEL: $NAME}
      annotations: $ANNOTATIONS
    spec:
      terminationGracePeriodSeconds: 0
      nodeSelector: $SELECTOR
      automountServiceAccountToken: false
      containers:
      - name: model
        image: $IMAGE
        resources: {limits: {nvidia.com/gpu: 1}}
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: $NAME, namespace: $NAMESPACE}
spec:
  demand:
    prometheus: {query: '$QUERY', source: $SOURCE}
    resolution: $STEP
    history: $HISTORY
    settle: 1s
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: $NAME}
  leadTime: {mode: Learned, percentile: 90, default: $LEAD}
  provisionFor: $PROVISION
  horizon: $HORIZON
  priority: $PRIORITY
  mode: $MODE
$LEARN---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: $NAME, namespace: $NAMESPACE}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: $NAME}
  minReplicas: $MIN
  maxReplicas: $MAX
  metrics:
  - type: External
    external: {metric: {name: $NAME}, target: {type: AverageValue, averageValue: "$TARGET"}}
  behavior:
    scaleUp:
      tolerance: "0"
      stabilizationWindowSeconds: 0
      selectPolicy: Max
      policies: [{type: Percent, value: 900, periodSeconds: 15}, {type: Pods, value: 20, periodSeconds: 15}]
    scaleDown: {tolerance: "0", stabilizationWindowSeconds: $WINDOW}
`

// Apply creates or updates the three objects.
func (s Service) Apply(ctx context.Context, c *controlplane.ControlPlane) error {
	if err := c.Apply(ctx, s.YAML()); err != nil {
		return fmt.Errorf("apply service %s: %w", s.Name, err)
	}
	return nil
}

// promDuration formats a duration for Prometheus, to the millisecond.
func promDuration(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d/time.Millisecond)
}
