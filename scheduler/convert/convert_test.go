package convert

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/scheduler/manifest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func convertFile(t *testing.T, name string, options Options) Result {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	objects, err := manifest.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	result, err := Convert(objects, options)
	if err != nil {
		t.Fatalf("Convert: %v", err)
	}
	return result
}

func TestGoldenConversions(t *testing.T) {
	for _, name := range []string{"cronhpa", "tke", "keda", "crane", "zalando"} {
		t.Run(name, func(t *testing.T) {
			result := convertFile(t, name, Options{})
			var text strings.Builder
			for _, object := range result.Objects {
				document, err := yaml.Marshal(object)
				if err != nil {
					t.Fatal(err)
				}
				text.WriteString("---\n" + string(document))
			}
			for _, n := range result.Notes {
				text.WriteString("# " + n.Object + ": " + n.Text + "\n")
			}
			file := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: run the test with -update", err)
			}
			if diff := cmp.Diff(string(want), text.String()); diff != "" {
				t.Errorf("%s: -want, +got (run the test with -update)\n%s", file, diff)
			}
		})
	}
}

var refusedConversions = map[string]struct{ reason, text, want string }{
	"Nothing": {"an empty file has nothing to convert", "", "nothing to convert"},
	"OtherKinds": {
		"a Deployment is no autoscaler", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}",
		"nothing to convert",
	},
	"LongName": {
		"a Forecast could not be referred to",
		"{apiVersion: extensions.tkestack.io/v1, kind: CronHPA, metadata: {name: " +
			strings.Repeat("a", 64) + "}, spec: {scaleTargetRef: {kind: Deployment, name: a}, crons: " +
			"[{schedule: 0 9 * * *, targetReplicas: 2}]}}",
		"64 characters",
	},
	"SameName": {
		"the second would overwrite the first",
		"{apiVersion: extensions.tkestack.io/v1, kind: CronHPA, metadata: {name: a}, spec: " +
			"{scaleTargetRef: {kind: Deployment, name: a}, crons: [{schedule: 0 9 * * *, targetReplicas: 2}, {schedule: " +
			"0 18 * * *, targetReplicas: 1}]}}\n---\n" +
			"{apiVersion: extensions.tkestack.io/v1, kind: CronHPA, metadata: {name: a}, spec: " +
			"{scaleTargetRef: {kind: Deployment, name: a}, crons: [{schedule: 0 9 * * *, targetReplicas: 2}, {schedule: " +
			"0 18 * * *, targetReplicas: 1}]}}",
		"CronHPA a: CronHPA of the same name and namespace is converted already",
	},
	"NoTarget": {
		"it would scale nothing",
		"{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {triggers: [{type: " +
			"cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 9 * * *, desiredReplicas: '1'}}]}}",
		"what it scales",
	},
	"FieldOfAnotherType": {
		"the field is named in the words of the file",
		"{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: hi}",
		"ScaledObject a: cannot read it: spec: string is not a mapping of fields",
	},
	"FewerThanNone": {
		"an HPA with a negative minimum is refused by the API server, so it is not written",
		"{apiVersion: extensions.tkestack.io/v1, kind: CronHPA, metadata: {name: a}, spec: " +
			"{scaleTargetRef: {kind: Deployment, name: a}, crons: [{schedule: 0 9 * * *, targetReplicas: -3}]}}",
		"it wants -3 replicas: write a number from 0",
	},
	"NeverFires": {
		"a size that is never set is not a minimum",
		"{apiVersion: extensions.tkestack.io/v1, kind: CronHPA, metadata: {name: a}, spec: " +
			"{scaleTargetRef: {kind: Deployment, name: a}, crons: [{schedule: 0 0 31 2 *, targetReplicas: 3}]}}",
		"it never fires",
	},
	"NothingOfAFailure": {
		"a Forecast without its peaks is not written",
		"{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: " +
			"{name: a}, triggers: [{type: cron, metadata: {timezone: Mars/X, start: 0 8 * * *, end: 0 9 * " +
			"* *, desiredReplicas: '1'}}]}}",
		"Mars/X",
	},
	"NoTime": {
		"nothing is left",
		"{apiVersion: zalando.org/v1, kind: ScalingSchedule, metadata: {name: a}, spec: {schedules: []}}",
		"has a duration",
	},
	"BadHPA": {
		"a field has another type",
		"{kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: {maxReplicas: many}}",
		"HorizontalPodAutoscaler h",
	},
	"BadCron": {
		"the cron is refused with the reason that a PeakSchedule would give",
		"{apiVersion: extensions.tkestack.io/v1, kind: CronHPA, metadata: {name: a}, spec: " +
			"{scaleTargetRef: {kind: Deployment, name: a}, crons: [{schedule: 0 99 * * *, targetReplicas: 2}]}}",
		"hours from 0 to 23",
	},
}

func TestConvertRefuses(t *testing.T) {
	for name, tc := range refusedConversions {
		t.Run(name, func(t *testing.T) {
			objects, err := manifest.Read(strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			result, err := Convert(objects, Options{})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("\nReason: %s\ngot %v, want %q", tc.reason, err, tc.want)
			}
			if len(objects) == 1 && len(result.Objects) > 0 {
				t.Errorf("what failed is written in part: %v", result.Objects)
			}
		})
	}
}

func FuzzConvert(f *testing.F) {
	for _, name := range []string{"cronhpa", "tke", "keda", "crane", "zalando"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("{apiVersion: extensions.tkestack.io/v1, kind: CronHPA, metadata: {name: a}, spec: {scaleTargetRef: " +
		"{kind: Deployment, name: a}, crons: [{schedule: 0 9 * * *, targetReplicas: 2}]}}")
	f.Add("{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {triggers: [{type: " +
		"cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 8 * * *, desiredReplicas: '-1'}}]}}")
	f.Add("{apiVersion: zalando.org/v1, kind: ScalingSchedule, spec: {scalingWindowDurationMinutes: -1, " +
		"schedules: [{type: OneTime, date: '9999-12-31T23:59:59Z', endDate: '0000-01-01T00:00:00Z', " +
		"durationMinutes: 9223372036854775807, value: -9223372036854775808}]}}")
	f.Add(scaledObject("", `{type: cron, metadata: {timezone: UTC, start: "*/7 8,20 1-9,31 2,12 1-5", `+
		`end: "0 6 29 2 0", desiredReplicas: 1e1}}`))
	f.Add(scaledObject("", `{type: prometheus, metadata: {query: "sum(rate(a_sum[2m])) / (b{c='d'})", threshold: 5e-1}}`))
	f.Fuzz(func(t *testing.T, text string) {
		objects, err := manifest.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		begin := time.Now()
		result, err := Convert(objects, Options{TimeZone: "Europe/Berlin"})
		if err == nil && len(result.Objects)+len(result.Notes) == 0 {
			t.Fatalf("%q: neither an error nor an object nor a note", text)
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Fatalf("%q took %s", text, took)
		}
	})
}
