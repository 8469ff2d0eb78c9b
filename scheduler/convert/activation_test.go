package convert

import (
	"fmt"
	"strings"
	"testing"

	"headstart.dev/headstart/scheduler/door"
	"headstart.dev/headstart/scheduler/manifest"
)

// firstTrigger converts one ScaledObject. It returns the first trigger's metadata, and the notes.
func firstTrigger(t *testing.T, text string) (metadata map[string]any, notes string, err error) {
	t.Helper()
	objects, err := manifest.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	result, err := Convert(objects, Options{Door: door.KEDA})
	for _, object := range result.Objects {
		if object["kind"] == scaledObjectKind {
			first := object["spec"].(map[string]any)["triggers"].([]any)[0].(map[string]any)
			metadata = first["metadata"].(map[string]any)
		}
	}
	return metadata, fmt.Sprint(result.Notes), err
}

func TestActivationThreshold(t *testing.T) {
	object := func(bounds, activation string) string {
		return "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, " +
			bounds + ", triggers: [{type: prometheus, metadata: {query: sum(http_rps), threshold: '0.1', " + activation +
			"}}, " + cronTrigger(daytimeStart, daytimeEnd, "3") + "]}}"
	}
	cases := map[string]struct {
		reason, text string
		want         any    // of the first trigger; nil for none
		note         string // empty: nothing is said about it
		err          string
	}{
		"Kept": {
			"a load that left the target asleep does not wake it now",
			object("minReplicaCount: 0", "activationThreshold: '0.25'"), "0.25", "", "",
		},
		"Number": {
			"without quotes it is still text in the metadata, which has nothing else",
			object("minReplicaCount: 0", "activationThreshold: 0.2"), "0.2", "", "",
		},
		"WindowAsleep": {
			"3 replicas of 0.1 are 0.3, as it is served: exactly the threshold does not wake",
			object("minReplicaCount: 0", "activationThreshold: '0.3'"), "0.3",
			"window cron-1 wants 3 replicas, a demand of 0.3, which is not above the activationThreshold 0.3", "",
		},
		"Idle": {
			"below its minimum, an idle target has to wake too",
			object("idleReplicaCount: 0, minReplicaCount: 2", "activationThreshold: '0.3'"), "0.3",
			"it does not wake the target", "",
		},
		"NeverAsleep": {
			"at a minimum of 1 nothing has to wake",
			object("minReplicaCount: 1", "activationThreshold: '5'"), "5", "", "",
		},
		"None": {"0 is the default", object("minReplicaCount: 0", ""), nil, "", ""},
		"Zero": {"0 is the default", object("minReplicaCount: 0", "activationThreshold: 0.0"), nil, "", ""},
		"Below": {
			"the trigger that stays is always active, and Headstart's scaler refuses a negative one",
			object("minReplicaCount: 0", "activationThreshold: '-1'"), nil, "", "",
		},
		"Text": {
			"KEDA refuses it too", object("minReplicaCount: 0", "activationThreshold: few"), nil, "",
			`trigger prometheus-0: activationThreshold "few" is not a number`,
		},
		"NotANumber": {
			"no demand is above it", object("minReplicaCount: 0", "activationThreshold: NaN"), nil, "",
			`activationThreshold "NaN" is not a number`,
		},
		"Infinite": {
			"Headstart's scaler refuses it", object("minReplicaCount: 0", "activationThreshold: '1e16'"), nil, "",
			`activationThreshold "1e16" is not a number up to 9e+15`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			metadata, notes, err := firstTrigger(t, tc.text)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("\nReason: %s\nerror %v, want %q", tc.reason, err, tc.err)
			}
			if got := metadata["activationThreshold"]; got != tc.want {
				t.Errorf("\nReason: %s\nactivationThreshold %v, want %v", tc.reason, got, tc.want)
			}
			if !strings.Contains(notes, tc.note) || tc.note == "" && strings.Contains(notes, "wake") {
				t.Errorf("\nReason: %s\nwant %q in the notes:\n%s", tc.reason, tc.note, notes)
			}
		})
	}
}

// An HPA has no activationThreshold, so a note names it.
func TestActivationThresholdToHPA(t *testing.T) {
	_, notes, err := converted(t, scaledObject("",
		"{type: prometheus, metadata: {query: sum(http_rps), threshold: 5, activationThreshold: 2}}"))
	if err != nil || !strings.Contains(notes, "spec.triggers[0].metadata.activationThreshold") {
		t.Errorf("error %v, and these notes:\n%s", err, notes)
	}
}
