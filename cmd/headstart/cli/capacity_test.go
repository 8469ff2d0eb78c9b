package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/cmd/headstart/cli/internal/learned"
	"headstart.dev/headstart/planner"
)

// busyPrometheus answers the queries demand, latency and ready of a service whose latency passes 0.5
// at a load of 4 per replica. It has three replicas for four hours, then four. Other queries give no
// series.
func busyPrometheus(w http.ResponseWriter, r *http.Request) {
	number := func(name string) float64 {
		v, err := strconv.ParseFloat(r.FormValue(name), 64)
		if err != nil {
			http.Error(w, name, http.StatusBadRequest)
		}
		return v
	}
	var points [][2]any
	for at, end, step := number("start"), number("end"), number("step"); at <= end && step > 0; at += step {
		replicas := 3 + math.Mod(math.Floor(at/14400), 2)
		load := 2.3 - 2*math.Cos(2*math.Pi*at/86400) + 0.05*math.Sin(at)
		value, ok := map[string]float64{
			"demand": load * replicas, "latency": 0.1 + 0.4*math.Pow(load/4, 8), "ready": replicas,
		}[r.FormValue("query")]
		if ok {
			points = append(points, [2]any{at, fmt.Sprintf("%.5f", value)})
		}
	}
	result := []any{}
	if len(points) > 0 {
		result = append(result, map[string]any{"metric": map[string]string{}, "values": points})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{
		"resultType": "matrix", "result": result,
	}})
}

// learningForecast returns a Forecast that learns its capacity from busyPrometheus.
func learningForecast(now time.Time) *v1alpha1.Forecast {
	fc := planned(now)
	fc.Spec.Demand.Resolution = "1m"
	fc.Spec.Capacity = &v1alpha1.Capacity{
		Objective: &v1alpha1.Objective{Query: "latency", AtMost: "0.5"},
		Replicas:  &v1alpha1.SeriesQuery{Query: "ready"},
	}
	return fc
}

// The command learns from the history as the server does, and draws it.
func TestCapacityLearns(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	server := httptest.NewServer(http.HandlerFunc(busyPrometheus))
	defer server.Close()
	for name, tc := range map[string]struct {
		reason  string
		latency string
		source  capacity.Source
		says    []string
	}{
		"Learned": {
			"the load passes the limit each day", "latency", capacity.SourceLearned,
			[]string{"shop/web", "╌ objective: at most 0.5", "┃ estimate", "The capacity in use", "One replica serves"},
		},
		"NoLatency": {
			"a query that gives nothing", "missing", capacity.SourceDefault,
			[]string{"missing: The latency is not known", "note: spec.capacity.objective.query", "capacity of 5 counts"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fc := learningForecast(now)
			fc.Spec.Capacity.Objective.Query = tc.latency
			set, err := planner.Parse(fc)
			if err != nil {
				t.Fatal(err)
			}
			view := learned.FromStatus(fc, set)
			o := capacityOptions{in: readFrom(server.URL), history: promDuration(4 * 24 * time.Hour)}
			if err := o.learn(t.Context(), Streams{Err: &bytes.Buffer{}}, &view, now); err != nil {
				t.Fatal(err)
			}
			s := view.Summary
			if s.Source != tc.source || tc.source == capacity.SourceLearned && (*s.Estimate < 3 || *s.Estimate > 4.3) {
				t.Errorf("%s: %s, %+v", tc.reason, s.Source, s)
			}
			var out bytes.Buffer
			if err := view.Text(&out, learned.Layout{Width: 100, Height: 12}); err != nil {
				t.Fatal(err)
			}
			for _, part := range tc.says {
				if !strings.Contains(out.String(), part) {
					t.Errorf("%s: %q is missing in\n%s", tc.reason, part, out.String())
				}
			}
		})
	}
}

// The weights of several terms are judged. Terms that are the same cannot be told apart.
func TestCapacityWeighsTerms(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.FormValue("query"), "sum(") {
			r.Form.Set("query", "demand")
		}
		busyPrometheus(w, r)
	}))
	defer server.Close()
	fc := learningForecast(now)
	fc.Spec.Demand.Prometheus = v1alpha1.PrometheusQuery{}
	fc.Spec.Demand.Terms = []v1alpha1.DemandTerm{{Query: "demand", Weight: "0.5"}, {Query: "demand", Weight: "0.5"}}
	set, err := planner.Parse(fc)
	if err != nil {
		t.Fatal(err)
	}
	view := learned.FromStatus(fc, set)
	o := capacityOptions{in: readFrom(server.URL), history: promDuration(9 * 24 * time.Hour)}
	if err := o.learn(t.Context(), Streams{Err: &bytes.Buffer{}}, &view, now); err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(view.Notes, "\n"); !strings.Contains(notes, "rise and fall together") {
		t.Errorf("the notes are %q", notes)
	}
}

