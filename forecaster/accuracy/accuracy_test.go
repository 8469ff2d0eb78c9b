package accuracy_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/accuracy"
)

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return epoch.Add(time.Duration(minutes) * time.Minute) }

func tracker(t testing.TB, c forecaster.Contract) *accuracy.Tracker {
	t.Helper()
	tr, err := accuracy.New(accuracy.Options{Step: time.Minute, Contract: c})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func series(values ...float64) forecaster.Series {
	return forecaster.Series{Start: epoch, Step: time.Minute, Values: values}
}

// promises are what was served at the steps from the epoch on.
func promises(lead int, served ...float64) []accuracy.Promise {
	var out []accuracy.Promise
	for i, v := range served {
		out = append(out, accuracy.Promise{At: at(i), Lead: lead, Served: v})
	}
	return out
}

func TestFigures(t *testing.T) {
	nan := math.NaN()
	level, cost := forecaster.Contract{ServiceLevel: 0.9}, forecaster.Contract{ShortageCost: 10}
	cases := map[string]struct {
		reason   string
		contract forecaster.Contract
		demand   []float64
		promises []accuracy.Promise
		want     accuracy.Figures
	}{
		"Windows": {
			reason:   "a promise covers the largest value of its window",
			contract: level, demand: []float64{1, 5, 2, 2}, promises: promises(1, 4, 5, 2),
			want: accuracy.Figures{Promises: 3, Asked: 0.9, Covered: 2.0 / 3, Skill: nan, Bias: nan},
		},
		"Steps": {
			reason:   "under a shortage cost the step counts from which on a replica requested now serves",
			contract: cost, demand: []float64{1, 5, 2, 2}, promises: promises(1, 4, 4, 2),
			want: accuracy.Figures{Promises: 3, Asked: 0.9, Covered: 2.0 / 3, Skill: nan, Bias: nan},
		},
		"NotOver": {
			reason:   "a window that is not over says nothing yet",
			contract: level, demand: []float64{1, 1, 1}, promises: promises(1, nan, 1, 0),
			want: accuracy.Figures{Promises: 1, Asked: 0.9, Covered: 1, Skill: nan, Bias: nan},
		},
		"Gap": {
			reason:   "a window with a gap is neither covered nor missed",
			contract: level, demand: []float64{9, nan, 1, 1}, promises: promises(1, 1, 1, 1),
			want: accuracy.Figures{Promises: 1, Asked: 0.9, Covered: 1, Skill: nan, Bias: nan},
		},
		"Nothing": {
			reason:   "no figure without a promise",
			contract: level, demand: []float64{1, 1}, promises: promises(0, nan),
			want: accuracy.Figures{Asked: 0.9, Covered: nan, Skill: nan, Bias: nan},
		},
		"Twice": {
			reason:   "the first promise of a step counts",
			contract: level, demand: []float64{2, 2}, promises: append(promises(0, 1), promises(0, 3)...),
			want: accuracy.Figures{Promises: 1, Asked: 0.9, Covered: 0, Skill: nan, Bias: nan},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr := tracker(t, c.contract)
			for _, p := range c.promises {
				tr.Promise(p)
			}
			tr.Observe(series(c.demand...), series(c.demand...))
			diff := cmp.Diff(c.want, tr.Day(at(3)), cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-12))
			if diff != "" {
				t.Errorf("%s: -want +got\n%s", c.reason, diff)
			}
		})
	}
}

func TestSkillAndBias(t *testing.T) {
	tr := tracker(t, forecaster.Contract{ServiceLevel: 0.9})
	// The window's largest value is 10: the estimate is 11, one benchmark 15, the other 8. At its
	// end 6 are expected, and 5 are observed.
	tr.Estimate(accuracy.Estimate{At: at(0), Lead: 1, Cover: 11, Benchmarks: [2]float64{15, 8}, Expected: 6})
	tr.Observe(series(10, 5), series(10, 5))
	got := tr.Week(at(2))
	if want := 1 - 0.1*1/(0.1*5); math.Abs(got.Skill-want) > 1e-12 {
		t.Errorf("skill = %v, want %v: the loss against that of the better benchmark", got.Skill, want)
	}
	if math.Abs(got.Bias-0.2) > 1e-12 {
		t.Errorf("bias = %v, want 0.2: a fifth too much was expected", got.Bias)
	}
}

func TestDayAndWeekForget(t *testing.T) {
	tr := tracker(t, forecaster.Contract{ServiceLevel: 0.9})
	values := make([]float64, 10*1440)
	for i := range values {
		values[i] = 1
		served := 1.0
		if i < 1440 {
			served = 0 // the first day is missed throughout
		}
		tr.Promise(accuracy.Promise{At: at(i), Lead: 0, Served: served})
		if i%1440 == 1439 {
			tr.Observe(series(values[:i+1]...), series(values[:i+1]...))
		}
	}
	end := at(10*1440 - 1)
	if d, w := tr.Day(end).Covered, tr.Week(end).Covered; d != 1 || w != 1 {
		t.Errorf("covered = %v of the day and %v of the week, want all: the first day is more than a week ago", d, w)
	}
	if got := tr.Week(end).Promises; got != 29*360 {
		t.Errorf("%d promises in the week, want 29 periods of 360", got)
	}
}

