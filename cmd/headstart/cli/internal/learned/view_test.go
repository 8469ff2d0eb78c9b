package learned

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report/learned"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// start is a Monday.
var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func wantGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want, +got (-update rewrites it):\n%s", file, diff)
	}
}

func forecast(name string) *v1alpha1.Forecast {
	return &v1alpha1.Forecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec: v1alpha1.ForecastSpec{Capacity: &v1alpha1.Capacity{
			Mode: v1alpha1.CapacityLearned, Objective: &v1alpha1.Objective{Query: "latency", AtMost: "0.5"},
		}},
	}
}

func settings() planner.Settings {
	return planner.Settings{
		SpecCapacity: 5, Step: time.Minute, Unit: "requests/s",
		Learn: &planner.LearnSettings{AtMost: 0.5, Attain: 0.99, Max: math.Inf(1)},
	}
}

// invented returns a view with made-up figures: latency rises with load, and capacity rose from 5 to 7.6.
func invented() View {
	fc := forecast("chat")
	track := &learned.Track{Start: start, Step: time.Hour}
	for k := range 15 * 24 {
		track.InUse = append(track.InUse, 5+2.6*math.Min(float64(k/48)/5, 1))
	}
	since := start.Add(26 * time.Hour)
	s := learned.Summary{
		Configured: 5, Used: 7.6, Source: capacity.SourceLearned, Estimate: new(8.125), Lower: new(7.6123), Carried: new(7.7),
		Steps: 15321.4, Missed: 97.8, Since: &since, AtMost: 0.5, Attain: 0.99,
		Moves: []learned.Move{{At: start, Capacity: 5, Source: capacity.SourceDefault}},
	}
	for i := range 48 {
		load := 0.5 + 0.2*float64(i)
		low := 0.12 + 0.3*math.Pow(load/8, 6)
		s.Curve = append(s.Curve, learned.CurvePoint{Load: load, Median: low, Quantile: 1.4 * low, Steps: 100})
	}
	return View{Forecast: fc, Settings: settings(), Track: track, Summary: s, Notes: []string{"a note of the source"}}
}

func text(t *testing.T, v View, l Layout) string {
	t.Helper()
	var b bytes.Buffer
	if err := v.Text(&b, l); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	wantGolden(t, "capacity.txt", text(t, invented(), Layout{Width: 100, Height: 12}))
	wantGolden(t, "narrow.txt", text(t, invented(), Layout{Width: 48, Height: 6}))
}

// status returns a Forecast with all that its status can say, and one whose status says nothing.
func statuses() []v1alpha1.Forecast {
	quantity := func(s string) *resource.Quantity { return new(resource.MustParse(s)) }
	full, none, fixed := forecast("chat"), forecast("api"), forecast("web")
	full.Status.Capacity = &v1alpha1.LearnedCapacity{
		Value: *quantity("6200m"), Source: v1alpha1.CapacitySourceAtLeast, Estimate: quantity("6200m"), Lower: quantity("6"),
		AtLeast: true, Carried: quantity("6200m"), Steps: 4000, Missed: 3, Since: &metav1.Time{Time: start},
	}
	full.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionCapacityKnown, Status: metav1.ConditionUnknown, Reason: "NeverBusy",
		Message: "the service was never near its limit",
	}}
	fixed.Spec.Capacity = nil
	return []v1alpha1.Forecast{*full, *none, *fixed}
}

// Without a history, the text is what status says.
func TestFromStatus(t *testing.T) {
	var b strings.Builder
	for _, fc := range Learns(statuses()) {
		b.WriteString(text(t, FromStatus(&fc, settings()), Layout{Width: 80, Height: 6}) + "\n")
	}
	WriteList(&b, Learns(statuses()))
	b.WriteString("\n")
	WriteList(&b, nil)
	wantGolden(t, "status.txt", b.String())
}

func TestEncode(t *testing.T) {
	var b bytes.Buffer
	v := invented()
	v.Summary.Curve = v.Summary.Curve[:1]
	for _, output := range []string{"json", "yaml"} {
		if err := Encode(&b, output, v.Output()); err != nil {
			t.Fatal(err)
		}
	}
	if err := Encode(&b, "yaml", Outputs(Learns(statuses()))); err != nil {
		t.Fatal(err)
	}
	wantGolden(t, "output.txt", b.String())
}

// Whatever the figures are, every line fits.
func TestTextFits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := invented()
		figure := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.NaN(), math.Inf(1), math.MaxFloat64}))
		v.Summary.Used, v.Summary.AtMost = figure.Draw(rt, "used"), figure.Draw(rt, "objective")
		v.Summary.Estimate, v.Summary.Lower = new(figure.Draw(rt, "estimate")), new(figure.Draw(rt, "lower"))
		v.Summary.Missing = rapid.SampledFrom([]capacity.Missing{
			"", capacity.MissingBusy, capacity.MissingLoad, capacity.MissingLatency, capacity.MissingMet, "Other",
		}).Draw(rt, "missing")
		for i := range v.Summary.Curve {
			v.Summary.Curve[i].Quantile = figure.Draw(rt, fmt.Sprint("latency", i))
		}
		width := rapid.IntRange(40, 120).Draw(rt, "width")
		var b bytes.Buffer
		if err := v.Text(&b, Layout{Width: width, Height: 8}); err != nil {
			rt.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > width && strings.Contains(strings.TrimSpace(line), " ") {
				rt.Fatalf("%d columns of %d: %q", n, width, line)
			}
		}
	})
}
