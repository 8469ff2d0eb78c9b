package report_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/history/csvfile"
	"headstart.dev/headstart/report"
)

// minuteTraces are real traces. before is the days of history before the span that is scored, and
// span the days of that span; 0 stands for the rest of the trace.
var minuteTraces = []struct {
	name         string
	before, span int
}{
	{"llm_servegen_m_mid_client30_10min", 8, 0},
	{"llm_azure2024_code_10min", 4, 0},
	{"nyc_taxi_30min", 28, 14},
}

// A longer warm-up must not cost much. On real traces at one minute, with a shortage cost of 100,
// at most 1 % of the demand is unserved at any warm-up from half a minute to ten, and the cost, as
// a multiple of the oracle's at the same warm-up, grows by 0.15 at most. The test takes minutes, so
// it runs on request.
func TestWarmUpHasNoCliff(t *testing.T) {
	if os.Getenv("HEADSTART_ALL_TRACES") == "" {
		t.Skip("minutes of replays: HEADSTART_ALL_TRACES=1 runs them")
	}
	data := os.Getenv("HEADSTART_SHARED")
	if data == "" {
		data = "../../shared"
	}
	data = filepath.Join(data, "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("NOT REPLAYED: this needs the real traces in ../shared/data beside the repository, " +
			"or in HEADSTART_SHARED/data")
	}
	warmUps := []time.Duration{30 * time.Second, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}
	for _, trace := range minuteTraces {
		t.Run(trace.name, func(t *testing.T) {
			all, err := csvfile.Open(filepath.Join(data, trace.name+".csv.gz"), csvfile.Options{})
			if err != nil {
				t.Fatal(err)
			}
			series := perMinute(all[0].Series)
			const day = 1440
			if end := (trace.before + trace.span) * day; trace.span > 0 {
				series.Values = series.Values[:end]
			}
			first, last := math.NaN(), math.NaN()
			for _, warmUp := range warmUps {
				o := report.DefaultOptions()
				o.Series, o.From, o.Lead = series, trace.before*day, warmUp
				o.Contract = forecaster.Contract{ShortageCost: 100}
				o.Capacity = mean(series.Values[:o.From]) / 20
				o.Policies = []string{report.PolicyHeadstart, report.PolicyReactive, report.PolicyOracle}
				r, err := report.Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				ours, reactive := figuresOf(t, r, report.PolicyHeadstart), figuresOf(t, r, report.PolicyReactive)
				t.Logf("warm-up %v: Headstart leaves %.2f %% unserved at %.3f times the oracle's cost, "+
					"the reactive HPA %.2f %% at %.3f", warmUp,
					100*ours.Unserved, ours.CostOverOracle, 100*reactive.Unserved, reactive.CostOverOracle)
				if ours.Unserved > 0.01 {
					t.Errorf("warm-up %v: %.2f %% unserved, want at most 1 %%", warmUp, 100*ours.Unserved)
				}
				if math.IsNaN(first) {
					first = ours.CostOverOracle
				}
				last = ours.CostOverOracle
			}
			if grew := last - first; grew > 0.15 {
				t.Errorf("from the shortest warm-up to the longest the cost over the oracle grew by %.3f, "+
					"want at most 0.15", grew)
			}
		})
	}
}

// perMinute interpolates the values of a series linearly to one a minute. A gap stays a gap.
func perMinute(s history.Series) history.Series {
	n := int(s.Step / time.Minute)
	out := history.Series{Start: s.Start, Step: time.Minute, Values: make([]float64, 0, n*len(s.Values))}
	for i, v := range s.Values {
		next := s.Values[min(i+1, len(s.Values)-1)]
		for k := range n {
			out.Values = append(out.Values, v+(next-v)*float64(k)/float64(n))
		}
	}
	return out
}

func mean(values []float64) float64 {
	sum, n := 0.0, 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	return sum / n
}

func figuresOf(t *testing.T, r *report.Report, policy string) report.Figures {
	t.Helper()
	result, ok := r.Result(policy)
	if !ok || result.Figures == nil {
		t.Fatalf("no figures for %s", policy)
	}
	return *result.Figures
}
