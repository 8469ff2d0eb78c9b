package planner

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
)

// goodTrigger is what docs/keda.md shows.
const goodTrigger = `
  - type: external-push
    metadata: {scalerAddress: "headstart-scaler.headstart-system.svc:9443", forecast: face-fusion, targetValue: "5"}
    authenticationRef: {name: headstart, kind: ClusterTriggerAuthentication}`

const goodBehavior = `
  advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleUp: {tolerance: "0"}}}}`

func readScaledObject(t *testing.T, annotations, spec string) ScaledObject {
	t.Helper()
	if !strings.Contains(spec, "scaleTargetRef") {
		spec += "\n  scaleTargetRef: {name: face-fusion}"
	}
	text := fmt.Sprintf(`
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: face-fusion, namespace: shop, annotations: {%s}}
spec:%s`, annotations, spec)
	var obj unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
		t.Fatal(err)
	}
	out, err := ReadScaledObject(&obj)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReadScaledObjects(t *testing.T) {
	trigger := func(change ...string) string {
		return "\n  triggers:" + strings.NewReplacer(change...).Replace(goodTrigger)
	}
	cases := map[string]struct {
		reason, annotations, spec string
		hpas                      []autoscalingv2.HorizontalPodAutoscaler
		specCapacity              string
		capacity                  float64
		least, most               int
		hpa                       string
		findings                  []string
	}{
		"follows": {
			reason: "what the page shows", spec: goodBehavior + trigger(),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion",
		},
		"custom name": {
			reason: "the HPA may have a name of its own",
			spec: `
  advanced: {horizontalPodAutoscalerConfig: {name: mine, behavior: {scaleUp: {tolerance: "0"}}}}
  minReplicaCount: 2
  maxReplicaCount: 9` + trigger(),
			capacity: 5, least: 2, most: 9, hpa: "mine",
		},
		"idle": {
			reason:   "KEDA goes below the minimum while no trigger is active",
			spec:     "\n  idleReplicaCount: 0\n  minReplicaCount: 5" + goodBehavior + trigger(),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion",
		},
		"idle, and slow": {
			reason: "then a polled trigger wakes late",
			spec: "\n  idleReplicaCount: 0\n  minReplicaCount: 5\n  pollingInterval: 300" + goodBehavior +
				trigger("external-push", "external"),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"SlowActivation"},
		},
		"minimum": {
			reason:   "it is held without an idle count, so nothing wakes",
			spec:     "\n  minReplicaCount: 5\n  pollingInterval: 300" + goodBehavior + trigger("external-push", "external"),
			capacity: 5, least: 5, most: 100, hpa: "keda-hpa-face-fusion",
		},
		"target of the forecast": {
			reason: "without a target KEDA reads the forecast's", spec: goodBehavior + trigger(`, targetValue: "5"`, ""),
			specCapacity: "4", most: 100, hpa: "keda-hpa-face-fusion",
		},
		"no target": {
			reason: "then there is none", spec: goodBehavior + trigger(`, targetValue: "5"`, ""),
			most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"NoCapacity"},
		},
		"differs": {
			reason: "the trigger's target is not the spec's capacity", spec: goodBehavior + trigger(), specCapacity: "4",
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"CapacityDiffers"},
		},
		"spaces": {
			reason:   "the scaler leaves them out",
			spec:     goodBehavior + trigger("forecast: face-fusion", `forecast: " face-fusion "`),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion",
		},
		"another forecast": {
			reason: "it does not matter", spec: goodBehavior + trigger("forecast: face-fusion", "forecast: other"),
		},
		"another scaler": {
			reason: "an external scaler of somebody else names no forecast",
			spec:   goodBehavior + trigger("forecast: face-fusion", "queue: face-fusion"),
		},
		"value": {
			reason:   "Value runs away",
			spec:     goodBehavior + trigger("authenticationRef", "metricType: Value\n    authenticationRef"),
			findings: []string{"TargetTypeValue"},
		},
		"tolerance": {
			reason: "the default ignores 10 %", spec: trigger(),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"Tolerance"},
		},
		"paused": {
			reason: "nothing scales", annotations: `autoscaling.keda.sh/paused: "true"`, spec: goodBehavior + trigger(),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"Paused"},
		},
		"not paused": {
			reason: "false is no pause", annotations: `autoscaling.keda.sh/paused: "false"`, spec: goodBehavior + trigger(),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion",
		},
		"held": {
			reason: "at a number of replicas", annotations: `autoscaling.keda.sh/paused-replicas: "3"`,
			spec: goodBehavior + trigger(), capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"Paused"},
		},
		"no scale-out": {
			reason: "KEDA reads nonsense as true", annotations: `autoscaling.keda.sh/paused-scale-out: "yes"`,
			spec: goodBehavior + trigger(), capacity: 5, most: 100, hpa: "keda-hpa-face-fusion",
			findings: []string{"ScaleUpDisabled"},
		},
		"formula": {
			reason: "then the HPA reads another metric",
			spec: `
  advanced:
    horizontalPodAutoscalerConfig: {behavior: {scaleUp: {tolerance: "0"}}}
    scalingModifiers: {formula: "a + b", target: "3"}` + trigger(),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"ScalingModifiers"},
		},
		"no TLS": {
			reason: "the scaler speaks TLS only",
			spec: goodBehavior +
				trigger("\n    authenticationRef: {name: headstart, kind: ClusterTriggerAuthentication}", ""),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"TriggerWithoutTLS"},
		},
		"no CA": {
			reason: "Headstart's certificate is of a CA of its own",
			spec: goodBehavior + trigger("{scaler", `{enableTLS: "true", scaler`,
				"\n    authenticationRef: {name: headstart, kind: ClusterTriggerAuthentication}", ""),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"TriggerWithoutCA"},
		},
		"not verified": {
			reason:   "any server that answers sets the replicas",
			spec:     goodBehavior + trigger("{scaler", `{enableTLS: "true", unsafeSsl: "true", scaler`),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"TriggerUnverified"},
		},
		"typo": {
			reason: "KEDA passes any key on", spec: goodBehavior + trigger("targetValue", "targetvalue"), specCapacity: "5",
			most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"TriggerInvalid"},
		},
		"target that is none": {
			reason: "the scaler refuses it", spec: goodBehavior + trigger(`"5"`, `"five"`), specCapacity: "5",
			most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"TriggerInvalid"},
		},
		"cached": {
			reason:   "values are as old as the polling interval",
			spec:     goodBehavior + trigger("authenticationRef", "useCachedMetrics: true\n    authenticationRef"),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"CachedMetrics"},
		},
		"slow": {
			reason:   "a polled trigger wakes late",
			spec:     "\n  pollingInterval: 300" + goodBehavior + trigger("external-push", "external"),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"SlowActivation"},
		},
		"other target": {
			reason:   "the lead would be that of another workload",
			spec:     "\n  scaleTargetRef: {name: other, kind: StatefulSet}" + goodBehavior + trigger(),
			capacity: 5, most: 100, hpa: "keda-hpa-face-fusion", findings: []string{"TargetDiffers"},
		},
		"beside an HPA": {
			reason: "two HPAs would set the replicas", spec: goodBehavior + trigger(),
			hpas:     []autoscalingv2.HorizontalPodAutoscaler{hpaReading("z", "face-fusion", nil)},
			capacity: 5, least: 1, most: 40, hpa: "z", findings: []string{"TwoAutoscalers"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fc := faceFusion()
			fc.Spec.CapacityPerReplica = nil
			if tc.specCapacity != "" {
				fc.Spec.CapacityPerReplica = new(resource.MustParse(tc.specCapacity))
			}
			o := readScaledObject(t, tc.annotations, tc.spec)
			got := ReadAutoscalers(Autoscalers{HPAs: tc.hpas, ScaledObjects: []ScaledObject{o}}, fc, 15*time.Second)
			var reasons []string
			for _, f := range got.Findings {
				reasons = append(reasons, f.Reason)
			}
			if diff := cmp.Diff(tc.findings, reasons); diff != "" {
				t.Errorf("%s: findings -want, +got:\n%s\n%v", tc.reason, diff, got.Findings)
			}
			type said struct {
				Capacity    float64
				Least, Most int
				HPA         string
			}
			want := said{tc.capacity, tc.least, tc.most, tc.hpa}
			if diff := cmp.Diff(want, said{got.Capacity, got.MinReplicas, got.MaxReplicas, got.HPA}); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// The HPA that KEDA makes reads metrics of the names s0-…, which are not those of Forecasts.
func TestHPAOfScaledObjectIsNotRead(t *testing.T) {
	kedas := hpaReading("keda-hpa-x", "face-fusion", func(h *autoscalingv2.HorizontalPodAutoscaler) {
		label := map[string]string{scaledObjectLabel: "x"}
		h.Spec.Metrics[0].External.Metric.Selector = &metav1.LabelSelector{MatchLabels: label}
	})
	if names := ForecastNames(&kedas); len(names) > 0 {
		t.Errorf("it reads %q", names)
	}
}

// Messages name the object and the fields that a person writes: KEDA undoes changes of its own HPA.
func TestMessagesNameScaledObject(t *testing.T) {
	fc := faceFusion()
	fc.Spec.CapacityPerReplica = new(resource.MustParse("4"))
	o := readScaledObject(t, "", `
  advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleUp: {selectPolicy: Disabled}}}}
  triggers:`+goodTrigger+
		strings.Replace(goodTrigger, "authenticationRef", "metricType: Value\n    authenticationRef", 1))
	got := ReadAutoscalers(Autoscalers{ScaledObjects: []ScaledObject{o}}, fc, 15*time.Second)
	wants := map[string]string{
		"CapacityDiffers": "metadata.targetValue of the trigger",
		"Tolerance":       "set advanced.horizontalPodAutoscalerConfig.behavior.scaleUp.tolerance",
		"ScaleUpDisabled": "change advanced.horizontalPodAutoscalerConfig.behavior.scaleUp.selectPolicy",
		"TargetTypeValue": "set metricType of the trigger",
	}
	for _, f := range got.Findings {
		if want := wants[f.Reason]; !strings.Contains(f.Message, want) ||
			!strings.HasPrefix(f.Message, "ScaledObject face-fusion ") {
			t.Errorf("%s: %q, want the ScaledObject and %q", f.Reason, f.Message, want)
		}
		delete(wants, f.Reason)
	}
	if len(wants) > 0 {
		t.Errorf("not found: %v", wants)
	}
	if got.Who() != "ScaledObject face-fusion" || got.Fields().MaxReplicas != "maxReplicaCount" {
		t.Errorf("the maximum is %s of %s", got.Fields().MaxReplicas, got.Who())
	}
}

// KEDA leaves 0 replicas by itself, and an HPA goes on from one.
func TestFromZero(t *testing.T) {
	o := readScaledObject(t, "", goodBehavior+"\n  triggers:"+strings.Replace(goodTrigger, "external-push", "external", 1)+
		"\n  pollingInterval: 60")
	got := ReadAutoscalers(Autoscalers{ScaledObjects: []ScaledObject{o}}, faceFusion(), 15*time.Second)
	if want := 45 * time.Second; got.Ramp.FromZero != want {
		t.Errorf("from zero within %s, want a sync and what the polling interval takes beyond 30 s: %s",
			got.Ramp.FromZero, want)
	}
	idle := readScaledObject(t, "", goodBehavior+"\n  triggers:"+goodTrigger+
		"\n  idleReplicaCount: 0\n  minReplicaCount: 5")
	woken := ReadAutoscalers(Autoscalers{ScaledObjects: []ScaledObject{idle}}, faceFusion(), 15*time.Second)
	if woken.Ramp.FromZero == 0 {
		t.Error("a ScaledObject that is idle at 0 replicas is not woken in time")
	}
	want := []int{0, 0, 0, 0, 4, 4}
	if diff := cmp.Diff([]int{0, 0, 0, 1, 4, 4}, got.Ramp.early(want, time.Minute)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// Whatever a ScaledObject holds, reading it gives a value or an error.
func TestReadAnyScaledObject(t *testing.T) {
	words := rapid.SampledFrom([]string{
		"spec", "triggers", "metadata", "type", "external", "forecast", "targetValue", "advanced", "pollingInterval",
		"horizontalPodAutoscalerConfig", "behavior", "scaleTargetRef", "idleReplicaCount",
		"annotations", "autoscaling.keda.sh/paused", "x", "",
	})
	var anything func(depth int) *rapid.Generator[any]
	anything = func(depth int) *rapid.Generator[any] {
		return rapid.Custom(func(t *rapid.T) any {
			switch n := rapid.IntRange(0, 6).Draw(t, "kind"); {
			case n == 0:
				return nil
			case n == 1:
				return rapid.Bool().Draw(t, "bool")
			case n == 2:
				return rapid.Int64().Draw(t, "int")
			case n == 3 || depth == 0:
				return words.Draw(t, "word")
			case n == 4:
				return rapid.SliceOfN(anything(depth-1), 0, 3).Draw(t, "list")
			}
			out := map[string]any{}
			for range rapid.IntRange(0, 4).Draw(t, "size") {
				out[words.Draw(t, "key")] = anything(depth-1).Draw(t, "value")
			}
			return out
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		obj := &unstructured.Unstructured{Object: map[string]any{
			"spec": anything(5).Draw(t, "spec"), "metadata": anything(3).Draw(t, "metadata"),
		}}
		o, err := ReadScaledObject(obj)
		if err == nil {
			ReadAutoscalers(Autoscalers{ScaledObjects: []ScaledObject{o}}, &v1alpha1.Forecast{}, time.Second)
		}
	})
}
