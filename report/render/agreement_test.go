package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/history/csvfile"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/frontier"
	"headstart.dev/headstart/report/verdict"
)

// invented returns four weeks of hours: a daily wave of some height, noise, bursts, and a level
// that may change.
func invented(seed uint64) history.Series {
	r := rand.New(rand.NewPCG(seed, 7))
	wave, noise, bursts, shift := r.Float64(), 0.3*r.Float64(), 0.03*r.Float64(), 1+r.Float64()
	values := make([]float64, 28*24)
	for i := range values {
		v := 100 * (1 - wave*math.Cos(2*math.Pi*float64(i)/24)) * math.Exp(noise*r.NormFloat64())
		if r.Float64() < bursts {
			v *= 3
		}
		if i > 20*24 && seed%3 == 0 {
			v *= shift
		}
		values[i] = v
	}
	return history.Series{Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Step: time.Hour, Values: values}
}

// For many traces and both contracts, the answer is the one that follows from the table that is
// printed, and the headline from the frontier. HEADSTART_AGREEMENT is the number of traces.
func TestAnswerAgreesWithTheTable(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("HEADSTART_AGREEMENT"))
	if err != nil {
		n = 6
	}
	if testing.Short() {
		n = min(n, 2)
	}
	seen := map[string]int{}
	for seed := range uint64(n) {
		for _, c := range []forecaster.Contract{{ShortageCost: 20}, {ServiceLevel: 0.99}} {
			o := report.DefaultOptions()
			o.Series, o.Contract, o.Lead, o.Capacity = invented(seed), c, time.Hour, 5+float64(seed%4)
			o.From = len(o.Series.Values) / 2
			r, err := report.Run(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("seed %d, %+v", seed, c)
			for _, problem := range disagreements(r) {
				t.Errorf("%s: %s", name, problem)
			}
			seen[r.Decision.Advice.String()]++
		}
	}
	t.Log(seen)
	if len(seen) < 2 && !testing.Short() {
		t.Errorf("the traces have only the answers %v", seen)
	}
}

// The same for traces of your own. HEADSTART_TRACES names a CSV file with a line for each: file,
// lead, and the history before the replay, such as web.csv.gz,10m,14d. A replica serves a twentieth
// of the mean demand of that history.
func TestAnswerAgreesWithTheTableOfTraces(t *testing.T) {
	list := os.Getenv("HEADSTART_TRACES")
	if list == "" {
		t.Log("HEADSTART_TRACES names no traces: the invented ones are checked above")
		return
	}
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var lead, past v1alpha1.Duration
		words := strings.Split(strings.TrimSpace(line), ",")
		path := words[0]
		lead, past = v1alpha1.Duration(words[1]), v1alpha1.Duration(words[2])
		for _, c := range []forecaster.Contract{{ShortageCost: 20}, {ServiceLevel: 0.99}} {
			t.Run(fmt.Sprintf("%s %+v", filepath.Base(path), c), func(t *testing.T) {
				all, err := csvfile.Open(path, csvfile.Options{})
				if err != nil {
					t.Fatal(err)
				}
				o := report.DefaultOptions()
				o.Series, o.Contract = all[0].Series, c
				o.Lead, err = lead.Parse()
				span, pastErr := past.Parse()
				if err := errors.Join(err, pastErr); err != nil {
					t.Fatal(err)
				}
				o.From = int(span / o.Series.Step)
				sum, n := 0.0, 0.0
				for _, v := range o.Series.Values[:o.From] {
					if !math.IsNaN(v) {
						sum, n = sum+v, n+1
					}
				}
				o.Capacity = sum / n / 20
				r, err := report.Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				for _, problem := range disagreements(r) {
					t.Error(problem)
				}
				t.Logf("%s %s", r.Verdict, r.Headline[0])
			})
		}
	}
}

// The test can fail: it notices an answer that the table does not support.
func TestDisagreementIsNoticed(t *testing.T) {
	o := report.DefaultOptions()
	o.Series, o.Contract = invented(1), forecaster.Contract{ShortageCost: 20}
	o.Lead, o.Capacity, o.From = time.Hour, 5, 14*24
	r, err := report.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	r.Decision.Advice = map[verdict.Advice]verdict.Advice{
		verdict.SwitchOn: verdict.LeaveOff, verdict.TryDryRun: verdict.SwitchOn, verdict.LeaveOff: verdict.TryDryRun,
	}[r.Decision.Advice]
	*r.Baseline.HeadstartHours *= 1.02
	if problems := disagreements(r); len(problems) < 2 {
		t.Errorf("only %q were noticed", problems)
	}
}

