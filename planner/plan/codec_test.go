package plan

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var origin = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// day is a plan of one day at one minute.
func day() Plan {
	values := make([]float64, 1440)
	for i := range values {
		values[i] = 1234.5678 + 1000*math.Sin(2*math.Pi*float64(i)/1440) + float64(i%7)
	}
	return Plan{
		ComputedAt: origin.Add(30 * time.Second), Start: origin,
		Segments: []Segment{{Step: time.Minute, Values: values}},
	}
}

func TestEncodeGolden(t *testing.T) {
	got, err := json.MarshalIndent(day().Encode(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "day.json")
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if len(got) >= 4096 {
		t.Errorf("a day at one minute takes %d bytes, 4096 is the limit", len(got))
	}
}

// A plan that was encoded and decoded is nowhere below the original, has a value wherever the
// original has one, and ends when it does. A day at one minute takes less than 4 KiB.
func TestEncodeNeverLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3000).Draw(t, "steps")
		step := time.Duration(rapid.SampledFrom([]int{1, 60, 3600}).Draw(t, "step")) * time.Second
		scale := math.Pow(10, float64(rapid.IntRange(-6, 9).Draw(t, "scale")))
		some := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 50).Draw(t, "values")
		gaps := rapid.Bool().Draw(t, "gaps")
		values := make([]float64, n)
		for i := range values {
			values[i] = some[i%len(some)] * scale
			if gaps && i%3 != 0 {
				values[i] = math.NaN()
			}
		}
		p := Plan{ComputedAt: origin, Start: origin, Segments: []Segment{{Step: step, Values: values}}}
		encoded := p.Encode()
		text, err := json.Marshal(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if n <= 1440 && len(text) >= 4096 {
			t.Fatalf("%d bytes for %d steps", len(text), n)
		}
		if len(encoded.Segments) > 4 {
			t.Fatalf("%d segments, the API allows 4", len(encoded.Segments))
		}
		q, err := Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if !q.End().Equal(p.End()) || !encoded.End.Time.Equal(p.End()) {
			t.Fatalf("ends at %s and End is %s, want %s", q.End(), encoded.End, p.End())
		}
		for i, v := range values {
			start := origin.Add(time.Duration(i) * step)
			for _, at := range []time.Time{start, start.Add(step - 1)} {
				got, ok := q.At(at)
				if math.IsNaN(v) {
					continue
				}
				if !ok || got < v {
					t.Fatalf("step %d of %d: %v, %v; want at least %v", i, n, got, ok, v)
				}
				if i < fineSteps && got > v*1.001+1e-300 {
					t.Fatalf("step %d: %v is above %v by more than its last digit", i, got, v)
				}
			}
		}
		again, err := Decode(q.Encode())
		if diff := cmp.Diff(q, again, cmpopts.EquateNaNs()); err != nil || diff != "" {
			t.Fatalf("a decoded plan changes when it is encoded and decoded again: %v\n%s", err, diff)
		}
	})
}

