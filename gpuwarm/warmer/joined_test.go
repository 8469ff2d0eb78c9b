package warmer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
	"headstart.dev/headstart/gpuwarm/warmer/weights"
)

// another adds a second Forecast of the same target.
func (w *world) another(name, plan string, change ...func(*v1alpha1.Forecast)) {
	w.t.Helper()
	fc := w.forecast(plan)
	fc.Name = name
	for _, f := range change {
		f(fc)
	}
	status := fc.Status
	w.must(w.client.Create(w.t.Context(), fc))
	fc.Status = status
	w.must(w.client.Status().Update(w.t.Context(), fc))
}

// heldFor counts the placeholders of each Forecast.
func (w *world) heldFor(forecasts ...string) map[string]int {
	w.t.Helper()
	out := map[string]int{}
	for _, p := range w.ours(names.RolePlaceholder) {
		for _, name := range forecasts {
			if p.Labels[names.LabelForecast] == names.Forecast("shop", name) {
				out[name]++
			}
		}
	}
	return out
}

// A target of several Forecasts is held for once, by the largest of their plans.
func TestOneTargetIsHeldForOnce(t *testing.T) {
	const low, high = "20 20 20 20 20 20 20 20", "40 40 40 40 40 40 40 40"
	limit := func(p *v1alpha1.WarmPool) {
		p.Spec.Limits = map[string]resource.Quantity{"nvidia.com/gpu": resource.MustParse("3")}
	}
	paused := func(fc *v1alpha1.Forecast) { fc.Spec.Mode = v1alpha1.ForecastPaused }
	elsewhere := func(fc *v1alpha1.Forecast) { fc.Spec.TargetRef.Name = "other" }
	starts := func(fc *v1alpha1.Forecast) {
		slow := v1alpha1.StartRecord{NodeSeconds: 1200, PullSeconds: 1800}
		fc.Status.LeadTime = &v1alpha1.LeadTimeStatus{RecentStarts: []v1alpha1.StartRecord{slow, slow, slow}}
	}
	free := func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Lead, p.Spec.Images.Lead = "", "" }
	cases := map[string]struct {
		reason string
		plan   string
		pool   *v1alpha1.WarmPool
		more   func(*world)
		held   map[string]int
		by     map[string]string // warmedBy
	}{
		"Larger": {
			"The other's is larger.", low, pool(noImages), func(w *world) { w.another("tokens", high) },
			map[string]int{"demand": 4},
			map[string]string{"tokens": "demand"},
		},
		"Smaller": {
			"Its own is.", high, pool(noImages), func(w *world) { w.another("tokens", low) },
			map[string]int{"demand": 4},
			map[string]string{"tokens": "demand"},
		},
		"Name": {
			"The first by name holds.", low, pool(noImages), func(w *world) { w.another("bytes", high) },
			map[string]int{"bytes": 4},
			map[string]string{"demand": "bytes"},
		},
		"Three": {
			"However many there are.", low, pool(noImages), func(w *world) { w.another("tokens", high); w.another("zero", low) },
			map[string]int{"demand": 4},
			map[string]string{"tokens": "demand", "zero": "demand"},
		},
		"Paused": {
			"Nobody scales by the plan of a paused one.", low, pool(noImages),
			func(w *world) { w.another("bytes", high, paused) },
			map[string]int{"demand": 2},
			nil,
		},
		"Another": {
			"Another target is held for as well.", low, pool(noImages), func(w *world) { w.service("other", high, "") },
			map[string]int{"demand": 2, "other": 4},
			nil,
		},
		"AnotherWithTwo": {
			"By its own Forecasts.", low, pool(noImages), func(w *world) {
				w.service("other", low, "")
				w.another("tokens",
					high, elsewhere)
			},
			map[string]int{"demand": 2, "other": 4},
			map[string]string{"tokens": "other"},
		},
		"Limits": {
			"Limits count it once.", low, pool(noImages, limit), func(w *world) { w.another("tokens", high) },
			map[string]int{"demand": 3},
			map[string]string{"tokens": "demand"},
		},
		"Shared": {
			"So does what is shared with others.", low, pool(noImages), func(w *world) {
				w.another("tokens",
					high)
				w.service("other", high, "")
			},
			map[string]int{"demand": 4, "other": 4},
			map[string]string{"tokens": "demand"},
		},
		"Leads": {
			"Leads that were learned for either count.", strings.Repeat("10 ", 10) + strings.Repeat("50 ", 60), pool(noImages,
				free),
			func(w *world) { w.another("tokens", low, starts) },
			map[string]int{"demand": 5},
			map[string]string{"tokens": "demand"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.plan, tc.pool)
			tc.more(w)
			s := w.look(0)
			if diff := cmp.Diff(tc.held, w.heldFor("bytes", "demand", "other", "tokens", "zero")); diff != "" {
				t.Errorf("\nReason: %s\nplaceholders: -want, +got:\n%s", tc.reason, diff)
			}
			for _, f := range s.Forecasts {
				if f.WarmedBy != tc.by[f.Name] || (f.WarmedBy != "" && (f.Hold != 0 || f.Message != "")) ||
					int(f.Hold) != tc.held[f.Name] {
					t.Errorf("\nReason: %s\n%+v", tc.reason, f)
				}
			}
			if got := reasonOf(s, v1alpha1.ConditionReady); got != "True AsPlanned" {
				t.Errorf("\nReason: %s\nReady is %q", tc.reason, got)
			}
		})
	}
}

