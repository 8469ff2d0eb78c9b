package cli

import (
	"flag"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/peaktext"
	"headstart.dev/headstart/controller"
)

var updatePeaksDocs = flag.Bool("update-peaks-docs", false, "rewrite the outputs in docs/peaks.md")

// Every command of docs/peaks.md prints what the page shows below it.
func TestPeaksDocs(t *testing.T) { runDocs(t, "peaks.md", 3, *updatePeaksDocs) }

func TestPeaksWritesTableAndChart(t *testing.T) {
	out, stderr, code := headstart(t,
		"peaks --file testdata/peaks.yaml --from 2026-11-23 --to 2026-11-30 --forecast 500")
	if code != 0 {
		t.Fatal(stderr)
	}
	wantGolden(t, "peaks.golden", out)
	out, stderr, code = headstart(t,
		"peaks --file testdata/peaks.yaml --from 2026-11-26 --to 2026-11-27T12:00 -o json")
	if code != 0 {
		t.Fatal(stderr)
	}
	wantGolden(t, "peaks.json.golden", out)
}

// Peaks reads a List with status, as kubectl prints it, from standard input, and Calendars from
// another file.
func TestPeaksReadsWhatKubectlPrints(t *testing.T) {
	const list = `{"apiVersion": "v1", "kind": "List", "items": [{
		"apiVersion": "headstart.dev/v1alpha1", "kind": "PeakSchedule",
		"metadata": {"name": "p", "namespace": "ai", "generation": 3, "managedFields": [{"manager": "kubectl"}]},
		"spec": {"forecastSelector": {}, "timeZone": "UTC", "state": "Active", "except": {"calendars": ["us-holidays"]},
			"windows": [{"name": "w", "schedule": "0 9 * * *", "duration": "1h", "demand": {"replicas": 4}}]},
		"status": {"observedGeneration": 3, "forecasts": [{"name": "f", "demand": "5"}]}}]}`
	out, stderr, code := headstartWithInput(t, list,
		"peaks --file - --file testdata/peaks.yaml --from 2026-11-25 --to 2026-11-28")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{
		"p (UTC)", "face-fusion (America/New_York)", "Wed 2026-11-25 09:00", "Fri 2026-11-27 09:00",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not show %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "2026-11-26 09:00") {
		t.Errorf("Thanksgiving is not excepted:\n%s", out)
	}
}

// A listing fits a narrow terminal, and says the same there.
func TestPeaksFit(t *testing.T) {
	const line = "peaks --file testdata/peaks.yaml --from 2026-11-23 --to 2026-11-30 --forecast 500"
	wide, _, _ := headstart(t, line)
	for _, width := range []int{60, 80} {
		out, stderr, code := headstart(t, fmt.Sprintf("%s --width %d", line, width))
		if code != 0 {
			t.Fatal(stderr)
		}
		for text := range strings.Lines(out) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(text, "\n")); n > width {
				t.Errorf("%d columns, and there are %d: %s", n, width, text)
			}
		}
		out = strings.Join(strings.Fields(out), " ")
		for row := range strings.Lines(wide) {
			cells := regexp.MustCompile(`  +`).Split(strings.TrimSpace(row), -1)
			if len(cells) != 6 || cells[0] == "WINDOW" {
				continue
			}
			if !strings.Contains(out, cells[1]) || !strings.Contains(out, cells[5]) {
				t.Errorf("at %d columns, %q is missing in %s", width, cells, out)
			}
		}
	}
}

// Without --file, the PeakSchedules of the cluster are read.
func TestPeaksOfTheCluster(t *testing.T) {
	for name, tc := range map[string]struct {
		reason    string
		namespace string
		objects   []client.Object
		want, err string
	}{
		"one": {"with the Calendars that it names", "shop", []client.Object{
			noonPeak("noon", v1alpha1.PeakScheduleSpec{
				ForecastSelector: &metav1.LabelSelector{}, Except: &v1alpha1.Days{Calendars: []string{"holidays"}},
			}), dayCalendar("holidays", "2026-12-25"),
		}, "noon", ""},
		"another namespace": {
			"none is there", "other",
			[]client.Object{noonPeak("noon", v1alpha1.PeakScheduleSpec{})},
			"",
			"no PeakSchedules found in namespace other: -A",
		},
		"no calendar": {"it cannot be evaluated", "", []client.Object{noonPeak("noon", v1alpha1.PeakScheduleSpec{
			ForecastSelector: &metav1.LabelSelector{}, Except: &v1alpha1.Days{Calendars: []string{"holidays"}},
		})}, "", "holidays"},
	} {
		t.Run(name, func(t *testing.T) {
			c := fake.NewClientBuilder().WithScheme(controller.NewScheme()).WithObjects(tc.objects...).Build()
			got, err := peaktext.Read(t.Context(), c, tc.namespace)
			var names []string
			for _, s := range got {
				names = append(names, s.Name())
			}
			if strings.Join(names, " ") != tc.want || tc.err == "" != (err == nil) ||
				!strings.Contains(fmt.Sprint(err), tc.err) {
				t.Errorf("%s: %q, %v", tc.reason, names, err)
			}
		})
	}
}

