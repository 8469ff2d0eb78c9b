package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

// The minimum size of the live view.
const (
	minWidth  = 80
	minHeight = 24
)

// view keeps the samples and draws them.
type view struct {
	world         *harness.World
	scenario      scenario
	width, height int

	samples []sample
	begin   map[string]simulator.Account // at the start of the first day
}

// add adds a sample. The accounts of the verdict begin with the first sample of the first day.
func (v *view) add(s sample) {
	v.samples = append(v.samples, s)
	if v.begin == nil && !s.at.Before(v.world.Start) {
		v.begin = map[string]simulator.Account{}
		for name, r := range s.services {
			v.begin[name] = r.Account
		}
	}
}

func (v *view) last() sample { return v.samples[len(v.samples)-1] }

// accounts returns the accounts since the start of the first day.
func (v *view) accounts() map[string]simulator.Account {
	accounts := map[string]simulator.Account{}
	for name, r := range v.last().services {
		if v.begin != nil {
			accounts[name] = r.Account.Sub(v.begin[name])
		}
	}
	return accounts
}

// clock returns the time of the compressed day, such as "Mon 08:20, day 1 of 2".
func (v *view) clock(at time.Time) string {
	days := float64(at.Sub(v.world.Start)) / float64(v.scenario.day)
	day := int(math.Floor(days))
	minutes := int((days - float64(day)) * 24 * 60)
	name := ""
	if v.scenario.trace == "" {
		name = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}[(day%7+7)%7] + " "
	}
	stamp := fmt.Sprintf("%s%02d:%02d", name, minutes/60, minutes%60)
	if day < 0 {
		return stamp + ", the night before"
	}
	return fmt.Sprintf("%s, day %d of %d", stamp, min(day+1, v.scenario.days), v.scenario.days)
}

const lineHeader = "time                    demand |  reactive: metric wanted ready dropped |" +
	" headstart: metric  plan wanted ready dropped"

// line formats the last sample as plain text.
func (v *view) line() string {
	s := v.last()
	accounts := v.accounts()
	a, b := s.services[reactive], s.services[headstart]
	return fmt.Sprintf("%-22s  %6.1f |  %16s %6d %5d %6.2f%% | %17s %5s %6d %5d %6.2f%%", v.clock(s.at), a.Demand,
		number(a.served), a.Wanted, a.Ready, 100*accounts[reactive].Unserved(),
		number(b.served), number(v.planned(b, s.at)), b.Wanted, b.Ready, 100*accounts[headstart].Unserved())
}

func (v *view) planned(r reading, at time.Time) float64 {
	if r.forecast != nil {
		if p, ok := r.forecast.Status.Plan.At(at); ok {
			return p
		}
	}
	return math.NaN()
}

func number(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.0f", x)
}

// frame draws the whole screen.
func (v *view) frame() string {
	s := v.last()
	var lines []string
	title := fmt.Sprintf("%sHeadstart%s  %s   a day lasts %s, a replica takes %s to start", bold, reset, v.clock(s.at),
		short(v.scenario.day), short(v.scenario.warmUp))
	lines = append(lines, title, v.legend())
	rows := (v.height - 10) / 4 * 2 // an even number, so that the label in the middle is half of the one at the top
	ceiling := v.ceiling()
	for _, name := range []string{reactive, headstart} {
		lines = append(lines, v.heading(name, s))
		lines = append(lines, v.chart(name, rows, ceiling)...)
	}
	lines = append(lines, v.axis(), "")
	lines = append(lines, v.table(s)...)
	lines = append(lines, v.access())
	var out strings.Builder
	out.WriteString(home)
	for i, line := range lines[:min(len(lines), v.height)] {
		if i > 0 {
			out.WriteString("\r\n")
		}
		out.WriteString(line + clearLine)
	}
	out.WriteString(clearBelow)
	return out.String()
}

// access says how to look at the cluster. The line that main prints is hidden while this view is
// shown.
func (v *view) access() string {
	line := "export KUBECONFIG=" + v.world.Kubeconfig
	if len(line) > v.width { // half of a path is of no use
		return ""
	}
	return dim + line + reset
}

func (v *view) legend() string {
	return fg(colorServed) + "█" + reset + " served  " + fg(colorDropped) + "█" + reset + " dropped  " +
		fg(colorIdle) + "█" + reset + " idle replicas  " + fg(colorMetric) + "━" + reset + " served metric  " +
		fg(colorPlan) + "╍" + reset + " plan ahead"
}

// heading says what a chart shows, and what the Forecast's status says.
func (v *view) heading(name string, s sample) string {
	what := "HPA on observed demand (Forecast in mode DryRun)"
	if name == headstart {
		what = "HPA on the demand ahead (Forecast in mode Active)"
	}
	line := fmt.Sprintf("%s%-9s%s %s", bold, name, reset, what)
	f := s.services[name].forecast
	if f == nil || name != headstart {
		return line
	}
	if lead := f.Status.LeadTime; lead != nil {
		line += fmt.Sprintf("  lead %s %s", lead.Value, strings.ToLower(lead.Source))
	}
	if peak := f.Status.NextPeak; peak != nil {
		if in := time.Until(peak.Start.Time); in > 0 {
			line += fmt.Sprintf("  %speak %q in %s%s", fg(colorMetric), peak.Window, short(in), reset)
		} else {
			line += fmt.Sprintf("  %speak %q on%s", fg(colorMetric), peak.Window, reset)
		}
	}
	return line
}

// table returns the present figures of both services.
func (v *view) table(s sample) []string {
	lines := []string{fmt.Sprintf("%s%-10s%8s%8s%8s%8s%8s%8s%10s%12s%s", dim, "", "demand", "metric", "plan", "wanted",
		"ready",
		"dropped", "unserved", "replica-h", reset)}
	accounts := v.accounts()
	for _, name := range []string{reactive, headstart} {
		r := s.services[name]
		drop := max(0, r.Demand-float64(r.Ready)*capacity)
		color := ""
		if drop > 0 {
			color = fg(colorDropped)
		}
		unserved := "-"
		if v.begin != nil {
			unserved = fmt.Sprintf("%.2f %%", 100*accounts[name].Unserved())
		}
		lines = append(lines, fmt.Sprintf("%-10s%8.0f%8s%8s%8d%8d%s%8.0f%s%10s%12.0f", name, r.Demand, number(r.served),
			number(v.planned(r, s.at)), r.Wanted, r.Ready, color, drop, reset, unserved,
			accounts[name].ReplicaHours()*24/v.scenario.day.Hours()))
	}
	return lines
}

// short formats 5m0s as 5m.
func short(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		return strings.TrimSuffix(s, "0s")
	}
	return s
}
