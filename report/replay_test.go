package report

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/history/csvfile"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report/internal/slide"
)

// sharedData returns the folder of real traces next to the repository, or "" if there is none.
// Short tests get none.
func sharedData(t *testing.T) string {
	if testing.Short() {
		t.Log("short: without the real traces")
		return ""
	}
	if dir := os.Getenv("HEADSTART_SHARED"); dir != "" {
		return filepath.Join(dir, "data")
	}
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if found := filepath.Join(filepath.Dir(dir), "shared", "data"); exists(found) {
			return found
		}
		dir = filepath.Dir(dir)
	}
	t.Log("NO REAL TRACES: there is no ../shared/data next to the repository, and HEADSTART_SHARED is not set; " +
		"only generated traces are tested")
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// load reads the first series of a file.
func load(t *testing.T, path string) history.Series {
	t.Helper()
	all, err := csvfile.Open(path, csvfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return all[0].Series
}

// traces returns the series to replay: synthetic ones, and real ones if there are any. Short tests
// get two.
func traces(t *testing.T) map[string]history.Series {
	names := []string{"gaps_10m", "level_shift_10m", "holidays_1h", "intermittent_5m"}
	if testing.Short() {
		names = names[:2]
	}
	out := map[string]history.Series{}
	for _, name := range names {
		out[name] = load(t, filepath.Join("..", "testdata", name+".csv.gz"))
	}
	if dir := sharedData(t); dir != "" {
		for _, name := range []string{"llm_azure2024_code_10min", "llm_servegen_m_mid_client66_10min"} {
			out[name] = load(t, filepath.Join(dir, name+".csv.gz"))
		}
	}
	return out
}

// served replays a series and returns the decisions.
func served(t *testing.T, s history.Series, from int, change func(*Options)) *Replay {
	t.Helper()
	o := DefaultOptions()
	o.Series, o.From, o.Lead, o.Contract = s, from, max(10*time.Minute, s.Step), forecaster.Contract{ShortageCost: 20}
	o.Policies = []string{PolicyHeadstart}
	sum := 0.0
	for _, v := range slide.FillGaps(s.Values[:from]) {
		sum += v
	}
	o.Capacity = sum / float64(from) / 20 // as the yardstick defines it
	if change != nil {
		change(&o)
	}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r.replay
}

// The decisions up to a time do not depend on the input after it.
func TestNoLookAhead(t *testing.T) {
	refreshes := map[string]func(*Options){
		"step":   nil,
		"status": func(o *Options) { o.Refresh, o.Horizon = RefreshStatus, 2*time.Hour },
	}
	for name, s := range traces(t) {
		for refresh, change := range refreshes {
			t.Run(name+"/"+refresh, func(t *testing.T) {
				t.Parallel()
				n := len(s.Values)
				from := n / 2
				end := from + min(n/4, 400) // no replay gets what comes after it
				cuts := []int{from + 1, from + 97, end - 1}
				if testing.Short() {
					end, cuts = from+150, []int{from + 97}
				}
				whole := served(t, history.Series{Start: s.Start, Step: s.Step, Values: s.Values[:end]}, from, change)
				for _, cut := range cuts {
					part := served(t, history.Series{Start: s.Start, Step: s.Step, Values: s.Values[:cut]}, from, change)
					for i := range part.Desired {
						if part.Desired[i] != whole.Desired[i] || !same(part.Served[i], whole.Served[i]) {
							t.Fatalf("cut at %d: step %d has %v replicas (serves %v), and %v (%v) with the input after",
								cut, from+i, part.Desired[i], part.Served[i], whole.Desired[i], whole.Served[i])
						}
					}
				}
			})
		}
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// A change of the input changes the decisions after it, and none before it.
func TestReplayReadsThePast(t *testing.T) {
	s := load(t, filepath.Join("..", "testdata", "level_shift_10m.csv.gz"))
	from := len(s.Values) / 2
	before := served(t, history.Series{Start: s.Start, Step: s.Step, Values: s.Values[:from+50]}, from, nil)
	changed := append([]float64(nil), s.Values[:from+50]...)
	changed[from+20] *= 50
	after := served(t, history.Series{Start: s.Start, Step: s.Step, Values: changed}, from, nil)
	if diff := cmp.Diff(before.Desired[:21], after.Desired[:21]); diff != "" {
		t.Errorf("a jump at step 20 changes the steps before it: %s", diff)
	}
	if after.Desired[21] <= before.Desired[21] {
		t.Errorf("the step after the jump desires %v replicas, and %v without the jump",
			after.Desired[21], before.Desired[21])
	}
}

// A short plan serves the same as the whole plan. So the replay may leave out what the ramp does
// not reach.
func TestShortHorizonServesTheSame(t *testing.T) {
	s := load(t, filepath.Join("..", "testdata", "morning_ramp_1m.csv.gz"))
	from := 3 * 1440
	s.Values = s.Values[:from+900]
	o := DefaultOptions()
	o.Series, o.From, o.Lead, o.Capacity = s, from, 5*time.Minute, 7
	o.Contract = forecaster.Contract{ServiceLevel: 0.95}
	for _, ramp := range []planner.Ramp{planner.ProposedRamp(), {}, {None: true}} {
		o.Ramp = ramp
		tr := newTrace(o)
		short, err := newReplayer(o, tr, nil)
		if err != nil {
			t.Fatal(err)
		}
		whole := o
		whole.Refresh, whole.Horizon = RefreshStatus, 24*time.Hour // does not shorten the plan
		long, err := newReplayer(whole, tr, nil)
		if err != nil {
			t.Fatal(err)
		}
		long.o.Refresh = RefreshStep // serves from each plan at once
		if short.steps >= long.steps {
			t.Fatalf("the short plan has %d steps, the long one %d", short.steps, long.steps)
		}
		progress, enter := func(int) {}, func() func() { return func() {} }
		a, err := short.run(context.Background(), enter, progress)
		if err != nil {
			t.Fatal(err)
		}
		b, err := long.run(context.Background(), enter, progress)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b.Served, a.Served); diff != "" {
			t.Errorf("ramp %+v: -whole, +short:\n%s", ramp, diff)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	nan := math.NaN()
	good := optionsFor([]float64{1, 2, 3, 4}, 2)
	good.Policies = []string{PolicyStatic}
	if _, err := Run(context.Background(), good); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		spoil func(*Options)
		want  string
	}{
		"OneRow":       {func(o *Options) { o.Series.Values = []float64{1} }, "1 rows are not enough"},
		"Empty":        {func(o *Options) { o.Series.Values = nil }, "0 rows are not enough"},
		"FromZero":     {func(o *Options) { o.From = 0 }, "no history before it"},
		"FromEnd":      {func(o *Options) { o.From = 4 }, "when the input ends"},
		"NoHistory":    {func(o *Options) { o.Series.Values = []float64{nan, nan, 3, 4} }, "no row before"},
		"NoFuture":     {func(o *Options) { o.Series.Values = []float64{1, 2, nan, nan} }, "nothing to replay"},
		"Capacity":     {func(o *Options) { o.Capacity = 0 }, "--capacity"},
		"CapacityTiny": {func(o *Options) { o.Capacity = 1e-300 }, "--capacity"},
		"CapacityHuge": {func(o *Options) { o.Capacity = 1e300 }, "--capacity"},
		"CapacityNaN":  {func(o *Options) { o.Capacity = nan }, "--capacity"},
		"Lead":         {func(o *Options) { o.Lead = -1 }, "lead"},
		"Replicas":     {func(o *Options) { o.MinReplicas, o.MaxReplicas = 3, 2 }, "min and max replicas"},
		"Refresh":      {func(o *Options) { o.Refresh = "often" }, "step or status"},
		"Policy":       {func(o *Options) { o.Policies = []string{"magic"} }, "crane"},
		"Contract": {
			func(o *Options) { o.Policies, o.Contract = []string{PolicyHeadstart}, forecaster.Contract{} },
			"service level",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := good
			tc.spoil(&o)
			_, err := Run(context.Background(), o)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := optionsFor(make([]float64, 100), 50)
	if _, err := Run(ctx, o); err == nil {
		t.Error("a cancelled replay ran to its end")
	}
}

// Every policy keeps the minimum and the maximum of the replicas. The oracle has no maximum.
func TestBoundsOfReplicas(t *testing.T) {
	s := load(t, filepath.Join("..", "testdata", "level_shift_10m.csv.gz"))
	o := DefaultOptions()
	o.Series, o.From, o.Lead, o.Capacity = s, len(s.Values)*3/4, 10*time.Minute, 3
	o.Contract = forecaster.Contract{ShortageCost: 20}
	o.MinReplicas, o.MaxReplicas, o.Policies = 4, 6, AllPolicies()
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Policies {
		for i, n := range p.desired {
			if n < 4 || (n > 6 && p.Policy != PolicyOracle) {
				t.Fatalf("%s desires %v replicas at step %d", p.Policy, n, i)
			}
		}
	}
}
