package evidence

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity/weights"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/internal/conditions"
)

// byQuery has an answer for each query.
type byQuery map[string]*flat

func (s byQuery) Range(
	ctx context.Context, query string, from, to time.Time, step time.Duration, progress func(done, total int),
) (history.Series, history.Notes, error) {
	return s[query].Range(ctx, query, from, to, step, progress)
}

func (s byQuery) open(string, string) (Source, error) { return s, nil }

func twoTerms() *v1alpha1.Forecast {
	fc := &v1alpha1.Forecast{}
	fc.Spec.Demand = &v1alpha1.DemandSource{
		Weights: v1alpha1.WeightsLearned,
		Terms:   []v1alpha1.DemandTerm{{Query: "a", Weight: "1"}, {Query: "b", Weight: "0.5"}},
	}
	return fc
}

// The condition says which weights are used, and what is missing for others.
func TestSetWeights(t *testing.T) {
	since := func() *v1alpha1.DemandWeights {
		w := &v1alpha1.DemandWeights{Values: []v1alpha1.Decimal{"0.3", "2"}, Days: 14, BetterDays: 12}
		w.Since.Time = epoch
		return w
	}
	judged := func(v weights.Verdict) *Learner {
		return &Learner{weights: &weights.Evidence{}, judgedAt: epoch, judged: weights.Estimate{Verdict: v, Days: 5}}
	}
	for name, tc := range map[string]struct {
		l           *Learner
		inUse, next *v1alpha1.DemandWeights
		want        string
	}{
		"fixed":       {&Learner{}, nil, nil, "before"},
		"reading":     {&Learner{weights: &weights.Evidence{}}, nil, nil, "the past of the terms is being read"},
		"few days":    {judged(weights.FewDays), nil, nil, "weights of the spec: 5 days have enough busy steps"},
		"never busy":  {judged(weights.NeverBusy), nil, nil, "never near the objective"},
		"one mix":     {judged(weights.SameMix), nil, nil, "rise and fall together"},
		"small":       {judged(weights.SmallChange), nil, nil, "by less than 10 %"},
		"given fit":   {judged(weights.GivenFit), since(), nil, "weights 0.3, 2 since 2026-03-02T00:00:00Z: on 5 days"},
		"better":      {judged(weights.Better), since(), nil, "at most once a day"},
		"a candidate": {judged(weights.Better), nil, since(), "weights of the spec: 0.3, 2 fit better, on 12 of 14 days"},
	} {
		set := &conditions.Set{Now: epoch}
		set.SetTrue(v1alpha1.ConditionCapacityKnown, "Learned", "before")
		tc.l.SetWeights(set, tc.inUse, tc.next)
		got := set.Get(v1alpha1.ConditionCapacityKnown)
		if !strings.Contains(got.Message, tc.want) || !strings.HasPrefix(got.Message, "before") || got.Reason != "Learned" {
			t.Errorf("%s: %s, want %q", name, got.Message, tc.want)
		}
		if name == "fixed" && got.Message != "before" {
			t.Errorf("%s: %s", name, got.Message)
		}
	}
}

func TestWeightMetrics(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	key := types.NamespacedName{Namespace: "shop", Name: "fc"}
	fc := twoTerms()
	m.ObserveWeights(key, fc.Spec.Demand, &v1alpha1.DemandWeights{Values: []v1alpha1.Decimal{"0.3", "2"}})
	if got := testutil.ToFloat64(m.weight.WithLabelValues("shop", "fc", "1")); got != 2 {
		t.Errorf("the weight of the second term is %v, want the learned 2", got)
	}
	m.ObserveWeights(key, fc.Spec.Demand, nil)
	if got := testutil.ToFloat64(m.weight.WithLabelValues("shop", "fc", "1")); got != 0.5 {
		t.Errorf("the weight of the second term is %v, want 0.5 of the spec", got)
	}
	fc.Spec.Demand.Weights = v1alpha1.WeightsFixed
	if m.ObserveWeights(key, fc.Spec.Demand, nil); testutil.CollectAndCount(m.weight) != 0 {
		t.Error("fixed weights have a metric")
	}
}

// The terms are read beside latency and replicas. Without a term that is too large for the source, the
// capacity is learned from all of the past.
func TestTermsAreRead(t *testing.T) {
	for name, broken := range map[string]bool{"answered": false, "too large": true} {
		var l Learner
		in, f := input(14), newFetcher()
		in.Settings.Learn.Terms = []string{"a", "b"}
		s := byQuery{"a": &flat{value: 1}, "b": &flat{value: 2}, "latency": &flat{value: 0.1}, "ready": &flat{value: 1}}
		if broken {
			s["b"] = &flat{err: &history.Error{Kind: history.ErrTooLarge, Message: "too large"}}
		}
		for range 100 {
			l.Update(in, f, s.open)
			in.Now = in.Now.Add(time.Hour)
		}
		if !l.current || l.reading {
			t.Errorf("%s: the past is not read after 100 updates: until %s", name, l.Until())
		}
		if got := l.termErr != nil; got && !broken {
			t.Errorf("%s: %v", name, l.termErr)
		}
		fc := twoTerms()
		if w, err := l.Better(fc, in.Now, func(do func()) { do() }); w != nil || err != nil {
			t.Errorf("%s: constants make weights %+v, %v", name, w, err)
		}
		if l.judgedAt.IsZero() {
			t.Errorf("%s: nothing was judged", name)
		}
	}
}

// A term that does not answer for a moment is read again, as the latency and the replicas are. What was
// read is then the same as without the failure.
func TestTermThatFailsForAMoment(t *testing.T) {
	read := func(failing string) *weights.Evidence {
		var l Learner
		in, f := input(14), newFetcher()
		in.Settings.Learn.Terms = []string{"a", "b"}
		s := byQuery{"a": &flat{value: 1}, "b": &flat{value: 2}, "latency": &flat{value: 0.1}, "ready": &flat{value: 1}}
		if failing != "" {
			s[failing].err = &history.Error{Kind: history.ErrUnavailable, Message: "not now"}
		}
		for i := range 200 {
			if i == 4 && failing != "" {
				s[failing].err = nil
			}
			l.Update(in, f, s.open)
			in.Now = in.Now.Add(30 * time.Second)
		}
		return l.weights
	}
	want := read("")
	if got := read("b"); !reflect.DeepEqual(got, want) {
		t.Error("two weeks of the term are lost")
	}
}
