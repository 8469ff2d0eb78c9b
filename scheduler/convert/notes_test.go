package convert

import (
	"strings"
	"testing"

	"headstart.dev/headstart/scheduler/manifest"
)

// TestSameMinuteIsNoted converts the example in the documentation of TKE and cronhpa, which scales
// every half minute.
func TestSameMinuteIsNoted(t *testing.T) {
	objects, err := manifest.Read(strings.NewReader(`
apiVersion: autoscaling.cloud.tencent.com/v1
kind: HorizontalPodCronscaler
metadata: {name: hpc-deployment, namespace: default}
spec:
  scaleTarget: {apiVersion: apps/v1, kind: Deployment, name: nginx, namespace: default}
  crons:
  - {name: scale-down, schedule: "30 */1 * * * *", targetSize: 1}
  - {name: scale-up, schedule: "0 */1 * * * *", targetSize: 3}
`))
	if err != nil {
		t.Fatal(err)
	}
	result, err := Convert(objects, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var notes strings.Builder
	for _, n := range result.Notes {
		notes.WriteString(n.Text + "\n")
	}
	for _, want := range []string{
		`second "30" of its schedule became 0`, "scale-down and scale-up are in the same minute",
		"it always wants 3 replicas",
	} {
		if !strings.Contains(notes.String(), want) {
			t.Errorf("the notes do not say %q:\n%s", want, notes.String())
		}
	}
}

// TestConflictingHPAsAreNoted checks the notes about HorizontalPodAutoscalers that select the same
// pods.
func TestConflictingHPAsAreNoted(t *testing.T) {
	const schedule = "{apiVersion: zalando.org/v1, kind: ScalingSchedule, metadata: {name: flash}, spec: " +
		"{scalingWindowDurationMinutes: 0, schedules: [" +
		"{type: Repeating, durationMinutes: 60, value: 10, period: {startTime: '09:00', days: [Sun], timezone: UTC}}]}}"
	hpa := func(name, target, value string) string {
		return "\n---\n{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: " + name +
			"}, spec: {maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: " + target + "}, " +
			"metrics: [{type: Object, object: {describedObject: {apiVersion: zalando.org/v1, kind: " +
			"ScalingSchedule, name: flash}, target: {" + value + "}}}]}}"
	}
	tests := map[string]struct {
		reason, text string
		want, never  string
		forecasts    int
	}{
		"SamePods": {
			"two that select the same pods stop both", schedule + hpa("old", "shop", "averageValue: '5'"),
			"HorizontalPodAutoscaler old selects the same pods", "", 1,
		},
		"SameName": {
			"applying the new one replaces the old one", schedule + hpa("flash", "shop", "averageValue: '5'"),
			"has the name of the new one, which replaces it", "selects the same pods", 1,
		},
		"NoAverage": {
			"a metric far ahead must be an average", schedule + hpa("old", "shop", "value: '5'"),
			"without an averageValue", "", 0,
		},
		"Second": {
			"another workload reads it too",
			schedule + hpa("old", "shop", "averageValue: '5'") + hpa("other", "cart", "averageValue: '7'"),
			"HorizontalPodAutoscaler other reads it too", "", 1,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			objects, err := manifest.Read(strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			result, err := Convert(objects, Options{})
			if err != nil {
				t.Fatal(err)
			}
			notes, forecasts := "", 0
			for _, n := range result.Notes {
				notes += n.Text + "\n"
			}
			for _, o := range result.Objects {
				if o["kind"] == "Forecast" {
					forecasts++
				}
			}
			if !strings.Contains(notes, tc.want) || tc.never != "" && strings.Contains(notes, tc.never) ||
				forecasts != tc.forecasts {
				t.Errorf("\nReason: %s\n%d Forecasts, and these notes:\n%s", tc.reason, forecasts, notes)
			}
		})
	}
}