// A Prometheus that does not answer is an error that says how to reach one.
func TestCapacityOfNoPrometheus(t *testing.T) {
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	fc := learningForecast(now)
	set, err := planner.Parse(fc)
	if err != nil {
		t.Fatal(err)
	}
	view := learned.FromStatus(fc, set)
	o := capacityOptions{in: readFrom("http://127.0.0.1:1"), history: promDuration(time.Hour)}
	if err := o.learn(t.Context(), Streams{Err: &bytes.Buffer{}}, &view, now); err == nil || view.Track != nil {
		t.Errorf("error %v, track %v", err, view.Track)
	}
}

func TestCapacityRefuses(t *testing.T) {
	cases := map[string]struct{ args, want string }{
		"two names": {"a/b a/c", "one Forecast"},
		"colour":    {"a/b --color pink", "pink"},
		"width":     {"a/b --width 10", "--width"},
		"output":    {"a/b --output csv", "json or yaml"},
		"history":   {"a/b --history 0s", "--history"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := headstart(t, "capacity "+tc.args)
			if code == 0 || stdout != "" || !strings.Contains(stderr, tc.want) {
				t.Errorf("exit %d, %q, %q", code, stdout, stderr)
			}
		})
	}
}

// busyFiles writes twelve days of a service like that of busyPrometheus, with other replicas each
// hour.
func busyFiles(t *testing.T) (demand, latency, replicas string) {
	t.Helper()
	var files [3]strings.Builder
	for i := range files {
		files[i].WriteString("timestamp,value\n")
	}
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for k := range 12 * 144 {
		at := start.Add(time.Duration(k) * 10 * time.Minute).Format(time.RFC3339)
		ready := float64(3 + k/6%2)
		load := 2.3 - 2*math.Cos(2*math.Pi*float64(k)/144) + 0.05*math.Sin(float64(k))
		for i, v := range []float64{load * ready, 0.1 + 0.4*math.Pow(load/4, 8), ready} {
			fmt.Fprintf(&files[i], "%s,%.5f\n", at, v)
		}
	}
	return file(t, "demand.csv", files[0].String()), file(t, "latency.csv", files[1].String()),
		file(t, "replicas.csv", files[2].String())
}

// A report on files learns the capacity from a latency and the ready replicas.
func TestReportLearns(t *testing.T) {
	demand, latency, replicas := busyFiles(t)
	stdout, stderr, code := headstart(t, "report --lead 10m --capacity 6 --shortage-cost 20 --policies headstart,oracle "+
		"--headroom=false --at-most 0.5 --from 9d -o json", "--input", demand, "--latency", latency, "--replicas", replicas)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var got struct {
		Capacity struct {
			Configured, Used float64
			Source           string
			AtConfigured     struct{ Met *float64 }
			AtLearned        struct{ Met *float64 }
		}
		Proposal struct{ Forecast, HPA string }
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	c := got.Capacity
	if c.Configured != 6 || c.Source != "Learned" || c.Used < 3 || c.Used > 4.2 || c.AtConfigured.Met == nil ||
		*c.AtConfigured.Met >= *c.AtLearned.Met {
		t.Errorf("%+v", c)
	}
	for _, part := range []string{"atMost: '0.5'", "serve: {unit: Replicas}", "fill in: the PromQL of the latency"} {
		if !strings.Contains(got.Proposal.Forecast, part) {
			t.Errorf("%q is missing in\n%s", part, got.Proposal.Forecast)
		}
	}
	if !strings.Contains(got.Proposal.HPA, "averageValue: '1'") {
		t.Errorf("the target is not 1 in\n%s", got.Proposal.HPA)
	}
}

func TestReportLearnsRefuses(t *testing.T) {
	demand, latency, replicas := busyFiles(t)
	two := file(t, "two.csv", "series,timestamp,value\na,2026-03-02T00:00:00Z,1\nb,2026-03-02T00:00:00Z,1\n")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"objective": {[]string{"--latency", latency, "--replicas", replicas}, "--at-most"},
		"latency":   {[]string{"--at-most", "0.5"}, "--latency"},
		"replicas":  {[]string{"--at-most", "0.5", "--latency", latency}, "--replicas"},
		"attain": {
			[]string{"--at-most", "0.5", "--latency", latency, "--replicas", replicas, "--attain", "2"}, "--attain",
		},
		"no file":    {[]string{"--at-most", "0.5", "--latency", "gone.csv", "--replicas", replicas}, "gone.csv"},
		"two series": {[]string{"--at-most", "0.5", "--latency", two, "--replicas", replicas}, "2 series"},
	} {
		_, stderr, code := headstart(t, "report --lead 10m --capacity 6 --shortage-cost 20 --input "+demand, tc.args...)
		if code == 0 || !strings.Contains(stderr, tc.want) {
			t.Errorf("%s: exit %d, %q", name, code, stderr)
		}
	}
}