// disagreements compares the answer with what follows from the printed report.
func disagreements(r *report.Report) []string {
	var b bytes.Buffer
	if err := Report(r).Text(&b, TextOptions{NoChart: true}); err != nil {
		return []string{err.Error()}
	}
	var out []string
	if want := derived(b.String(), r); want != string(r.Decision.Advice) {
		out = append(out, fmt.Sprintf("the answer is %s, and %s follows from\n%s", r.Decision.Advice, want, b.String()))
	}
	head, _ := r.Result(report.PolicyHeadstart)
	if h := r.Baseline.HeadstartHours; h != nil {
		if got := onLine(head.Frontier, r.Baseline.Unserved); math.Abs(got / *h - 1) > 0.001 {
			out = append(out, fmt.Sprintf("the headline has %v replica-hours, and the frontier %v", *h, got))
		}
	}
	for _, p := range r.Policies {
		for i := 1; i < len(p.Frontier); i++ {
			a, b := p.Frontier[i-1], p.Frontier[i]
			if b.ReplicaHours <= a.ReplicaHours || b.Unserved >= a.Unserved {
				out = append(out, fmt.Sprintf("the frontier of %s is not monotone: %v, %v", p.Policy, a, b))
			}
		}
	}
	return out
}

// onLine reads a frontier as a reader with a ruler would.
func onLine(line frontier.Line, unserved float64) float64 {
	if unserved >= line[0].Unserved {
		return line[0].ReplicaHours
	}
	for i := 1; i < len(line); i++ {
		a, b := line[i-1], line[i]
		if a.Unserved >= unserved && unserved >= b.Unserved {
			return a.ReplicaHours + (b.ReplicaHours-a.ReplicaHours)*(a.Unserved-unserved)/(a.Unserved-b.Unserved)
		}
	}
	return math.NaN()
}

var (
	calibrated  = regexp.MustCompile(`(?s)calibration: target: (.*?);\s+result:\s+(\S+)\s+%\s+of\s+lead\s+windows`)
	beforeAfter = regexp.MustCompile(`(?m)^replica-hours\s+([\d,]+)\s+([\d,]+)$`)
)

// printedRow is a row of the printed table.
type printedRow struct {
	name                        string
	unserved, short, cost, more float64
	own, rival                  bool
}

func readNumber(s string) float64 {
	v, _ := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
	return v
}

// share reads a printed share.
func share(s string) float64 {
	if strings.HasPrefix(s, "<") {
		return 0.5e-4
	}
	return readNumber(strings.TrimSuffix(s, " %")) / 100
}

// moreOf reads by how many percent Headstart needs more.
func moreOf(cell string) float64 {
	switch {
	case cell == "not reached":
		return math.Inf(1)
	case strings.HasSuffix(cell, "fewer"):
		return -readNumber(strings.Fields(cell)[0])
	case strings.HasSuffix(cell, "more"):
		return readNumber(strings.Fields(cell)[0])
	}
	return 0
}

// derived returns the answer that follows from a printed report. Only doubts and the weekly gain
// are taken as they are.
func derived(text string, r *report.Report) string {
	against := len(r.Doubts) > 0
	today, missedSteps := math.NaN(), 0.0 // percent more
	_, table, _ := strings.Cut(text, "\npolicy  ")
	table, _, _ = strings.Cut(table, "\n\n")
	var rows []printedRow
	worst, ownCost := 0.0, 0.0
	for line := range strings.Lines(table) {
		cells := regexp.MustCompile(`\s{2,}`).Split(strings.TrimSpace(line), -1)
		if len(cells) < 8 || cells[0] == "unserved" {
			continue
		}
		row := printedRow{name: cells[0], unserved: share(cells[1]), short: share(cells[2]), cost: readNumber(cells[7])}
		if row.name == "headstart" {
			worst, ownCost, row.own = max(worst, row.unserved), row.cost, true
			missedSteps = row.short
		}
		if len(cells) > 8 {
			row.more, row.rival = moreOf(cells[8]), true
		}
		if strings.HasSuffix(row.name, "*") {
			today, worst = row.more, max(worst, row.unserved)
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		starred := strings.HasSuffix(row.name, "*")
		if row.rival && !starred && row.unserved <= worst && row.more >= 0 {
			against = true
		}
		if row.rival && r.Input.ServiceLevel == 0 && row.cost <= ownCost {
			against = true
		}
	}
	if math.IsNaN(today) {
		return "there is no row with a star"
	}
	if m := beforeAfter.FindStringSubmatch(text); m == nil || readNumber(m[2]) >= 1.95*readNumber(m[1]) {
		against = true
	}
	missed, allowed := 0.0, 0.0
	if r.Input.ServiceLevel > 0 {
		m := calibrated.FindStringSubmatch(text)
		missed, allowed = 1-readNumber(m[2])/100, 1-r.Input.ServiceLevel
	} else {
		missed, allowed = missedSteps, 1/r.Input.ShortageCost
		against = against || r.Gain.Unreliable()
	}
	against = against || missed > 2*allowed+1e-9
	switch {
	case today >= 0:
		return "leaveOff"
	case against || today > -5:
		return "tryDryRun"
	}
	return "switchOn"
}
