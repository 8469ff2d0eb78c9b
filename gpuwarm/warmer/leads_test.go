package warmer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

// Leads that spec does not give are learned, and are not forgotten once everything is warm. A given
// lead was not learned.
func TestLeads(t *testing.T) {
	type leads struct{ Node, Image, LearnedNode, LearnedImage v1alpha1.Duration }
	type step func(*testing.T, *world)
	seen := func(starts ...v1alpha1.StartRecord) step {
		return func(t *testing.T, w *world) {
			t.Helper()
			fc := w.forecast(steady)
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(fc), fc))
			fc.Status.LeadTime = &v1alpha1.LeadTimeStatus{RecentStarts: starts}
			w.must(w.client.Status().Update(t.Context(), fc))
		}
	}
	three := seen(v1alpha1.StartRecord{NodeSeconds: 90, PullSeconds: 20},
		v1alpha1.StartRecord{NodeSeconds: 100, PullSeconds: 30}, v1alpha1.StartRecord{NodeSeconds: 120, PullSeconds: 40})
	slower := seen(v1alpha1.StartRecord{NodeSeconds: 600}, v1alpha1.StartRecord{NodeSeconds: 600},
		v1alpha1.StartRecord{NodeSeconds: 600})
	endless := seen(v1alpha1.StartRecord{NodeSeconds: 7200}, v1alpha1.StartRecord{NodeSeconds: 7200},
		v1alpha1.StartRecord{NodeSeconds: 7200})
	none := seen()
	change := func(change func(*v1alpha1.WarmPoolSpec)) step {
		return func(t *testing.T, w *world) {
			t.Helper()
			p := pool()
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(p), p))
			change(&p.Spec)
			w.must(w.client.Update(t.Context(), p))
		}
	}
	give := change(func(s *v1alpha1.WarmPoolSpec) { s.Nodes.Lead, s.Images.Lead = "7m", "8m" })
	take := change(func(s *v1alpha1.WarmPoolSpec) { s.Nodes.Lead, s.Images.Lead = "", "" })
	off := change(func(s *v1alpha1.WarmPoolSpec) {
		s.Nodes.Policy, s.Images.Policy = v1alpha1.WarmNodesOff, v1alpha1.WarmImagesOff
	})
	auto := change(func(s *v1alpha1.WarmPoolSpec) {
		s.Nodes.Policy, s.Images.Policy = v1alpha1.WarmNodesAuto, v1alpha1.WarmImagesAuto
	})
	mode := func(m v1alpha1.ForecastMode) step { return func(_ *testing.T, w *world) { w.setMode(m) } }
	unread := func(err error) step {
		return func(_ *testing.T, w *world) {
			w.unread = func(kind string) error {
				if kind == "Deployment" {
					return err
				}
				return nil
			}
		}
	}
	learned := leads{"2m", "40s", "2m", "40s"}
	cases := map[string]struct {
		reason string
		steps  []step // a look after each
		want   leads
	}{
		"Assumed": {"Nothing is known.", []step{none}, leads{"5m", "15m", "", ""}},
		"Learned": {"Three starts were seen.", []step{three}, learned},
		"AllWarm": {"All starts are warm since.", []step{three, none}, learned},
		"Newer": {
			"New measurements replace old ones, each lead separately.",
			[]step{three, none, slower},
			leads{"10m", "40s", "10m", "40s"},
		},
		"Believed": {"An hour is the longest that is believed.", []step{endless, none}, leads{"1h", "15m", "1h", ""}},
		"Given":    {"What is given counts before what was learned.", []step{three, give}, leads{"7m", "8m", "2m", "40s"}},
		"GivenOnce": {
			"What was given is given no more: nothing was learned.", []step{give, take}, leads{"5m", "15m", "", ""},
		},
		"GivenMean": {"And what was learned before counts again.", []step{three, none, give, take}, learned},
		"Off": {
			"Nothing is warmed, and so nothing ahead of that.",
			[]step{three, none, off},
			leads{"0s", "0s", "2m", "40s"},
		},
		"OffMean": {"And then something is again.", []step{three, none, off, auto}, learned},
		"Paused": {
			"It is not warmed for a paused Forecast.",
			[]step{three, none, mode(v1alpha1.ForecastPaused)},
			leads{"", "", "2m", "40s"},
		},
		"Resumed": {"And then it is again.", []step{
			three, none, mode(v1alpha1.ForecastPaused),
			mode(v1alpha1.ForecastActive),
		}, learned},
		"Unread": {"The target cannot be read for a while.", []step{
			three, none, unread(errInternal), unread(errInternal),
			unread(nil),
		}, learned},
		"Meanwhile": {
			"What is seen while it cannot be is not lost.",
			[]step{three, unread(errInternal), slower, none, unread(nil)},
			leads{"10m", "40s", "10m", "40s"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Lead, p.Spec.Images.Lead = "", "" }))
			for i, do := range tc.steps {
				do(t, w)
				_, err := w.tryLook(float64(i) / 4)
				if err != nil && w.unread == nil {
					t.Fatal(err)
				}
			}
			f := w.now().Forecasts[0]
			if diff := cmp.Diff(tc.want, leads{f.NodeLead, f.ImageLead, f.LearnedNodeLead, f.LearnedImageLead}); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// Status names 64 Forecasts. What was learned and is held for one more is not forgotten either.
func TestForecastsBeyondStatusAreRemembered(t *testing.T) {
	w := newWorld(t, strings.Repeat("10 ", 10)+strings.Repeat("50 ", 60),
		pool(noImages, func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Lead = "" }))
	w.mapper.there["CapacityBuffer"] = true
	for i := range 64 {
		fc := w.forecast(steady)
		fc.Name, fc.Spec.Mode = fmt.Sprint("a", i), v1alpha1.ForecastPaused
		w.must(w.client.Create(t.Context(), fc))
	}
	fc := w.forecast(steady)
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(fc), fc))
	slow := v1alpha1.StartRecord{NodeSeconds: 1200}
	for _, starts := range [][]v1alpha1.StartRecord{{slow, slow, slow}, nil} {
		fc.Status.LeadTime = &v1alpha1.LeadTimeStatus{RecentStarts: starts}
		w.must(w.client.Status().Update(t.Context(), fc))
		if s := w.look(0); len(s.Forecasts) != 64 || w.asked("demand") != 5 {
			t.Errorf("five are needed within the 20 minutes that a node takes, %d are held, by the starts %v",
				w.asked("demand"), starts)
		}
	}
	before := testutil.ToFloat64(w.r.metrics.heldTime.WithLabelValues("shop", "warm", "nvidia.com/gpu"))
	for i := range 5 {
		w.must(w.client.Create(t.Context(), node(fmt.Sprint("n", i))))
	}
	w.r.opts.Client = hiding{w.client, "model"}
	_, _ = w.tryLook(1)
	_, _ = w.tryLook(2)
	if got := testutil.ToFloat64(w.r.metrics.heldTime.WithLabelValues("shop", "warm",
		"nvidia.com/gpu")) - before; got != 5*120 {
		t.Errorf("five GPUs that stay held for two minutes are %v GPU-seconds", got)
	}
}
