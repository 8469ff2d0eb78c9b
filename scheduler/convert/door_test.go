package convert

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/scheduler/door"
	"headstart.dev/headstart/scheduler/manifest"
)

// Each door writes its own kind, from any original.
func TestDoors(t *testing.T) {
	cases := map[string]struct {
		reason, file string
		options      Options
		has, lacks   []string
	}{
		"CronHPA, by default": {
			"an HPA with an External metric", "cronhpa",
			Options{},
			[]string{"kind: HorizontalPodAutoscaler", "type: External", `tolerance: "0"`},
			[]string{"kind: ScaledObject"},
		},
		"CronHPA to KEDA": {
			"for a cluster with KEDA", "cronhpa",
			Options{Door: door.KEDA},
			[]string{"kind: ScaledObject", "type: external-push"},
			[]string{"kind: HorizontalPodAutoscaler"},
		},
		"CronHPA to an Object metric": {
			"beside KEDA", "cronhpa",
			Options{Door: door.Object},
			[]string{"describedObject", "name: demand"},
			[]string{"type: External"},
		},
		"ScaledObject, by default": {
			"it stays one, with its other triggers, its fallback and its annotations", "keda",
			Options{},
			[]string{
				"kind: ScaledObject", "type: external-push", "type: prometheus", "type: cpu", "failureThreshold: 3",
				`autoscaling.keda.sh/paused: "true"`,
			},
			[]string{"type: cron", "kind: HorizontalPodAutoscaler"},
		},
		"ScaledObject to an HPA": {
			"for those who leave KEDA", "keda",
			Options{Door: door.External},
			[]string{"kind: HorizontalPodAutoscaler"},
			[]string{"kind: ScaledObject"},
		},
		"Kubernetes 1.31": {
			"it refuses tolerance", "cronhpa",
			Options{Kubernetes: 31},
			[]string{"kind: HorizontalPodAutoscaler", "1.31 refuses tolerance"},
			[]string{`tolerance: "0"`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := convertFile(t, tc.file, tc.options)
			text, err := yaml.Marshal(result)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range tc.has {
				if !strings.Contains(string(text), part) {
					t.Errorf("%s: %q is missing in\n%s", tc.reason, part, text)
				}
			}
			for _, part := range tc.lacks {
				if strings.Contains(string(text), part) {
					t.Errorf("%s: %q is in\n%s", tc.reason, part, text)
				}
			}
		})
	}
}

// A ScaledObject that stays one has numbers where its CRD wants them, and says why a query does not
// become demand.
func TestScaledObjectStays(t *testing.T) {
	cases := map[string]struct{ reason, text, object, note string }{
		"NumberAsText": {
			"the API server refuses text",
			`{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, ` +
				`minReplicaCount: "2", maxReplicaCount: 1e1, triggers: [` + cronTrigger(daytimeStart, daytimeEnd, "5") + `]}}`,
			"maxReplicaCount: 10\n    minReplicaCount: 2\n", "",
		},
		"IdleAsText": {
			"the API server refuses text here too",
			`{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, ` +
				`idleReplicaCount: "0", minReplicaCount: 3, triggers: [` + cronTrigger(daytimeStart, daytimeEnd, "2") + `]}}`,
			"idleReplicaCount: 0\n", "",
		},
		"BelowIdle": {
			"a trigger that wants no more than what always runs has no effect",
			`{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, ` +
				`idleReplicaCount: 1, minReplicaCount: 3, triggers: [` + cronTrigger(daytimeStart, daytimeEnd, "1") + `, ` +
				cronTrigger(daytimeStart, daytimeEnd, "2") + `]}}`,
			"replicas: 2\n", "cron-0 wants 1 replicas, which is not more than idleReplicaCount",
		},
		"MetricTypeValue": {
			"a query of the kind Value is the demand of one replica",
			scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "5"), "{type: prometheus, metricType: Value, metadata: "+
				"{serverAddress: http://p, query: sum(http_rps), threshold: 5}}"),
			"metricType: Value", "has the metricType Value",
		},
		"Queue": {
			"a queue is not demand",
			scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "5"), promTrigger("sum(jobs_waiting)", "5")),
			"query: sum(jobs_waiting)", "shrinks once there are enough replicas, so it is not demand",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			objects, err := manifest.Read(strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			result, err := Convert(objects, Options{})
			if err != nil {
				t.Fatal(err)
			}
			text, err := yaml.Marshal(result.Objects)
			if err != nil {
				t.Fatal(err)
			}
			notes := fmt.Sprint(result.Notes)
			if !strings.Contains(string(text), tc.object) || !strings.Contains(notes, tc.note) {
				t.Errorf("\nReason: %s\nwant %q and %q in\n%s\n%s", tc.reason, tc.object, tc.note, text, notes)
			}
		})
	}
}
