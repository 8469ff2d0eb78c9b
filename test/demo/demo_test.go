package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestOptionsRefused(t *testing.T) {
	cases := map[string]struct {
		reason string
		set    func(*options)
		want   string
	}{
		"ShortDay": {
			"a scrape a second must see a day's shape", func(o *options) { o.day = time.Minute },
			"-day 1m0s: must be from 4m",
		},
		"NoDays": {"something must be shown", func(o *options) { o.days = 0 }, "-days 0: must be at least 1"},
		"LongWarm": {
			"the set-up must have room for the first pods", func(o *options) { o.warmUp = time.Minute },
			"-warm-up 1m0s: must be",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := defaultOptions()
			tc.set(&o)
			if err := o.validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: error %v does not have %q", tc.reason, err, tc.want)
			}
		})
	}
	if err := defaultOptions().validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
}

func TestScenario(t *testing.T) {
	o := defaultOptions()
	s, err := o.scenario()
	if err != nil {
		t.Fatal(err)
	}
	if want := (historyDays + 2) * stepsPerDay; len(s.values) != want || s.step != 2*time.Second {
		t.Fatalf("%d steps of %s, want %d of 2s", len(s.values), s.step, want)
	}
	// The sale is in the evening of the second day. The declared peak is as high as its demand.
	ordinary := simulator.DefaultWeek(historyDays+2, stepsPerDay).Values()
	first := historyDays*stepsPerDay + int(s.sale.offset/s.step)
	last := first + int(s.sale.duration/s.step)
	for i := range s.values {
		want := ordinary[i]
		if i >= first && i < last {
			want *= 3
		}
		if s.values[i] != want {
			t.Fatalf("step %d is %v, want %v", i, s.values[i], want)
		}
		if i >= first && i < last && (s.values[i] > s.sale.atLeast || s.sale.atLeast > 40*capacity) {
			t.Fatalf("step %d is %v, the peak declares at least %v", i, s.values[i], s.sale.atLeast)
		}
	}
	if hour := float64(s.sale.offset-s.day) / float64(s.hours(1)); math.Abs(hour-19) > 0.25 {
		t.Errorf("the sale begins %.1f hours into the second day", hour)
	}
	if y := s.peakYAML(start); !strings.Contains(y,
		fmt.Sprintf("start: %q", start.Add(s.sale.offset).Format("2006-01-02T15:04:05"))) {
		t.Errorf("the peak is declared as %s", y)
	}
}

func TestScenarioOfATrace(t *testing.T) {
	write := func(days int) string {
		var csv strings.Builder
		csv.WriteString("timestamp,value\n")
		for m := 0; m <= days*24*60; m += 30 {
			fmt.Fprintf(&csv, "%s,%d\n", start.Add(time.Duration(m)*time.Minute).Format(time.RFC3339), 1+m%(24*60))
		}
		path := filepath.Join(t.TempDir(), "trace.csv")
		if err := os.WriteFile(path, []byte(csv.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	o := defaultOptions()
	o.trace = write(6)
	s, err := o.scenario()
	if err != nil {
		t.Fatal(err)
	}
	if s.pastDays != 4 || len(s.values) != 6*stepsPerDay {
		t.Errorf("%d days past and %d steps of six recorded days, want 4 and %d", s.pastDays, len(s.values), 6*stepsPerDay)
	}
	o.trace = write(3)
	if _, err := o.scenario(); err == nil || !strings.Contains(err.Error(), "at least two more are needed") {
		t.Errorf("a trace of three days gives %v", err)
	}
	o.trace = "no-such-file.csv"
	if _, err := o.scenario(); err == nil || !strings.Contains(err.Error(), "no-such-file.csv") {
		t.Errorf("a missing file gives %v", err)
	}
}

func TestVerdict(t *testing.T) {
	account := func(dropped float64, paid time.Duration) simulator.Account {
		return simulator.Account{
			Offered: 1000, Served: 1000 - dropped, Dropped: dropped, Elapsed: 10 * time.Minute, Paid: paid, Capacity: 10,
		}
	}
	cases := map[string]struct {
		a, b simulator.Account
		want string
	}{
		"Better": {
			account(200, time.Hour), account(20, 66*time.Minute),
			"dropped 1/10 of what the reactive one did, at 1.10 times",
		},
		"NothingLost": {account(200, time.Hour), account(0, 66*time.Minute), "dropped nothing, at 1.10 times"},
		"Worse":       {account(20, time.Hour), account(50, time.Hour), "dropped 2.5 times as much as the reactive one"},
		"Both":        {account(0, time.Hour), account(0, time.Hour), "Both served everything"},
	}
	s := scenario{options: defaultOptions()}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := verdict(map[string]simulator.Account{reactive: tc.a, headstart: tc.b}, s)
			if !strings.Contains(got, tc.want) {
				t.Errorf("verdict does not have %q:\n%s", tc.want, got)
			}
		})
	}
}

