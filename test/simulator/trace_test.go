package simulator

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestParseTrace(t *testing.T) {
	cases := map[string]struct {
		reason, csv, err string
		n                int
	}{
		"Good": {
			"a gap is left out",
			"timestamp,value\n2026-11-23T00:00:00Z,1\n2026-11-23T00:01:00Z,\n2026-11-23T00:02:00Z,2\n", "", 2,
		},
		"Swapped": {
			"columns go by their names", "value,timestamp\n1,2026-11-23T00:00:00Z\n2,2026-11-23T00:02:00Z\n", "",
			2,
		},
		"NoHeader": {"a header is needed", "2026-11-23T00:00:00Z,1\n", "header is", 0},
		"Series":   {"one series only", "series,timestamp,value\na,2026-11-23T00:00:00Z,1\n", "one series", 0},
		"BadValue": {
			"the line is named", "timestamp,value\n2026-11-23T00:00:00Z,1\n2026-11-23T00:01:00Z,x\n",
			"line 3: value \"x\"", 0,
		},
		"NaN":        {"a number must be finite", "timestamp,value\n2026-11-23T00:00:00Z,NaN\n", "line 2: value \"NaN\"", 0},
		"BadTime":    {"the line is named", "timestamp,value\nyesterday,1\n", "line 2: timestamp \"yesterday\"", 0},
		"Duplicate":  {"times rise", "timestamp,value\n2026-11-23T00:00:00Z,1\n2026-11-23T00:00:00Z,1\n", "line 3: time", 0},
		"TooShort":   {"one sample is no trace", "timestamp,value\n2026-11-23T00:00:00Z,1\n", "at least two", 0},
		"ExtraField": {"every row is as wide as the header", "timestamp,value\n2026-11-23T00:00:00Z,1,2\n", "line 2", 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := parseTrace(strings.NewReader(tc.csv))
			if tc.err == "" {
				if err != nil || len(got.Values) != tc.n {
					t.Errorf("%s: %d values and error %v, want %d and none", tc.reason, len(got.Values), err, tc.n)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: error %v does not have %q", tc.reason, err, tc.err)
			}
		})
	}
}

// TestFit checks that a day remains a day and that its highest steps are near the peak, at
// resolutions finer and coarser than the trace's.
func TestFit(t *testing.T) {
	var trace Trace
	for m := 0; m <= 4*24*60; m += 10 {
		trace.Times = append(trace.Times, noon.Add(time.Duration(m)*time.Minute))
		trace.Values = append(trace.Values, 50+50*math.Sin(2*math.Pi*float64(m)/(24*60)))
	}
	for _, stepsPerDay := range []int{48, 150, 600} {
		t.Run(fmt.Sprint(stepsPerDay), func(t *testing.T) {
			got, err := trace.Fit(3, stepsPerDay, 200)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 3*stepsPerDay {
				t.Fatalf("%d steps, want %d", len(got), 3*stepsPerDay)
			}
			for i, v := range got {
				want := 100 + 100*math.Sin(2*math.Pi*(float64(i)+0.5)/float64(stepsPerDay))
				if math.Abs(v-want) > 8 {
					t.Fatalf("step %d is %.1f, want about %.1f", i, v, want)
				}
			}
		})
	}
	if got, err := trace.Fit(30, 48, 1); err != nil || len(got) != 4*48 {
		t.Errorf("%d steps of a trace of four days, want %d: %v", len(got), 4*48, err)
	}
}