func TestRestoredTrackerContinues(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := forecaster.Contract{ServiceLevel: 0.9}
		tr := tracker(t, c)
		n := rapid.IntRange(1, 12000).Draw(rt, "n")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		values := make([]float64, n)
		for i := range values {
			values[i] = 100 * rng.Float64()
			tr.Promise(accuracy.Promise{At: at(i), Lead: 3, Served: 90})
			tr.Estimate(accuracy.Estimate{At: at(i), Lead: 3, Cover: 90, Benchmarks: [2]float64{80, 95}, Expected: 50})
		}
		tr.Observe(series(values...), series(values...))
		record := tr.Record()
		if len(record.Text) > 2048 {
			rt.Fatalf("%d bytes, want less than 2 KiB", len(record.Text))
		}
		if record.Text == "" {
			return
		}
		again, err := accuracy.Restore(accuracy.Options{Step: time.Minute, Contract: c}, record)
		if err != nil {
			rt.Fatal(err)
		}
		now := at(n)
		// A record has rounded sums. A skill may be far below 0, so its error is a share of it.
		near := cmpopts.EquateApprox(1e-3, 2e-3)
		for _, pair := range [][2]accuracy.Figures{{tr.Day(now), again.Day(now)}, {tr.Week(now), again.Week(now)}} {
			if diff := cmp.Diff(pair[0], pair[1], cmpopts.EquateNaNs(), near); diff != "" {
				rt.Fatalf("-before +after\n%s", diff)
			}
		}
		again.Promise(accuracy.Promise{At: at(n - 1), Lead: 0, Served: 0})
		again.Observe(series(values...), series(values...))
		if got := again.Week(now).Promises; got != tr.Week(now).Promises {
			rt.Fatalf("%d promises, want %d: one of a step that is recorded does not count",
				got, tr.Week(now).Promises)
		}
	})
}

func FuzzRestore(f *testing.F) {
	f.Add(int64(0), "windows 360/3/1.2/2/3/-4/5000 1/1/1/1/1/1/1")
	f.Add(int64(1)<<40, "windows 1/2/3")
	f.Add(int64(0), "steps")
	f.Fuzz(func(t *testing.T, since int64, text string) {
		o := accuracy.Options{Step: time.Minute, Contract: forecaster.Contract{ServiceLevel: 0.9}}
		tr, err := accuracy.Restore(o, accuracy.Record{Since: time.Unix(since, 0), Text: text})
		if err != nil {
			return
		}
		tr.Promise(accuracy.Promise{At: epoch, Served: 1})
		tr.Observe(series(1, 2), series(1, 2))
		tr.Day(epoch)
		tr.Verdict(epoch, false)
	})
}

// noise returns a daily cycle times an autoregression with a memory of half an hour. So misses come
// in clusters, at some hours more than at others.
func noise(seed uint64, n int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 2))
	const keep = 0.967
	x, out := rng.NormFloat64(), make([]float64, n)
	for i := range out {
		x = keep*x + math.Sqrt(1-keep*keep)*rng.NormFloat64()
		width := 0.2 + 0.1*math.Sin(2*math.Pi*float64(i)/1440)
		out[i] = math.Exp(width * x)
	}
	return out
}

// levelOf returns the constant that covers a share of the windows of lead + 1 steps in the long
// run.
func levelOf(share float64, lead int) float64 {
	values := noise(99, 400*1440)
	var tops []float64
	for i := 0; i+lead < len(values); i++ {
		most := 0.0
		for _, v := range values[i : i+lead+1] {
			most = math.Max(most, v)
		}
		tops = append(tops, most)
	}
	return quantile(tops, share)
}

// servicesThatMiss simulates services over days, of which each serves a constant. It returns the
// day on which each is first reported to miss the level; -1 for never.
func servicesThatMiss(t *testing.T, services, days, lead int, asked, served float64) []int {
	t.Helper()
	first := make([]int, services)
	for k := range services {
		tr := tracker(t, forecaster.Contract{ServiceLevel: asked})
		values := noise(uint64(k), days*1440)
		first[k] = -1
		missed := false
		for i := range values {
			tr.Promise(accuracy.Promise{At: at(i), Lead: lead, Served: served})
			if (i+1)%360 != 0 {
				continue
			}
			from := max(0, i-800)
			s := forecaster.Series{Start: at(from), Step: time.Minute, Values: values[from : i+1]}
			tr.Observe(s, s)
			if missed = tr.Verdict(at(i+1), missed).State == accuracy.Missed; missed && first[k] < 0 {
				first[k] = i / 1440
			}
		}
	}
	return first
}