// Without --forecast the chart has one above which every peak is seen.
func TestPeaksAreSeenInTheChart(t *testing.T) {
	const one = `{apiVersion: headstart.dev/v1alpha1, kind: PeakSchedule, metadata: {name: p}, 
		spec: {timeZone: UTC, forecastSelector: {}, windows: [{name: w, schedule: '0 9 * * *', duration: 1h, demand: {%s}}]}}`
	for name, tc := range map[string]struct{ reason, demand, flags, want string }{
		"least": {"a quarter of it", "atLeast: '40'", "", "if the forecast is 10\n"},
		"replicas": {
			"a quarter of what they serve", "replicas: 8", "--capacity 5", "if the forecast is 10 and one replica serves 5\n",
		},
		"multiply": {"it needs a forecast", "multiply: '2'", "", "if the forecast is 100\n"},
		"given":    {"the flag wins", "atLeast: '40'", "--forecast 0", "if the forecast is 0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, stderr, code := headstartWithInput(t, fmt.Sprintf(one, tc.demand), "peaks --file - "+tc.flags)
			if code != 0 || !strings.Contains(out, tc.want) {
				t.Errorf("%s: want %q in\n%s%s", tc.reason, tc.want, out, stderr)
			}
		})
	}
}

func TestPeaksRefuses(t *testing.T) {
	const (
		good  = "-f testdata/peaks.yaml "
		never = `{apiVersion: headstart.dev/v1alpha1, kind: PeakSchedule, metadata: {name: p}, spec: {timeZone: Local,
			windows: [{name: w, schedule: '0 0 31 2 *', duration: 1h, demand: {add: 1}}]}}`
		typo = "{apiVersion: headstart.dev/v1alpha1, kind: PeakSchedule, spec: {timezone: UTC}}"
	)
	cases := map[string]struct{ reason, stdin, flags, want string }{
		"NoFile":      {"neither a file nor a cluster", "", "--kubeconfig testdata/none", "no --file is given"},
		"MissingFile": {"the file is named", "", "-f testdata/none.yaml", "testdata/none.yaml"},
		"NoPeaks":     {"another manifest has no peaks", "kind: Forecast", "-f -", "no PeakSchedule"},
		"BadField": {
			"the field, its value and the fault are named", never, "-f -",
			`spec.windows[0].schedule "0 0 31 2 *": it never fires`,
		},
		"Calendar": {
			"a Calendar may be in another file",
			strings.Replace(never, "timeZone: Local", "timeZone: UTC, except: {calendars: [holidays]}", 1),
			"-f -", "add the file with Calendar holidays as another --file",
		},
		"UnknownField": {"a field that nobody reads is an error", typo, "-f -", "timezone"},
		"NoNumber":     {"a chart has an end", "", good + "--forecast 1e308", "--forecast"},
		"From":         {"the forms of a time are named", "", good + "--from tomorrow", "a time such as 2026-11-09"},
		"Backwards":    {"time goes forwards", "", good + "--from 2026-11-09 --to 2026-11-08", "is not after"},
		"Output":       {"the outputs are named", "", good + "-o xml", "text or json"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, stderr, code := headstartWithInput(t, tc.stdin, "peaks "+tc.flags)
			if code == 0 || !strings.Contains(stderr, tc.want) {
				t.Errorf("\nReason: %s\nexit %d, %q, want %q", tc.reason, code, stderr, tc.want)
			}
		})
	}
}

func TestCalendarImport(t *testing.T) {
	event := strings.ReplaceAll(`BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
SUMMARY:Qingming
DTSTART;VALUE=DATE:20260404
DTEND;VALUE=DATE:20260407
END:VEVENT
BEGIN:VEVENT
SUMMARY:Talk
DTSTART:20260404T100000Z
END:VEVENT
END:VCALENDAR
`, "\n", "\r\n")
	out, notes, code := headstartWithInput(t, event, "calendar import - --name cn --from 2026-04-05")
	if code != 0 {
		t.Fatal(notes)
	}
	want := `apiVersion: headstart.dev/v1alpha1
kind: Calendar
metadata:
  name: cn
spec:
  days:
  - dates:
    - 2026-04-05/2026-04-06
    name: Qingming
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
	if !strings.HasPrefix(notes, "note: Talk: skipped") {
		t.Errorf("the appointment is not named: %q", notes)
	}
	_, stderr, code := headstartWithInput(t, "nothing", "calendar import -")
	if code == 0 || !strings.Contains(stderr, "--name") {
		t.Errorf("standard input has no name, got %q", stderr)
	}
}

func TestConvertWritesManifestsThatPeaksReads(t *testing.T) {
	const scaledObject = `{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a, namespace: b},
		spec: {scaleTargetRef: {name: a}, triggers: [{type: cron, metadata: {
			timezone: UTC, start: 0 8 * * *, end: 0 20 * * *, desiredReplicas: '6'}}]}}`
	out, notes, code := headstartWithInput(t, scaledObject, "convert -")
	if code != 0 {
		t.Fatal(notes)
	}
	if !strings.Contains(out, "kind: ScaledObject") || !strings.Contains(notes, "it stays a ScaledObject") {
		t.Errorf("the ScaledObject does not stay one: %q\n%s", notes, out)
	}
	_, notes, code = headstartWithInput(t, scaledObject, "convert --door external -")
	if code != 0 || !strings.Contains(notes, "keda-hpa-a") {
		t.Errorf("it does not warn of the HPA that selects the same pods: %q", notes)
	}
	table, stderr, code := headstartWithInput(t, out, "peaks -f - --from 2026-06-01 --to 2026-06-02")
	if code != 0 || !strings.Contains(table, "at least 6 replicas") {
		t.Errorf("peaks cannot read it: %s\n%s", stderr, table)
	}
	_, stderr, code = headstartWithInput(t, "kind: Service", "convert -")
	if code == 0 || !strings.Contains(stderr, "nothing to convert") {
		t.Errorf("got %q", stderr)
	}
}
