package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// call runs a command as the command line would, and returns what it prints.
func call(t *testing.T, construct func(Streams) *cobra.Command, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := construct(Streams{strings.NewReader(stdin), &out, &errOut})
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errOut.String(), err
}

// wantGolden compares text with a file of testdata; HEADSTART_UPDATE=1 rewrites it.
func wantGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("HEADSTART_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run the test with HEADSTART_UPDATE=1", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want, +got (run the test with HEADSTART_UPDATE=1)\n%s", file, diff)
	}
}

func TestPeaksPrintsTableAndChart(t *testing.T) {
	out, _, err := call(t, newPeaksCommand, "", "--file", "testdata/peaks.yaml", "--from", "2026-11-23", "--to", "2026-11-30", "--forecast", "500")
	if err != nil {
		t.Fatal(err)
	}
	wantGolden(t, "peaks.golden", out)
	out, _, err = call(t, newPeaksCommand, "", "--file", "testdata/peaks.yaml", "--from", "2026-11-26", "--to", "2026-11-27T12:00", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	wantGolden(t, "peaks.json.golden", out)
}

// TestPeaksReadsWhatKubectlPrints takes a List, with status, from standard input, and Calendars from a file of their own.
func TestPeaksReadsWhatKubectlPrints(t *testing.T) {
	const list = `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "headstart.dev/v1alpha1", "kind": "PeakSchedule",
		"metadata": {"name": "p", "namespace": "ai", "generation": 3, "managedFields": [{"manager": "kubectl"}]},
		"spec": {"forecastSelector": {}, "timeZone": "UTC", "state": "Active", "except": {"calendars": ["us-holidays"]},
			"windows": [{"name": "w", "schedule": "0 9 * * *", "duration": "1h", "demand": {"replicas": 4}}]},
		"status": {"observedGeneration": 3, "forecasts": [{"name": "f", "demand": "5"}]}}]}`
	out, _, err := call(t, newPeaksCommand, list, "--file", "-", "--file", "testdata/peaks.yaml", "--from", "2026-11-25", "--to", "2026-11-28")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"p (UTC)", "face-fusion (America/New_York)", "Wed 2026-11-25 09:00", "Fri 2026-11-27 09:00"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not show %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "2026-11-26 09:00") {
		t.Errorf("Thanksgiving is not excepted:\n%s", out)
	}
}

func TestPeaksSaysWhatToDo(t *testing.T) {
	tests := map[string]struct {
		reason, stdin string
		args          []string
		want          string
	}{
		"NoFile":      {"the file is needed", "", nil, "--file FILE"},
		"MissingFile": {"the file is named", "", []string{"-f", "testdata/none.yaml"}, "testdata/none.yaml"},
		"NoPeaks":     {"another manifest has no peaks", "kind: Forecast", []string{"-f", "-"}, "no PeakSchedule"},
		"BadField": {
			"the field, its value and a remedy are named", "{apiVersion: headstart.dev/v1alpha1, kind: PeakSchedule, metadata: {name: p}, spec: {timeZone: Local, windows: [{name: w, schedule: '0 0 31 2 *', duration: 1h, demand: {add: 1}}]}}",
			[]string{"-f", "-"},
			`spec.windows[0].schedule "0 0 31 2 *": it never fires`,
		},
		"UnknownField": {"a field that nobody reads is an error", "{apiVersion: headstart.dev/v1alpha1, kind: PeakSchedule, spec: {timezone: UTC}}", []string{"-f", "-"}, "timezone"},
		"NoNumber":     {"a chart has an end", "", []string{"-f", "testdata/peaks.yaml", "--forecast", "1e308"}, "--forecast"},
		"From":         {"the forms of a time are named", "", []string{"-f", "testdata/peaks.yaml", "--from", "tomorrow"}, "write 2026-11-09"},
		"Backwards":    {"time goes forwards", "", []string{"-f", "testdata/peaks.yaml", "--from", "2026-11-09", "--to", "2026-11-08"}, "is not after"},
		"Output":       {"the outputs are named", "", []string{"-f", "testdata/peaks.yaml", "-o", "xml"}, "text or json"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if _, _, err := call(t, newPeaksCommand, tc.stdin, tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("\nReason: %s\ngot %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestCalendarImport(t *testing.T) {
	event := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:Qingming\r\nDTSTART;VALUE=DATE:20260404\r\nDTEND;VALUE=DATE:20260407\r\nEND:VEVENT\r\n" +
		"BEGIN:VEVENT\r\nSUMMARY:Talk\r\nDTSTART:20260404T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	out, notes, err := call(t, newCalendarCommand, event, "import", "-", "--name", "cn", "--from", "2026-04-05")
	if err != nil {
		t.Fatal(err)
	}
	want := "apiVersion: headstart.dev/v1alpha1\nkind: Calendar\nmetadata:\n  name: cn\nspec:\n  days:\n  - dates:\n    - 2026-04-05/2026-04-06\n    name: Qingming\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
	if !strings.HasPrefix(notes, "note: Talk: left out") {
		t.Errorf("the appointment is not named: %q", notes)
	}
	if _, _, err := call(t, newCalendarCommand, "nothing", "import", "-"); err == nil || !strings.Contains(err.Error(), "--name") {
		t.Errorf("standard input has no name, got %v", err)
	}
}

func TestConvertWritesManifestsThatPeaksReads(t *testing.T) {
	in := "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a, namespace: b}, spec: {scaleTargetRef: {name: a}, triggers: [" +
		"{type: cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 20 * * *, desiredReplicas: '6'}}]}}"
	out, notes, err := call(t, newConvertCommand, in, "-")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(notes, "keda-hpa-a") {
		t.Errorf("it does not warn of the HPA that selects the same pods: %q", notes)
	}
	table, _, err := call(t, newPeaksCommand, out, "-f", "-", "--from", "2026-06-01", "--to", "2026-06-02")
	if err != nil || !strings.Contains(table, "at least 6 replicas") {
		t.Errorf("peaks cannot read it: %v\n%s", err, table)
	}
	if _, _, err := call(t, newConvertCommand, "kind: Service", "-"); err == nil || !strings.Contains(err.Error(), "nothing to convert") {
		t.Errorf("got %v", err)
	}
}