func TestVerdictIsNoNoise(t *testing.T) {
	const asked, lead, services, days = 0.99, 10, 100, 30
	first := servicesThatMiss(t, services, days, lead, asked, levelOf(asked, lead))
	alarms := 0
	for _, day := range first {
		if day >= 0 {
			alarms++
		}
	}
	t.Logf("%d of %d services that hold their level are reported to miss it within %d days", alarms, services, days)
	if alarms > services*3/100 {
		t.Errorf("%d false alarms among %d services in a month, want 3 %% at most", alarms, services)
	}
}

func TestVerdictSeesAMiss(t *testing.T) {
	const asked, lead, services, days = 0.99, 10, 50, 10
	first := servicesThatMiss(t, services, days, lead, asked, levelOf(0.93, lead))
	seen := 0
	for _, day := range first {
		if day >= 0 {
			seen++
		}
	}
	t.Logf("%d of %d services that cover 93 %% instead of 99 %% are reported to miss it within %d days",
		seen, services, days)
	if seen < services*9/10 {
		t.Errorf("%d of %d are reported, want 90 %% at least", seen, services)
	}
}

func TestVerdictEnds(t *testing.T) {
	tr := tracker(t, forecaster.Contract{ServiceLevel: 0.9})
	missed, begin, end := false, -1, -1
	values := make([]float64, 20*1440)
	for i := range values {
		values[i] = 1
		served := 1.0
		if i < 3*1440 && i%10 < 6 {
			served = 0.5
		}
		tr.Promise(accuracy.Promise{At: at(i), Lead: 0, Served: served})
		if (i+1)%360 != 0 {
			continue
		}
		tr.Observe(series(values[:i+1]...), series(values[:i+1]...))
		switch is := tr.Verdict(at(i+1), missed).State == accuracy.Missed; {
		case is && !missed:
			begin, missed = i/360, true
		case !is && missed:
			end, missed = i/360, false
		}
	}
	if begin != 3 {
		t.Errorf("missed from period %d on, want 3: after a day of misses", begin)
	}
	if end < 12 || missed {
		t.Errorf("held again from period %d on, want after period 12", end)
	}
}

func TestVerdictWaits(t *testing.T) {
	tr := tracker(t, forecaster.Contract{ServiceLevel: 0.9})
	values := make([]float64, 1080)
	for i := range values {
		values[i] = 1
		tr.Promise(accuracy.Promise{At: at(i), Lead: 0, Served: 0})
	}
	tr.Observe(series(values...), series(values...))
	if got := tr.Verdict(at(1080), false); got.State != accuracy.Unknown {
		t.Errorf("verdict = %+v after 18 h, want none before a day", got)
	}
}

// At the longest lead promises are held until their windows are over.
func TestLongestLeadIsScored(t *testing.T) {
	tr := tracker(t, forecaster.Contract{ServiceLevel: 0.9})
	const steps = forecaster.MaxLead + 100
	for i := range steps {
		tr.Promise(accuracy.Promise{At: at(i), Lead: forecaster.MaxLead, Served: 1})
		tr.Estimate(accuracy.Estimate{At: at(i), Lead: forecaster.MaxLead, Cover: 1})
	}
	s := series(make([]float64, steps)...)
	tr.Observe(s, s)
	promises, estimates, _ := tr.Held()
	if want := forecaster.MaxLead; promises != want || estimates != want {
		t.Errorf("%d promises and %d estimates are held, want the %d whose windows are not over",
			promises, estimates, want)
	}
	if got := tr.Week(at(100)).Promises; got != 100 {
		t.Errorf("%d promises are scored, want 100", got)
	}
}

// Memory is bounded, also by promises that are never scored, and by weeks of periods.
func TestMemoryIsBounded(t *testing.T) {
	tr := tracker(t, forecaster.Contract{ServiceLevel: 0.9})
	for i := range 60 * 1440 {
		tr.Promise(accuracy.Promise{At: at(i), Lead: 5, Served: 1})
		tr.Estimate(accuracy.Estimate{At: at(i), Lead: 5, Cover: 1})
	}
	if p, e, _ := tr.Held(); p > 11520 || e > 11520 {
		t.Errorf("%d promises and %d estimates are held, want a week and a day of them at most", p, e)
	}
	for i := range 60 {
		s := forecaster.Series{Start: at(i * 1440), Step: time.Minute, Values: make([]float64, 1440)}
		tr.Observe(s, s)
	}
	if _, _, periods := tr.Held(); periods > 29 {
		t.Errorf("%d periods are held, want 29 at most", periods)
	}
}