func TestFormatValue(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", -1: "0", math.NaN(): "-", 1: "1", 12.5: "12.5", 1234.4: "1235", 1234: "1234", 0.00012341: "0.0001235",
		9999.1: "10000", 123456789: "123500000", 1.23456e15: "1.235e+15", 0.1: "0.1",
	} {
		if got := formatValue(v); got != want {
			t.Errorf("formatValue(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestDecodeRejectsInvalidPlans(t *testing.T) {
	good := Plan{
		ComputedAt: origin, Start: origin, Segments: []Segment{{Step: time.Minute, Values: []float64{1}}},
	}.Encode()
	cases := map[string]struct {
		change func(*v1alpha1.Plan)
		want   string
	}{
		"NoSegments": {func(p *v1alpha1.Plan) { p.Segments = nil }, "empty"},
		"NoStart":    {func(p *v1alpha1.Plan) { p.Start = metav1.Time{} }, "empty"},
		"Step":       {func(p *v1alpha1.Plan) { p.Segments[0].Step = "often" }, "duration"},
		"ZeroStep":   {func(p *v1alpha1.Plan) { p.Segments[0].Step = "0s" }, "step must be above 0"},
		"Word":       {func(p *v1alpha1.Plan) { p.Segments[0].Values = "1 x" }, `value 1, "x"`},
		"Negative":   {func(p *v1alpha1.Plan) { p.Segments[0].Values = "-1" }, `"-1"`},
		"NaN":        {func(p *v1alpha1.Plan) { p.Segments[0].Values = "NaN" }, `"NaN"`},
		"Infinite":   {func(p *v1alpha1.Plan) { p.Segments[0].Values = "1e999" }, `"1e999"`},
		"Empty":      {func(p *v1alpha1.Plan) { p.Segments[0].Values = "" }, "no values"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			bad := *good.DeepCopy()
			tc.change(&bad)
			if _, err := Decode(bad); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// Whatever a status contains, Decode does not panic, and returns no value that could not be served.
func FuzzDecode(f *testing.F) {
	f.Add("1m", "1 2 3")
	f.Add("1h30m", "- 0.1 1e3")
	f.Fuzz(func(t *testing.T, step, values string) {
		p, err := Decode(v1alpha1.Plan{
			Start: metav1.NewTime(origin), Segments: []v1alpha1.PlanSegment{
				{Step: v1alpha1.Duration(step), Values: values},
			},
		})
		if err != nil {
			return
		}
		for _, v := range p.Segments[0].Values {
			if !math.IsNaN(v) && !finite(v) {
				t.Errorf("%q gave %v", values, v)
			}
		}
		p.At(origin.Add(time.Hour))
	})
}

// Expected is kept for the fine part. When it cannot be read, the values still can.
func TestEncodeExpected(t *testing.T) {
	p := day()
	p.Segments[0].Expected = make([]float64, 1440)
	for i, v := range p.Segments[0].Values {
		p.Segments[0].Expected[i] = v / 2
	}
	encoded := p.Encode()
	got, err := Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range got.Segments {
		if (i == 0) != (len(s.Expected) == fineSteps) || (i > 0 && s.Expected != nil) {
			t.Errorf("segment %d has %d expected values", i, len(s.Expected))
		}
	}
	if e, v := got.Segments[0].Expected[7], p.Segments[0].Expected[7]; e < v || e > v*1.001 {
		t.Errorf("expected %v, want %v", e, v)
	}
	encoded.Segments[0].Expected = "1 2"
	got, err = Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if got.Segments[0].Expected != nil || got.Segments[0].Values[7] < p.Segments[0].Values[7] {
		t.Errorf("two expected values for sixty steps: got %+v, want the values alone", got.Segments[0])
	}
}

// finite reports whether v is a demand that a plan can carry as it is.
func finite(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }

// TestMostSurvivesTheStatus has the upper bounds of a plan in every form of a segment: as they are,
// and where steps are merged the smallest of them.
func TestMostSurvivesTheStatus(t *testing.T) {
	nan := math.NaN()
	p := Plan{ComputedAt: origin, Start: origin, Segments: []Segment{{Step: time.Minute, Values: make([]float64, 1440)}}}
	most := make([]float64, 1440)
	for i := range most {
		most[i] = nan
	}
	most[3], most[60], most[61], most[1439] = 12.5, 7.5, 2.5, 0
	p.Segments[0].Most = most
	got, err := Decode(p.Encode())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		minute int
		want   float64
	}{
		"Fine": {3, 12.5}, "FineNone": {4, nan}, "Merged": {60, 2.5}, "MergedSame": {64, 2.5},
		"None": {65, nan}, "Last": {1439, 0},
	}
	for name, tc := range cases {
		v, bounded := got.MostAt(origin.Add(time.Duration(tc.minute) * time.Minute))
		if bounded == math.IsNaN(tc.want) || bounded && v != tc.want {
			t.Errorf("%s: at most %v (%v) in minute %d, want %v", name, v, bounded, tc.minute, tc.want)
		}
	}
	if _, bounded := got.MostAt(got.End()); bounded {
		t.Error("the end of the plan has a bound")
	}
}
