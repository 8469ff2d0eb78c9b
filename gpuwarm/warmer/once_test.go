package warmer

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

// Two WarmPools do not hold twice, and one that only tries keeps none that acts from it. The other one is not reconciled here.
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
		"Older":         {"The older one warms.", active, []*v1alpha1.WarmPool{other("other", older, active)}, 0, 0, "WarmPool other selects this Forecast as well and is older: it warms for it"},
		"Younger":       {"So it warms for what a younger one selects.", active, []*v1alpha1.WarmPool{other("other", younger, active)}, 5, 5, ""},
		"SameAge":       {"Of two of one age the first by name.", active, []*v1alpha1.WarmPool{other("other", 0, active)}, 0, 0, "WarmPool other"},
		"OlderDryRun":   {"An older one in DryRun holds nothing.", active, []*v1alpha1.WarmPool{other("other", older, dry)}, 5, 5, ""},
		"YoungerActive": {"What one in DryRun would do a younger one does.", dry, []*v1alpha1.WarmPool{other("other", younger, active)}, 0, 0, "WarmPool other selects this Forecast as well and is Active: it warms for it"},
		"BothDryRun":    {"Of two trials the older one says what it would do.", dry, []*v1alpha1.WarmPool{other("other", older, dry)}, 0, 0, "is older: it would warm for it"},
		"YoungerTrial":  {"And not the younger one.", dry, []*v1alpha1.WarmPool{other("other", younger, dry)}, 5, 0, ""},
		"Three": {
			"The one that warms is named.", active,
			[]*v1alpha1.WarmPool{other("a", 2*older, dry), other("b", older, active), other("c", 2*older, active)},
			0, 0, "WarmPool c",
		},
		"Selector": {"One that selects other Forecasts has no say.", active, []*v1alpha1.WarmPool{func() *v1alpha1.WarmPool {
			p := other("other", older, active)
			p.Spec.ForecastSelector.MatchLabels = map[string]string{"warm": "no"}
			return p
		}()}, 5, 5, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pools := []client.Object{pool(noImages, func(p *v1alpha1.WarmPool) { p.Spec.Mode = tc.mode })}
			for _, p := range tc.others {
				pools = append(pools, p)
			}
			w := newWorld(t, ramp, pools...)
			s := w.look(2)
			if n := len(w.ours(rolePlaceholder)); n != tc.held || s.Forecasts[0].Hold != tc.hold || !strings.Contains(s.Forecasts[0].Message, tc.says) || (tc.says == "" && s.Forecasts[0].Message != "") {
				t.Errorf("\nReason: %s\n%d placeholders, want %d of %d; message %q, want %q", tc.reason, n, tc.held, tc.hold, s.Forecasts[0].Message, tc.says)
			}
		})
	}
}