// When another plan becomes the largest, the holder stays the same, and nothing is created again.
func TestOneTargetFollowsItsPlansInTurn(t *testing.T) {
	w := newWorld(t, "20 20 20 20 20 50 50 50 20 20 20 20 20 20 20 20", pool(noImages))
	w.another("tokens", "20 20 40 40 40 20 20 20 20 20 20 30 20 20 20 20")
	var held []int
	for minute := range 12 {
		w.look(float64(minute) + 0.5)
		n := w.heldFor("demand", "tokens")
		held = append(held, n["demand"])
		if n["tokens"] != 0 {
			t.Fatalf("minute %d: %v", minute, n)
		}
	}
	// A node takes two minutes.
	if diff := cmp.Diff([]int{4, 4, 4, 5, 5, 5, 5, 5, 2, 3, 3, 3}, held); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if made := strings.Count(fmt.Sprint(w.writes), "create Pod"); made != 4+1+1 {
		t.Errorf("four, one more, and one after a fall are six placeholders, %d were made", made)
	}
}

// When the holder is paused, the next Forecast takes over what is held, and nothing else is left.
func TestTheNextForecastHolds(t *testing.T) {
	w := newWorld(t, steady, pool(noImages))
	w.another("tokens", "40 40 40 40 40 40 40 40")
	w.look(0)
	before := w.ids(names.RolePlaceholder)
	for i, mode := range []v1alpha1.ForecastMode{v1alpha1.ForecastPaused, v1alpha1.ForecastActive} {
		w.setMode(mode)
		s := w.look(0.25 + float64(i)/4)
		held := map[string]int{}
		for _, f := range s.Forecasts {
			held[f.Name] = int(f.Hold)
		}
		want := []map[string]int{{"demand": 0, "tokens": 4}, {"demand": 4, "tokens": 0}}[i]
		if diff := cmp.Diff(want, held); diff != "" || (s.Forecasts[1].WarmedBy == "demand") != (i == 1) ||
			s.Placeholders != 4 {
			t.Errorf("the first is %s: -want, +got:\n%s\n%+v", mode, diff, s)
		}
		if diff := cmp.Diff(before, w.ids(names.RolePlaceholder)); diff != "" {
			t.Errorf("the first is %s: -want, +got:\n%s", mode, diff)
		}
	}
}

// An HPA cannot be read for so long that its Forecast's target is not recalled any more. What stays
// held for it is not held a second time for another Forecast of the target, which otherwise works
// as usual.
func TestOneForecastOfATargetUnread(t *testing.T) {
	for name, buffer := range map[string]bool{"Placeholders": false, "Buffer": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noImages))
			w.mapper.there["CapacityBuffer"] = buffer
			fc := w.forecast(steady)
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(fc), fc))
			fc.Status.CapacityPerReplica.Name = "hpa"
			w.must(w.client.Status().Update(t.Context(), fc))
			w.another("tokens", "10 10 10 10 10 10 10 10 10 10 10 50 50 50 10 10 10 10 10")
			w.look(0)
			w.unread = func(kind string) error {
				if strings.HasSuffix(kind, "HorizontalPodAutoscaler") {
					return errInternal
				}
				return nil
			}
			for i, want := range []int{2, 2, 2, 5} {
				_, _ = w.tryLook(allocate.RecallFor.Minutes() + float64(i) + 1.5)
				if n := w.asked("demand", "tokens"); n != want {
					t.Errorf("minute %d: %d are held for one target, want %d", i, n, want)
				}
			}
			w.unread = nil
			w.look(11)
			w.look(11.25)
			if n := w.asked("demand"); n != 5 || w.asked("demand", "tokens") != 5 {
				t.Errorf("it can be read: %d are held for it, want 5 and nothing else", n)
			}
		})
	}
}

// The replicas of a target count once.
func TestFiguresOfOneTarget(t *testing.T) {
	w := newWorld(t, steady, pool(noImages, func(p *v1alpha1.WarmPool) {
		p.Spec.Nodes.Capacity = map[string]resource.Quantity{"nvidia.com/gpu": resource.MustParse("1")}
	}), node("a"), node("b"))
	w.mapper.there["CapacityBuffer"] = true
	w.another("tokens", steady)
	w.look(0)
	r := w.replica("")
	if s := w.look(1); s.Forecasts[0].Held != 1 {
		t.Errorf("one replica waits for one of two nodes: %+v", s.Forecasts[0])
	}
	w.bind(r, "a")
	s := w.look(2)
	w.look(3)
	m := w.r.metrics
	got := map[string]float64{
		"cold": testutil.ToFloat64(m.placed.WithLabelValues("shop", "warm", "cold")),
		"used": testutil.ToFloat64(m.usedTime.WithLabelValues("shop", "warm", "nvidia.com/gpu")),
	}
	if diff := cmp.Diff(map[string]float64{"cold": 1, "used": 120}, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if len(s.Shared) != 0 {
		t.Errorf("one target shares with nobody: %+v", s.Shared)
	}
}

// Weights are loaded for the Forecast that spec names, by the largest plan, whichever Forecast
// holds.
func TestWeightsOfAJoinedForecast(t *testing.T) {
	loaded := func(p *v1alpha1.WarmPool) {
		p.Spec.Weights = []v1alpha1.WarmWeights{{Forecast: "tokens", Lead: "1m", CronJob: "load"}}
	}
	w := newWorld(t, "10 10 10 50 50 50 50 50 50", pool(noImages, loaded), cronJob("load"))
	w.another("tokens", "10 10 10 10 10 10 10 10 10")
	s := w.look(0.5)
	i := slices.IndexFunc(s.Forecasts, func(f v1alpha1.WarmForecast) bool { return f.Name == "tokens" })
	if f := s.Forecasts[i]; f.Weights != weights.Loading || f.WarmedBy != "demand" {
		t.Errorf("%+v", f)
	}
}
