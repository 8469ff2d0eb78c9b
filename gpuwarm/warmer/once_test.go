package warmer

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Two WarmPools do not hold twice, and one in mode DryRun does not stop one that is Active. The
// other one is not reconciled here.
func TestOneWarmPoolWarms(t *testing.T) {
	const younger, older = time.Hour, -time.Hour
	active, dry := v1alpha1.WarmPoolActive, v1alpha1.WarmPoolDryRun
	other := func(name string, age time.Duration, mode v1alpha1.WarmPoolMode) *v1alpha1.WarmPool {
		return pool(func(p *v1alpha1.WarmPool) {
			p.Name, p.UID, p.CreationTimestamp, p.Spec.Mode = name, types.UID(name), metav1.NewTime(start.Add(age)), mode
		})
	}
	cases := map[string]struct {
		reason string
		mode   v1alpha1.WarmPoolMode
		others []*v1alpha1.WarmPool
		hold   int32
		held   int
		says   string
	}{
		"Older": {
			"The older one warms.", active,
			[]*v1alpha1.WarmPool{other("other", older, active)},
			0, 0,
			"WarmPool other selects this Forecast as well and is older: it warms for it",
		},
		"Younger": {
			"So it warms for what a younger one selects.", active,
			[]*v1alpha1.WarmPool{other("other", younger, active)},
			5, 5, "",
		},
		"SameAge": {
			"Of two of one age the first by name.", active,
			[]*v1alpha1.WarmPool{other("other", 0, active)},
			0,
			0, "WarmPool other",
		},
		"OlderDryRun": {
			"An older one in DryRun holds nothing.", active,
			[]*v1alpha1.WarmPool{other("other", older, dry)},
			5, 5, "",
		},
		"YoungerActive": {
			"What one in DryRun would do a younger one does.", dry,
			[]*v1alpha1.WarmPool{other("other", younger, active)},
			0, 0,
			"WarmPool other selects this Forecast as well and is Active: it warms for it",
		},
		"BothDryRun": {
			"Of two trials the older one says what it would do.", dry,
			[]*v1alpha1.WarmPool{other("other", older, dry)},
			0, 0, "is older: it would warm for it",
		},
		"YoungerTrial": {"And not the younger one.", dry, []*v1alpha1.WarmPool{other("other", younger, dry)}, 5, 0, ""},
		"Three": {
			"The one that warms is named.", active,
			[]*v1alpha1.WarmPool{other("a", 2*older, dry), other("b", older, active), other("c", 2*older, active)},
			0, 0, "WarmPool c",
		},
		"Selector": {
			"One that selects other Forecasts does not matter.", active,
			[]*v1alpha1.WarmPool{func() *v1alpha1.WarmPool {
				p := other("other", older, active)
				p.Spec.ForecastSelector.MatchLabels = map[string]string{"warm": "no"}
				return p
			}()},
			5, 5, "",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pools := []client.Object{pool(noImages, func(p *v1alpha1.WarmPool) { p.Spec.Mode = tc.mode })}
			for _, p := range tc.others {
				pools = append(pools, p)
			}
			w := newWorld(t, ramp, pools...)
			s := w.look(2)
			if n := len(w.ours(names.RolePlaceholder)); n != tc.held || s.Forecasts[0].Hold != tc.hold ||
				!strings.Contains(s.Forecasts[0].Message, tc.says) || (tc.says == "" && s.Forecasts[0].Message != "") {
				t.Errorf("\nReason: %s\n%d placeholders, want %d of %d; message %q, want %q", tc.reason, n, tc.held, tc.hold,
					s.Forecasts[0].Message, tc.says)
			}
		})
	}
}

