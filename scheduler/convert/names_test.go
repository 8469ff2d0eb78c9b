package convert

import (
	"fmt"
	"strings"
	"testing"

	"headstart.dev/headstart/scheduler/door"
	"headstart.dev/headstart/scheduler/manifest"
)

// craneOfFour makes an EffectiveHorizontalPodAutoscaler of two to four replicas.
func craneOfFour(replicas string) string {
	return "{apiVersion: autoscaling.crane.io/v1alpha1, kind: EffectiveHorizontalPodAutoscaler, metadata: {name: a, " +
		"namespace: web}, spec: {scaleTargetRef: {kind: Deployment, name: shop}, minReplicas: 2, maxReplicas: 4, " +
		"metrics: [{type: Resource}], crons: [{name: c, timezone: UTC, start: 0 8 * * *, end: 0 9 * * *, " +
		"targetReplicas: " + replicas + "}]}}"
}

// hpaNamed is an HPA of the Deployment shop with the name of what is converted.
var hpaNamed = strings.ReplaceAll(sizedHPA("1", "60"), "{name: shop, namespace", "{name: a, namespace")

// TestNamesOfTheDoor checks that the notes call the new autoscaler and its bounds as they are called
// there.
func TestNamesOfTheDoor(t *testing.T) {
	throughHPA := cronHPA("{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: shop}", upAndDown)
	beside := cronHPA("{apiVersion: apps/v1, kind: Deployment, name: shop}", upAndDown)
	toZero := `{name: up, schedule: "0 0 8 * * *", targetSize: 2}, {name: down, schedule: "0 0 9 * * *", targetSize: 0}`
	daytime := cronTrigger(daytimeStart, daytimeEnd, "6")
	const toHPA, toKEDA = door.External, door.KEDA
	cases := []struct {
		name, text string
		door       door.Door
		has, lacks string
	}{
		{
			"below the minimum", scaledObject("", daytime, cronTrigger("0 9 * * *", "0 10 * * *", "2")), toKEDA,
			"not more than minReplicaCount: it has no effect", "minReplicas",
		},
		{"below the minimum", craneOfFour("2"), toHPA, "not more than minReplicas: it has no effect", "minReplicaCount"},
		{
			"above the maximum", scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "11")), toKEDA,
			"than its maxReplicaCount: maxReplicaCount stays 8", "maxReplicas",
		},
		{"above the maximum", craneOfFour("7"), toKEDA, "than its maxReplicas: maxReplicaCount stays 4", ""},
		{
			"without an end", scaledObject("", cronTrigger("0 9 * * *", "0 9 * * 1-5", "4")), toKEDA,
			"if it is, set minReplicaCount", "minReplicas",
		},
		{
			"the same times", scaledObject("", daytime, cronTrigger("0 9 * * *", "0 9 * * *", "4")), toKEDA,
			"are wanted at all times, set minReplicaCount", "minReplicas",
		},
		{
			"nothing left", scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "1")), toKEDA,
			"as minReplicaCount of a ScaledObject", "HorizontalPodAutoscaler",
		},
		{"nothing left", craneOfFour("1"), toHPA, "as minReplicas of a HorizontalPodAutoscaler", "ScaledObject"},
		{"metrics of Crane", craneOfFour("3"), toKEDA, "add them to the new ScaledObject", "to the new Horizontal"},
		{
			"what to stop", craneOfFour("3"), toKEDA,
			"before you apply the new ScaledObject a: KEDA makes a HorizontalPodAutoscaler of it", "",
		},
		{"what to stop", craneOfFour("3"), toHPA, "before you apply the new HorizontalPodAutoscaler a: two", "KEDA makes"},
		{"an HPA of the same name", beside + hpaNamed, toHPA, "has the name of the new one, which replaces it", ""},
		{
			"an HPA of the same name", beside + hpaNamed, toKEDA,
			"HorizontalPodAutoscaler a selects the same pods as the one that KEDA makes of ScaledObject a", "replaces it",
		},
		{
			"the bounds of an HPA", throughHPA + sizedHPA("2", "60"), toKEDA,
			"maxReplicaCount is 60, as in HorizontalPodAutoscaler shop", "maxReplicas",
		},
		{
			"through an HPA", throughHPA + sizedHPA("2", "60"), toKEDA,
			"the new ScaledObject has the same target and, as minReplicaCount, the smallest size, 4", "",
		},
		{"an HPA that is not there", throughHPA, toKEDA, "read it with a trigger of a ScaledObject", "External"},
		{"an HPA that is not there", throughHPA, door.Object, "read it as an Object metric", "External"},
		{"an HPA that is not there", throughHPA, toHPA, "read it as an External metric", ""},
		{"to zero", cronHPA("{kind: Deployment, name: shop}", toZero), toKEDA, "", "scale to zero"},
		{"to zero", cronHPA("{kind: Deployment, name: shop}", toZero), toHPA, "minReplicas is 0", ""},
		{
			"no size", cronHPA("{kind: Deployment, name: shop}", upAndDown+`, {name: x, schedule: "0 0 9 * * *"}`), toKEDA,
			"use minReplicaCount and maxReplicaCount of the ScaledObject", "minReplicas",
		},
	}
	for _, tc := range cases {
		t.Run(tc.name+" to "+string(tc.door), func(t *testing.T) {
			objects, err := manifest.Read(strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			result, err := Convert(objects, Options{Door: tc.door})
			if err != nil {
				t.Fatal(err)
			}
			notes := fmt.Sprint(result.Notes)
			if !strings.Contains(notes, tc.has) || tc.lacks != "" && strings.Contains(notes, tc.lacks) {
				t.Errorf("%s: want %q and not %q in\n%s", tc.name, tc.has, tc.lacks, notes)
			}
		})
	}
}
