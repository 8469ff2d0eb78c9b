package whatif_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/whatif"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/history"
)

var now = time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)

// wave answers each query with a daily wave and noise, and counts the queries.
type wave struct {
	queries int
	err     error // after the first half
}

func (w *wave) Range(
	_ context.Context, _ string, from, to time.Time, step time.Duration, progress func(done, total int),
) (history.Series, history.Notes, error) {
	w.queries++
	s := history.Series{Start: history.FloorTo(from, step), Step: step}
	for t := s.Start; t.Before(to.Add(-step)); t = t.Add(step) {
		i := float64(t.Unix()) / 60
		s.Values = append(s.Values, 60-40*math.Cos(2*math.Pi*i/1440)+15*math.Sin(i*i))
	}
	if w.err != nil {
		s.Values = s.Values[:len(s.Values)/2]
	}
	progress(1, 1)
	return s, history.Notes{}, w.err
}

func forecast(change func(*v1alpha1.Forecast)) *v1alpha1.Forecast {
	capacity, level := resource.MustParse("5"), v1alpha1.Decimal("0.95")
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u", Generation: 1}}
	fc.Spec.Demand = &v1alpha1.DemandSource{
		Prometheus: v1alpha1.PrometheusQuery{Query: "demand"}, Resolution: "30m", History: "14d",
	}
	fc.Spec.TargetRef = v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	fc.Spec.CapacityPerReplica, fc.Spec.ProvisionFor.ServiceLevel = &capacity, &level
	if change != nil {
		change(fc)
	}
	return fc
}

// noon is a peak at noon.
func noon() client.Object {
	atLeast := resource.MustParse("300")
	ps := &v1alpha1.PeakSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "noon", UID: "p"}}
	ps.Spec = v1alpha1.PeakScheduleSpec{
		ForecastRefs: []v1alpha1.ForecastReference{{Name: "web"}}, TimeZone: "UTC",
		Windows: []v1alpha1.PeakWindow{{
			Name: "noon", Schedule: "0 12 * * *", Duration: "1h", Demand: v1alpha1.PeakDemand{AtLeast: &atLeast},
		}},
	}
	return ps
}

func study(t *testing.T, source whatif.Source, objects ...client.Object) *whatif.Study {
	t.Helper()
	reader := fake.NewClientBuilder().WithScheme(controller.NewScheme()).WithObjects(objects...).Build()
	s, err := whatif.New(whatif.Options{Reader: reader, Source: source, From: "give --prometheus"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func quiet(string, int, int) {}

// Questions that have no answer, and what is said instead.
func TestNoAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		reason   string
		source   whatif.Source
		forecast func(*v1alpha1.Forecast)
		question whatif.Question
		says     string
	}{
		"NoSource": {"nothing to read from", nil, nil, whatif.Question{Days: 7}, "give --prometheus"},
		"Both": {
			"two contracts", &wave{}, nil, whatif.Question{ServiceLevel: "0.9", ShortageCost: "20", Days: 7}, "not both",
		},
		"Level":    {"no probability", &wave{}, nil, whatif.Question{ServiceLevel: "99", Days: 7}, "service level"},
		"Cost":     {"no number", &wave{}, nil, whatif.Question{ShortageCost: "much", Days: 7}, "shortage cost"},
		"NoDays":   {"nothing to replay", &wave{}, nil, whatif.Question{}, "from 1 to 28 days"},
		"ManyDays": {"more than a question may take", &wave{}, nil, whatif.Question{Days: 29}, "from 1 to 28 days"},
		"Lead":     {"longer than a day", &wave{}, nil, whatif.Question{Days: 7, Lead: 25 * time.Hour}, "the lead"},
		"NoQuery": {
			"a Forecast of peaks alone", &wave{}, func(fc *v1alpha1.Forecast) { fc.Spec.Demand = nil },
			whatif.Question{Days: 7},
			"no query",
		},
		"NoCapacity": {
			"replicas cannot be counted", &wave{}, func(fc *v1alpha1.Forecast) { fc.Spec.CapacityPerReplica = nil },
			whatif.Question{Days: 7},
			"capacity",
		},
		"Denied": {
			"Prometheus refuses", &wave{err: &history.Error{Kind: history.ErrUnauthorized, Message: "401"}}, nil,
			whatif.Question{Days: 7},
			"read history from give --prometheus",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := study(t, tc.source).Ask(t.Context(), forecast(tc.forecast), tc.question, now, quiet)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: %v, want an error with %q", tc.reason, err, tc.says)
			}
		})
	}
}

