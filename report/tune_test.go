package report

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"
)

// Without enough values to tune on, no policy is called the best of the history. On a gap every
// headroom costs nothing, and half of the demand would be picked: a straw man.
func TestTuningNeedsValues(t *testing.T) {
	const from = 14 * 24
	cases := map[string]struct {
		reason   string
		from, to int // the gap
		tuned    bool
		why      string
		doubt    string
	}{
		"Whole":     {"two weeks with a value each hour", 0, 0, true, "", ""},
		"ShortGap":  {"a day without values is no reason", from - 30, from - 6, true, "", ""},
		"LastThird": {"the part to tune on is a gap", from * 2 / 3, from - 6, false, "too few values", ""},
		"Young":     {"the service is a day old", 0, from - 24, false, "too few values", "only 1d of the history"},
		"Known":     {"values only in the part to tune on", 0, from * 2 / 3, false, "too few values", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			values := make([]float64, from+7*24)
			for i := range values {
				values[i] = 60 + 40*math.Sin(2*math.Pi*float64(i)/24)
			}
			for i := tc.from; i < tc.to; i++ {
				values[i] = math.NaN()
			}
			o := optionsFor(values, from)
			o.Series.Step, o.Lead, o.Headroom = time.Hour, time.Hour, true
			o.Policies = []string{PolicyHPA, PolicyReactive, PolicyStatic, PolicyOracle}
			r, err := Run(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			today, ok := r.today()
			if !ok || today.Tuned != tc.tuned || !strings.Contains(today.Why, tc.why) {
				t.Errorf("%s: %s tuned %v, %q", tc.reason, today.Policy, today.Tuned, today.Why)
			}
			doubts := strings.Join(r.doubts(*today.Figures), "; ")
			if !strings.Contains(doubts, tc.doubt) || tc.doubt == "" && strings.Contains(doubts, "have a value") {
				t.Errorf("%s: doubts %q", tc.reason, doubts)
			}
		})
	}
}