// TestFrame draws a whole screen at several sizes. It must fit on the terminal.
func TestFrame(t *testing.T) {
	o := defaultOptions()
	s, err := o.scenario()
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{minWidth, minHeight}, {100, 30}, {211, 55}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			cluster := &controlplane.ControlPlane{Kubeconfig: "/tmp/admin.kubeconfig"}
			world := &harness.World{ControlPlane: cluster, Start: start}
			v := &view{world: world, scenario: s, width: size[0], height: size[1]}
			for sec := range 300 {
				at := start.Add(time.Duration(sec-30) * time.Second)
				ready := 10 + sec/20
				r := reading{
					State:  simulator.State{Demand: 100 + float64(sec)/2, Ready: ready, Wanted: ready},
					served: 120 + float64(sec)/2,
				}
				v.add(sample{at: at, services: map[string]reading{reactive: r, headstart: r}})
			}
			frame := v.frame()
			lines := strings.Split(escapes.ReplaceAllString(frame, ""), "\r\n")
			if len(lines) > size[1] {
				t.Errorf("%d lines on a terminal of %d", len(lines), size[1])
			}
			for _, line := range lines {
				if n := len([]rune(line)); n > size[0] {
					t.Errorf("%d columns on a terminal of %d: %q", n, size[0], line)
				}
			}
			for _, want := range []string{"day 1 of 2", "▲now", "━", "█", "KUBECONFIG=/tmp/admin.kubeconfig"} {
				if !strings.Contains(frame, want) {
					t.Errorf("the screen does not have %q", want)
				}
			}
		})
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

func TestCell(t *testing.T) {
	nan := math.NaN()
	cases := map[string]struct {
		reason string
		column column
		want   string // without colours
		color  int
	}{
		"Served":  {"demand and replicas fill the cell", column{30, 40, nan, nan}, "█", colorServed},
		"Idle":    {"replicas without demand", column{5, 40, nan, nan}, "█", colorIdle},
		"Dropped": {"demand without replicas", column{40, 5, nan, nan}, "█", colorDropped},
		"Half":    {"served up to the middle, nothing above", column{15, 15, nan, nan}, "▄", colorServed},
		"Empty":   {"the column ends below", column{5, 5, nan, nan}, " ", -1},
		"Metric":  {"the metric is drawn over all", column{30, 30, 15, nan}, "━", colorMetric},
		"Plan":    {"what is planned", column{nan, nan, nan, 15}, "╍", colorPlan},
		"Nothing": {"not sampled", nothing, " ", -1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := tc.column.cell(10, 20)
			if plain := escapes.ReplaceAllString(got, ""); plain != tc.want {
				t.Errorf("%s: cell is %q, want %q", tc.reason, plain, tc.want)
			}
			if tc.color >= 0 && !strings.Contains(got, fg(tc.color)) {
				t.Errorf("%s: cell %q does not have color %d", tc.reason, got, tc.color)
			}
		})
	}
}