// Each part of a question changes what it is about, and nothing else.
func TestQuestions(t *testing.T) {
	s := study(t, &wave{}, noon())
	ask := func(q whatif.Question) *whatif.Answer {
		t.Helper()
		q.Days = 5
		a, err := s.Ask(t.Context(), forecast(nil), q, now, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if want := "service level 0.95, lead 5m, with the peaks of 1 schedule"; a.Now.Setting != want {
			t.Errorf("the setting of now is %q, want %q", a.Now.Setting, want)
		}
		return a
	}
	same := ask(whatif.Question{})
	if same.Now.Hours != same.Asked.Hours || same.Now.Setting != same.Asked.Setting {
		t.Errorf("nothing was asked, and %+v became %+v", same.Now, same.Asked)
	}
	highest := func(p *whatif.Plan) (out float64) {
		for _, v := range p.Values {
			if v != nil {
				out = max(out, *v)
			}
		}
		return out
	}
	noPeaks := ask(whatif.Question{NoPeaks: true})
	if highest(noPeaks.Now.Plan) < 300 || highest(noPeaks.Asked.Plan) >= 300 || noPeaks.Asked.Hours >= noPeaks.Now.Hours {
		t.Errorf("with the peak up to %v and %v hours, without up to %v and %v hours", highest(noPeaks.Now.Plan),
			noPeaks.Now.Hours, highest(noPeaks.Asked.Plan), noPeaks.Asked.Hours)
	}
	if !strings.Contains(strings.Join(noPeaks.Notes, " "), "Suspended") {
		t.Errorf("the notes %q do not say how to leave them out", noPeaks.Notes)
	}
	slower := ask(whatif.Question{Lead: 4 * time.Hour})
	if slower.Asked.Hours <= slower.Now.Hours || !strings.Contains(slower.Asked.Setting, "lead 4h") {
		t.Errorf("with a longer lead, %+v became %+v", slower.Now, slower.Asked)
	}
	cost := ask(whatif.Question{ShortageCost: "50"})
	if !strings.Contains(cost.Manifest, `shortageCost: "50"`) || strings.Contains(cost.Manifest, "serviceLevel") {
		t.Errorf("the manifest is\n%s", cost.Manifest)
	}
}

// A history that was read a moment ago is used again, unless the Forecast has changed.
func TestHistoryIsKept(t *testing.T) {
	source := &wave{}
	s := study(t, source)
	for i, tc := range []struct {
		reason string
		at     time.Duration
		change func(*v1alpha1.Forecast)
		want   int
	}{
		{"the first", 0, nil, 1},
		{"again", time.Minute, nil, 1},
		{"with a new spec", time.Minute, func(fc *v1alpha1.Forecast) { fc.Generation = 2 }, 2},
		{"another Forecast", time.Minute, func(fc *v1alpha1.Forecast) { fc.UID = "v" }, 3},
		{"the same one much later", time.Hour, func(fc *v1alpha1.Forecast) { fc.UID = "v" }, 4},
	} {
		if _, err := s.Demand(t.Context(), forecast(tc.change), now.Add(tc.at), quiet); err != nil {
			t.Fatal(err)
		}
		if source.queries != tc.want {
			t.Errorf("%d, %s: %d queries, want %d", i, tc.reason, source.queries, tc.want)
		}
	}
}

// Demand and its forecast follow each other, and a history in part is said to be one.
func TestDemand(t *testing.T) {
	got, err := study(t, &wave{}).Demand(t.Context(), forecast(nil), now, quiet)
	if err != nil {
		t.Fatal(err)
	}
	end := got.Start + int64(got.Step)*int64(len(got.Values))
	if got.ExpectedStart != end || len(got.Expected) != 48 || len(got.Cover) != 48 || !got.Skilled {
		t.Errorf("demand until %d, and %d steps are expected from %d on, %v", end, len(got.Expected), got.ExpectedStart, got)
	}
	broken := &wave{err: &history.Error{Kind: history.ErrUnreachable, Message: "connection refused"}}
	got, err = study(t, broken).Demand(t.Context(), forecast(nil), now, quiet)
	if err != nil || !strings.Contains(strings.Join(got.Notes, " "), "only in part") {
		t.Errorf("%v, with the notes %q", err, got.Notes)
	}
}
