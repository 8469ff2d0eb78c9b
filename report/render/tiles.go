package render

import (
	"math"
	"strings"
	"time"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
)

// setting is one way to set Headstart, with the figures that a manager asks for.
type setting struct {
	// ID and Name say which setting it is, and Set how to get it.
	ID, Name, Set string
	// Asked is what the manifests have, if it is another setting.
	Asked string
	// Served, Hours, Money and Top are the four tiles.
	Served, Hours, Money, Top tile
}

// tile is one figure beside that of today.
type tile struct {
	// Name says what it is, Value is the figure with Headstart, and Today that of today.
	Name, Value, Today string
	// Change compares the two, and Good reports whether the change is one for the better. Both are
	// empty if they are equal.
	Change string
	Good   bool
	// HoursMonth and TodayMonth are what money is computed from on the page: GPU-hours or
	// replica-hours a month.
	HoursMonth, TodayMonth float64
}

// month is the length of a mean month.
const month = 1461 * time.Hour / 2

// settings returns the ways to set Headstart that the tiles show: at the service of today, at its
// cost, at the objective, and as asked. The first is shown at first.
func settings(r *report.Report) []setting {
	head, ok := r.Result(report.PolicyHeadstart)
	today := r.Baseline
	if !ok || head.Figures == nil || today == nil {
		return nil
	}
	var out []setting
	add := func(id, name string, unserved, hours, top float64) {
		s := newSetting(r, id, name, unserved, hours, top)
		s.Set, s.Asked = r.Setting(hours), contract(r.Input)
		if id == "asked" || s.Set == s.Asked {
			s.Set, s.Asked = s.Asked, ""
		}
		out = append(out, s)
	}
	if h := today.HeadstartHours; h != nil {
		add("service", "At the service of today", today.Unserved, *h, head.Frontier.PeakAt(*h))
	}
	if u := today.HeadstartUnserved; u != nil {
		add("cost", "At the cost of today", *u, today.ReplicaHours, head.Frontier.PeakAt(today.ReplicaHours))
	}
	if o := r.Objective; o != nil {
		if h, ok := head.Frontier.HoursAt(1 - o.Served); ok {
			add("objective", "At "+format.Share(o.Served)+" served", 1-o.Served, h, head.Frontier.PeakAt(h))
		}
	}
	add("asked", "As asked", head.Unserved, head.ReplicaHours, head.PeakReplicas)
	return out
}

func newSetting(r *report.Report, id, name string, unserved, hours, top float64) setting {
	today := *r.Baseline.Figures
	s := setting{ID: id, Name: name}
	s.Served = tile{Name: "Demand served", Value: format.Share(1 - unserved), Today: format.Share(1 - today.Unserved)}
	if s.Served.Value != s.Served.Today {
		s.Served.Good = unserved < today.Unserved
		s.Served.Change = format.Share(unserved) + " unserved instead of " + format.Share(today.Unserved)
	}
	unit := r.Unit()
	s.Hours = tile{Name: sentenceCase(unit), Value: r.Paid(hours), Today: r.Paid(today.ReplicaHours)}
	s.Hours.compare(hours, today.ReplicaHours)
	s.Top = tile{
		Name: "Replicas at the top", Value: format.Whole(math.Ceil(top - 1e-9)), Today: format.Whole(today.PeakReplicas),
	}
	s.Top.compare(math.Ceil(top-1e-9), today.PeakReplicas)
	perMonth := month.Seconds() / math.Max(1, float64(r.Input.Scored-r.Input.Gaps)*r.Input.StepSeconds)
	if g := r.Input.GPUsPerReplica; g > 0 {
		perMonth *= g
	}
	s.Money = tile{Name: "Money a month", HoursMonth: hours * perMonth, TodayMonth: today.ReplicaHours * perMonth}
	if price := r.Input.Price; price > 0 {
		s.Money.Value = money(s.Money.HoursMonth*price, r.Input.Currency)
		s.Money.Today = money(s.Money.TodayMonth*price, r.Input.Currency)
	}
	s.Money.compare(hours, today.ReplicaHours)
	return s
}

// compare fills in Change for a figure of which less is better.
func (t *tile) compare(now, today float64) {
	if change := format.Change(now, today); change != "as many" {
		t.Change, t.Good = change, now < today
	}
	if t.Name == "Money a month" && t.Change != "" {
		t.Change = strings.Replace(t.Change, "fewer", "less", 1)
	}
}

// money writes an amount in a currency.
func money(amount float64, currency string) string {
	if currency == "" {
		return format.Whole(amount)
	}
	return format.Whole(amount) + " " + currency
}
