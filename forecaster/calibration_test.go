package forecaster

import (
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/closedloop"
)

// calibrated is how a service level was kept on the second half of a series.
type calibrated struct {
	covered  float64 // share of lead windows
	worst    float64 // the same in the worst part of the day
	pinball  float64 // loss
	uncalPin float64 // loss of the estimate before its margin
}

func calibrate(t *testing.T, s Series, lead int, level float64) calibrated {
	f := mustNew(t, Options{Step: s.Step, Lead: lead, Contract: Contract{ServiceLevel: level}})
	half := len(s.Values) / 2
	if err := f.Start(Series{Start: s.Start, Step: s.Step, Values: s.Values[:half]}); err != nil {
		t.Fatal(err)
	}
	full := closedloop.Hold(s.Values)
	day := int(24 * time.Hour / s.Step)
	var c calibrated
	var all tally
	var parts [6]tally
	for i := half; i+lead < len(full); i++ {
		top := maxOf(full[i : i+lead+1])
		tk := f.state.track
		plain := tk.unit * tk.exp(tk.level[tk.n()]+f.state.served.estimates[0])
		if !slices.ContainsFunc(s.Values[i:i+lead+1], math.IsNaN) {
			cover := f.Outlook().Cover[0]
			all.add(top <= cover*(1+1e-9))
			parts[i%day*6/day].add(top <= cover*(1+1e-9))
			c.pinball += pinball(top, cover, level)
			c.uncalPin += pinball(top, plain, level)
		}
		if err := f.Update(s.Values[i]); err != nil {
			t.Fatal(err)
		}
	}
	c.covered, c.worst = all.share(), 1
	for _, p := range parts {
		c.worst = math.Min(c.worst, p.share())
	}
	return c
}

// TestCalibration holds the service level on generated demand, and with HEADSTART_BARS=1 on the open traces.
func TestCalibration(t *testing.T) {
	s := Series{Start: epoch, Step: 10 * time.Minute, Values: wave(144*16, 144, 9)}
	if c := calibrate(t, s, 1, 0.95); math.Abs(c.covered-0.95) > 0.02 {
		t.Errorf("covered %.3f of the lead windows, want 0.95", c.covered)
	}
	if os.Getenv("HEADSTART_BARS") == "" {
		t.Log("the open traces were left out: set HEADSTART_BARS=1 to measure them")
		return
	}
	shared, err := closedloop.Shared()
	if err != nil {
		t.Fatal(err)
	}
	for _, bar := range []struct{ level, mean, each, worst float64 }{{0.9, 1, 3, 4.5}, {0.95, 1, 3, 3}, {0.99, 0.5, 1, 2}} {
		var off, under, loss, n float64
		for _, k := range closedloop.Cases() {
			tr, err := k.Open(shared)
			if err != nil {
				t.Fatal(err)
			}
			if time.Duration(len(tr.Raw))*tr.Step < 14*24*time.Hour {
				continue
			}
			c := calibrate(t, Series{Start: tr.Start, Step: tr.Step, Values: tr.Raw}, tr.Lead, bar.level)
			d := 100 * math.Abs(c.covered-bar.level)
			t.Logf("%.2f %-40s covered %.2f %%, worst part of the day %.2f %%, pinball %.3f of the uncalibrated", bar.level, k.Name, 100*c.covered, 100*c.worst, c.pinball/c.uncalPin)
			if d > bar.each {
				t.Errorf("%.2f %s: off by %.2f points, at most %.1f are allowed", bar.level, k.Name, d, bar.each)
			}
			off += d
			under += 100 * (bar.level - c.worst)
			loss += math.Log(c.pinball / c.uncalPin)
			n++
		}
		t.Logf("%.2f: off by %.2f points on average, worst part %.2f under, pinball %.3f of the uncalibrated", bar.level, off/n, under/n, math.Exp(loss/n))
		if off/n > bar.mean || under/n > bar.worst || math.Exp(loss/n) > 1.03 {
			t.Errorf("%.2f: the bar is %.1f, %.1f and 1.03", bar.level, bar.mean, bar.worst)
		}
	}
}
