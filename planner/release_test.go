package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
)

// releasing is the step of a Forecast that plans the overflow of another cluster, in steps of a
// minute.
func releasing(window time.Duration, lead int) StepInput {
	in := StepInput{Lead: time.Duration(lead) * time.Minute}
	in.Settings = Settings{Step: time.Minute, OverflowOf: &OverflowOf{}}
	in.Settings.Scaling = Scaling{HoldsFor: window, Ramp: Ramp{Sync: 15 * time.Second}}
	return in
}

func TestReleaseEarly(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     StepInput
		values []float64
		want   []float64
	}{
		"Falls": {
			reason: "the HPA holds for two minutes and a half, so the plan falls two steps early",
			in:     releasing(150*time.Second, 5),
			values: []float64{0, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0},
			want:   []float64{0, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0},
		},
		"InSteps": {
			reason: "it falls to what is needed then",
			in:     releasing(150*time.Second, 5),
			values: []float64{9, 9, 9, 9, 9, 9, 6, 6, 3, 3, 3, 3, 3},
			want:   []float64{9, 9, 9, 9, 6, 6, 3, 3, 3, 3, 3, 3, 3},
		},
		"RisesAgain": {
			reason: "what rises again within the window is not given up in between, as the HPA would not",
			in:     releasing(150*time.Second, 5),
			values: []float64{9, 9, 9, 9, 9, 9, 0, 0, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0},
			want:   []float64{9, 9, 9, 9, 9, 9, 0, 0, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0},
		},
		"ShortLead": {
			reason: "a rise lasts for a lead, and must be seen: it falls early by less than a lead",
			in:     releasing(10*time.Minute, 2), values: []float64{9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
			want: []float64{9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		},
		"End": {
			reason: "what comes after the plan is not known", in: releasing(150*time.Second, 5),
			values: []float64{9, 9, 9, 0}, want: []float64{9, 9, 9, 0},
		},
		"NoHold": {
			reason: "without a window nothing is held", in: releasing(0, 5),
			values: []float64{9, 9, 0, 0, 0}, want: []float64{9, 9, 0, 0, 0},
		},
		"OneStep": {
			reason: "a window within a step holds for none", in: releasing(time.Minute, 5),
			values: []float64{9, 9, 0, 0, 0}, want: []float64{9, 9, 0, 0, 0},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.in.releaseEarly(tc.values)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	own := releasing(150*time.Second, 5)
	own.Settings.HasDemand = true
	values := cases["Falls"].values
	if diff := cmp.Diff(values, own.releaseEarly(values)); diff != "" {
		t.Errorf("a Forecast with demand of its own falls early: -want, +got:\n%s", diff)
	}
}

// Whenever the HPA syncs, it has the replicas that the whole plan asks for at that instant, and it
// does not keep more than with the whole plan.
func TestReleaseEarlyKeepsWhatIsNeeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lead := rapid.IntRange(0, 8).Draw(t, "lead")
		window := time.Duration(rapid.IntRange(0, 600).Draw(t, "window")) * time.Second
		in := releasing(window, lead)
		in.Settings.Scaling.Ramp.Sync = time.Duration(rapid.IntRange(5, 90).Draw(t, "sync")) * time.Second
		// Nothing overflows at first: a demand that is known before it begins.
		demand := append(make([]float64, lead+2), rapid.SliceOfN(rapid.Float64Range(0, 9), 1, 60).Draw(t, "demand")...)
		whole := slidingMax(demand, len(demand), lead+1)
		early := in.releaseEarly(whole)
		sync, phase := in.Settings.Scaling.Ramp.Sync, time.Duration(rapid.IntRange(0, 89).Draw(t, "phase"))*time.Second
		// held is what an HPA that reads these values has at an instant.
		held := func(values []float64, now time.Duration) float64 {
			most := 0.0
			for at := phase % sync; at <= now; at += sync {
				if at == now || now-at < window {
					most = max(most, values[at/time.Minute])
				}
			}
			return most
		}
		for now := phase % sync; int(now/time.Minute) < len(whole); now += sync {
			needed, got := whole[now/time.Minute], held(early, now)
			if got < needed {
				t.Fatalf("%s: %v are held, and %v are needed", now, got, needed)
			}
			if most := held(whole, now); got > most {
				t.Fatalf("%s: %v are held, and %v by the whole plan", now, got, most)
			}
		}
	})
}

// Only a window that the HPA itself states is known.
func TestHoldsFor(t *testing.T) {
	fc := &v1alpha1.Forecast{}
	fc.Namespace, fc.Name = "shop", "web"
	hpa := hpaReading("web", "web", func(*autoscalingv2.HorizontalPodAutoscaler) {})
	if s := ReadHPAs([]autoscalingv2.HorizontalPodAutoscaler{hpa}, fc, 0); s.HoldsFor != 0 || s.Name == "" {
		t.Errorf("an HPA without behavior holds for %s", s.HoldsFor)
	}
	hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
		ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(60))},
	}
	if s := ReadHPAs([]autoscalingv2.HorizontalPodAutoscaler{hpa}, fc, 0); s.HoldsFor != time.Minute {
		t.Errorf("an HPA with a window of a minute holds for %s", s.HoldsFor)
	}
	longer, unstated := *hpa.DeepCopy(), hpaReading("a", "web", func(*autoscalingv2.HorizontalPodAutoscaler) {})
	longer.Name = "a" // First by name.
	longer.Spec.Behavior.ScaleDown.StabilizationWindowSeconds = new(int32(600))
	for name, tc := range map[string]struct {
		second autoscalingv2.HorizontalPodAutoscaler
		want   time.Duration
	}{
		"the shorter window of two is sure": {longer, time.Minute},
		"one that states none is not known": {unstated, 0},
	} {
		for _, all := range [][]autoscalingv2.HorizontalPodAutoscaler{{hpa, tc.second}, {tc.second, hpa}} {
			if s := ReadHPAs(all, fc, 0); s.HoldsFor != tc.want {
				t.Errorf("%s: %s, want %s", name, s.HoldsFor, tc.want)
			}
		}
	}
}
