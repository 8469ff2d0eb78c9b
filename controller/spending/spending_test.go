package spending

import (
	"math"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/internal/conditions"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/spend"
)

func TestSetCondition(t *testing.T) {
	set := planner.Settings{AtMost: 2, Contract: forecaster.Contract{ServiceLevel: 0.99}}
	const week = 7 * 24 * time.Hour
	for name, tc := range map[string]struct {
		reason   string
		figures  *spend.Figures
		capacity float64
		limited  bool
		status   metav1.ConditionStatus
		want     string
		says     string
	}{
		"NoCapacity": {"no replica-hours", nil, 0, false, metav1.ConditionUnknown, "CapacityUnknown", "capacityPerReplica"},
		"Nothing":    {"no plan yet", nil, 5, false, metav1.ConditionUnknown, "NothingCounted", ""},
		"Within": {
			"all is kept", &spend.Figures{Keep: spend.All, Counted: week, Ratio: 1.5, Full: 1.5}, 5, false,
			metav1.ConditionFalse, "WithinBound", "the last 7 days asked for 1.50 times",
		},
		"Young": {
			"so much was counted", &spend.Figures{Keep: spend.All, Counted: 90 * time.Minute, Ratio: 1.5, Full: 1.5}, 5,
			false, metav1.ConditionFalse, "WithinBound", "the 2 hours so far asked for 1.50 times",
		},
		"Lowered": {
			"ratio, bound, level and price", &spend.Figures{Keep: 1.4, Counted: week, Ratio: 2, Full: 3.104, Reachable: 0.93125},
			5, false, metav1.ConditionTrue, "LevelLowered",
			"provisionFor.atMost is 2: the plan is lowered, and reaches a service level of 0.931; " +
				"the whole service level of 0.99 asks for 3.10 times",
		},
		"LevelUnknown": {
			"too few windows", &spend.Figures{Keep: 1.4, Counted: week, Ratio: 2, Full: 3, Reachable: math.NaN()}, 5, false,
			metav1.ConditionTrue, "LevelLowered", "is not known yet",
		},
		"StillNear": {
			"it does not turn all the time", &spend.Figures{Keep: spend.All, Counted: week, Ratio: 1.95, Full: 1.95}, 5, true,
			metav1.ConditionTrue, "LevelLowered", "",
		},
		"FarAgain": {
			"it turns back", &spend.Figures{Keep: spend.All, Counted: week, Ratio: 1.8, Full: 1.8}, 5, true,
			metav1.ConditionFalse, "WithinBound", "",
		},
		"Exceeded": {
			"people asked for it", &spend.Figures{Counted: week, Ratio: 3, Full: 4, Excess: 0.5}, 5, false,
			metav1.ConditionTrue, "BoundExceeded", "declared peaks",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s conditions.Set
			SetCondition(&s, set, tc.figures, tc.capacity, tc.limited)
			got := s.Get("SpendLimited")
			if got.Status != tc.status || got.Reason != tc.want || !strings.Contains(got.Message, tc.says) {
				t.Errorf("%s: %+v, want %s with %s that says %q", tc.reason, got, tc.status, tc.want, tc.says)
			}
			if strings.Contains(got.Message, "NaN") {
				t.Errorf("the message has no number: %s", got.Message)
			}
		})
	}
}

// Nothing is in status before something was counted.
func TestStatus(t *testing.T) {
	var l spend.Ledger
	if got := Status(&l, l.Figures()); got != nil {
		t.Errorf("nothing was counted, and status has %+v", got)
	}
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	l.Keep(at, spend.Bound{AtMost: 2, Level: 0.99})
	l.Count(spend.Step{
		At: at, Length: time.Minute, Demand: 1,
		Replicas: spend.Replicas{Asked: 3, Reactive: 2, Full: 3, Expected: 2}, Window: spend.Window{Steps: 1},
	})
	got := Status(&l, l.Figures())
	if got == nil || got.Ratio != "1.5" || got.Unbounded != "1.5" || got.Reachable != "" {
		t.Fatalf("status has %+v", got)
	}
	restored := planner.RestoreSpend(got, at)
	if restored.Record() != l.Record() {
		t.Errorf("%+v is restored from status, want %+v", restored.Record(), l.Record())
	}
}
