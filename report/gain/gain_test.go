package gain

import "testing"

func TestSaved(t *testing.T) {
	cases := map[string]struct {
		reason            string
		now, before, want float64
	}{
		"Half":    {"half is gone", 5, 10, 0.5},
		"More":    {"a loss is negative", 15, 10, -0.5},
		"Nothing": {"nothing was paid, and nothing is", 0, 0, 0},
		"New":     {"what was free is no gain", 3, 0, -1},
	}
	for name, tc := range cases {
		if got := saved(tc.now, tc.before); got != tc.want {
			t.Errorf("%s: %s: %v of %v saves %v, want %v", name, tc.reason, tc.now, tc.before, got, tc.want)
		}
	}
}