// Two WarmPools select different Forecasts of one target. One of them holds for it, by the larger
// plan, and the other one says so.
func TestTwoWarmPoolsOfOneTarget(t *testing.T) {
	const low, high = "20 20 20 20 20 20 20 20", "40 40 40 40 40 40 40 40"
	mine := func(p *v1alpha1.WarmPool) { p.Spec.ForecastSelector.MatchLabels = map[string]string{"warm": "yes"} }
	theirs := func(change ...func(*v1alpha1.WarmPool)) *v1alpha1.WarmPool {
		p := pool(func(p *v1alpha1.WarmPool) {
			p.Name, p.UID, p.CreationTimestamp = "younger", "younger", metav1.NewTime(start.Add(time.Minute))
			p.Spec.ForecastSelector.MatchLabels = map[string]string{"warm": "theirs"}
		})
		for _, f := range change {
			f(p)
		}
		return p
	}
	tokens := func(plan string) func(*world) {
		return func(w *world) {
			w.another("tokens", plan, func(fc *v1alpha1.Forecast) { fc.Labels["warm"] = "theirs" })
		}
	}
	paused := func(w *world) { w.setMode(v1alpha1.ForecastPaused) }
	cases := map[string]struct {
		reason string
		mine   *v1alpha1.WarmPool
		theirs *v1alpha1.WarmPool
		change []func(*world)
		held   [2]int // by the older, and by the younger
		says   bool   // the younger, that the other one does
	}{
		"Resumed": {
			"The younger one releases once the older one holds, and not before.", pool(mine, noImages),
			theirs(noImages),
			[]func(*world){tokens(high), paused, func(w *world) {
				for _, pool := range []string{"warm", "younger"} {
					_, err := w.r.Reconcile(w.t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{
						Namespace: "shop",
						Name:      pool,
					}})
					w.must(err)
				}
				w.setMode(v1alpha1.ForecastActive)
				_, err := w.r.Reconcile(w.t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{
					Namespace: "shop",
					Name:      "younger",
				}})
				w.must(err)
				if n := len(w.ours(names.RolePlaceholder)); n != 4 {
					w.t.Errorf("%d are held before the older one looks, want 4", n)
				}
			}},
			[2]int{4, 0},
			true,
		},
		"Larger": {
			"The older holds by the other's plan, which is larger.", pool(mine, noImages), theirs(noImages),
			[]func(*world){tokens(high)},
			[2]int{4, 0},
			true,
		},
		"Smaller": {
			"Or by its own.", pool(mine, noImages), theirs(noImages),
			[]func(*world){tokens("10 10 10 10 10")},
			[2]int{2, 0},
			true,
		},
		"Covers": {
			"One that does less leaves it to one that does all.", pool(mine, noNodes),
			theirs(noNodes, func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesAuto }),
			[]func(*world){tokens(high)},
			[2]int{0, 4},
			false,
		},
		"Beside": {
			"Where each does what the other does not, both do.", pool(mine, noNodes), theirs(noImages),
			[]func(*world){tokens(high)},
			[2]int{0, 4},
			false,
		},
		"Trial": {
			"A trial holds nothing, so it has no part in " +
				"it.", pool(mine, noImages, func(p *v1alpha1.WarmPool) { p.Spec.Mode = v1alpha1.WarmPoolDryRun }), theirs(noImages),
			[]func(*world){tokens("10 10 10 10 10")},
			[2]int{0, 1},
			false,
		},
		"Paused": {
			"One whose Forecast is paused holds nothing.", pool(mine, noImages), theirs(noImages),
			[]func(*world){tokens(high), paused},
			[2]int{0, 4},
			false,
		},
		"Target": {
			"For another target it holds as well.", pool(mine, noImages), theirs(noImages),
			[]func(*world){tokens(high), func(w *world) {
				fc := w.forecast(low)
				fc.Name = "tokens"
				w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(fc), fc))
				fc.Spec.TargetRef.Name = "other"
				w.must(w.client.Update(w.t.Context(), fc))
				w.service("other", low, "")
				fc.Name = "other"
				w.must(w.client.Delete(w.t.Context(), fc))
			}},
			[2]int{2, 4},
			false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, low, tc.mine, tc.theirs)
			for _, f := range tc.change {
				f(w)
			}
			look := func(pool string, minutes float64) v1alpha1.WarmPoolStatus {
				t.Helper()
				w.clock.SetTime(start.Add(time.Duration(minutes * float64(time.Minute))))
				key := types.NamespacedName{Namespace: "shop", Name: pool}
				_, err := w.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
				w.must(err)
				var p v1alpha1.WarmPool
				w.must(w.client.Get(t.Context(), key, &p))
				return p.Status
			}
			var s v1alpha1.WarmPoolStatus
			for i := range 3 {
				look("warm", 0.5+float64(i)/4)
				s = look("younger", 0.51+float64(i)/4)
			}
			held := [2]int{}
			for _, p := range w.ours(names.RolePlaceholder) {
				if p.Labels[names.LabelPool] == names.Pool("shop", "warm") {
					held[0]++
				} else {
					held[1]++
				}
			}
			if diff := cmp.Diff(tc.held, held); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got:\n%s", tc.reason, diff)
			}
			message := messageOf(s, v1alpha1.ConditionReady)
			if says := strings.Contains(message, "WarmPool warm holds nodes"); says != tc.says ||
				says != (s.Forecasts[0].WarmedBy == "demand") || reasonOf(s, v1alpha1.ConditionReady) != "True AsPlanned" {
				t.Errorf("\nReason: %s\nReady: %s, %+v", tc.reason, message, s.Forecasts)
			}
		})
	}
}
