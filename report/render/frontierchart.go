package render

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/frontier"
	"headstart.dev/headstart/report/internal/format"
)

// leastUnserved is the bottom of the picture of frontiers. A logarithm has no 0.
const leastUnserved = 1e-4

// frontierChart draws the frontiers of the policies: what each pays, from left to right, against
// what it leaves unserved, from the bottom up. It is an SVG of a fixed width, since text in a
// scaled one would become too small on a phone.
type frontierChart struct {
	r             *report.Report
	width, height float64
	left, bottom  float64 // margins
	minX, maxX    float64 // in replica-hours
	maxY          float64 // a share
	svg           strings.Builder
}

// frontierPicture returns the picture, or nothing if there is nothing to compare.
func frontierPicture(r *report.Report, width float64) template.HTML {
	head, ok := r.Result(report.PolicyHeadstart)
	if !ok || len(head.Frontier) == 0 || r.Baseline == nil {
		return ""
	}
	c := &frontierChart{r: r, width: width, height: 340, left: 66, bottom: 46}
	c.fit(head)
	fmt.Fprintf(&c.svg, `<svg class="frontier w%.0f" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" `+
		`aria-label="Unserved demand against %s for each policy">`, width, width, c.height, width, c.height, r.Unit())
	c.axes()
	for _, p := range r.Policies {
		if p.Policy != report.PolicyHeadstart && p.Policy != r.Baseline.Policy {
			c.line(p.Policy, p.Frontier, "other")
		}
	}
	today, _ := r.Result(r.Baseline.Policy)
	c.line(today.Policy, today.Frontier, "today")
	c.line(head.Policy, head.Frontier, "head")
	c.arrows()
	c.dot(r.Baseline.Policy, r.Baseline.ReplicaHours, r.Baseline.Unserved, "today: "+r.Baseline.Name())
	c.dot(head.Policy, head.ReplicaHours, head.Unserved, "Headstart as asked: "+contract(r.Input))
	c.svg.WriteString("</svg>")
	return template.HTML(c.svg.String()) //nolint:gosec // names of policies and numbers
}

// fit chooses the ranges of the axes, around Headstart and the policy of today.
func (c *frontierChart) fit(head report.Result) {
	today := c.r.Baseline
	hours := []float64{head.ReplicaHours, today.ReplicaHours}
	for _, v := range []*float64{today.HeadstartHours} {
		if v != nil {
			hours = append(hours, *v)
		}
	}
	if h, ok := head.Frontier.HoursAt(0.001); ok {
		hours = append(hours, h)
	}
	c.minX, c.maxX = hours[0], hours[0]
	for _, h := range hours {
		c.minX, c.maxX = math.Min(c.minX, h), math.Max(c.maxX, h)
	}
	if oracle, ok := c.r.Result(report.PolicyOracle); ok && oracle.Figures != nil {
		c.minX = math.Min(c.minX, oracle.ReplicaHours)
	}
	span := math.Max(c.maxX-c.minX, 0.1*c.maxX)
	c.minX, c.maxX = math.Max(0, c.minX-0.15*span), c.maxX+0.35*span
	most := math.Max(head.Unserved, today.Unserved)
	c.maxY = math.Min(1, math.Max(0.02, 2.5*most))
}

func (c *frontierChart) x(hours float64) float64 {
	return c.left + (hours-c.minX)/(c.maxX-c.minX)*(c.width-c.left-12)
}

// y returns the place of an unserved share. The axis is logarithmic.
func (c *frontierChart) y(unserved float64) float64 {
	v := math.Log(math.Max(unserved, leastUnserved)/leastUnserved) / math.Log(c.maxY/leastUnserved)
	return c.height - c.bottom - v*(c.height-c.bottom-14)
}

func (c *frontierChart) axes() {
	right, low := c.width-12, c.height-c.bottom
	for _, share := range []float64{0.0001, 0.001, 0.01, 0.1, 1} {
		if share > c.maxY {
			break
		}
		label := format.Plain(100*share) + " %"
		if share == leastUnserved {
			label = "≤ " + label
		}
		y := c.y(share)
		fmt.Fprintf(&c.svg, `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, c.left, y, right, y)
		fmt.Fprintf(&c.svg, `<text class="tick" x="%.1f" y="%.1f" text-anchor="end">%s</text>`, c.left-6, y+4, label)
	}
	per := math.Max(1, c.r.Input.GPUsPerReplica)
	step := niceStep((c.maxX - c.minX) * per / math.Max(4, c.width/120))
	for v := math.Ceil(c.minX*per/step) * step; v <= c.maxX*per; v += step {
		x := c.x(v / per)
		fmt.Fprintf(&c.svg, `<line class="grid" x1="%.1f" y1="14" x2="%.1f" y2="%.1f"/>`, x, x, low)
		fmt.Fprintf(&c.svg, `<text class="tick" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, low+16, tick(v, step))
	}
	fmt.Fprintf(&c.svg, `<text class="axis" x="%.1f" y="%.1f" text-anchor="end">%s in the %s replayed →</text>`,
		right, low+36, c.r.Unit(), format.Seconds(float64(c.r.Input.Scored)*c.r.Input.StepSeconds))
	fmt.Fprintf(&c.svg, `<text class="axis" x="4" y="10">demand unserved ↓ is better</text>`)
}

// tick writes a tick with the digits that its step needs.
func tick(v, step float64) string {
	if step >= 1 {
		return format.Whole(v)
	}
	return format.Significant(v)
}

// niceStep returns 1, 2 or 5 times a power of ten that is not below v.
func niceStep(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= v {
			return f * power
		}
	}
	return 10 * power
}

// line draws a frontier, as far as it lies within the axes.
func (c *frontierChart) line(policy string, line frontier.Line, class string) {
	var points []string
	for i, p := range line {
		if p.ReplicaHours > c.maxX {
			if i > 0 && line[i-1].ReplicaHours < c.maxX {
				if unserved, ok := line.UnservedAt(c.maxX); ok {
					points = append(points, fmt.Sprintf("%.1f,%.1f", c.x(c.maxX), c.y(math.Min(unserved, c.maxY))))
				}
			}
			break
		}
		if p.ReplicaHours < c.minX || p.Unserved > c.maxY {
			points = nil
			if i+1 < len(line) {
				points = c.entry(p, line[i+1])
			}
			continue
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", c.x(p.ReplicaHours), c.y(p.Unserved)))
	}
	if len(points) == 0 {
		return
	}
	fmt.Fprintf(&c.svg, `<polyline class="%s p-%s" points="%s"><title>%s</title></polyline>`,
		class, policy, strings.Join(points, " "), policy)
}

// entry returns where the line from a point outside of the axes to the next one enters them.
func (c *frontierChart) entry(out, in frontier.Point) []string {
	if in.ReplicaHours < c.minX || in.Unserved > c.maxY || in.ReplicaHours > c.maxX {
		return nil
	}
	share := 0.0 // of the way, by what is outside the most
	if out.Unserved > c.maxY {
		share = (out.Unserved - c.maxY) / (out.Unserved - in.Unserved)
	}
	if out.ReplicaHours < c.minX {
		share = math.Max(share, (c.minX-out.ReplicaHours)/(in.ReplicaHours-out.ReplicaHours))
	}
	hours := out.ReplicaHours + share*(in.ReplicaHours-out.ReplicaHours)
	unserved := out.Unserved + share*(in.Unserved-out.Unserved)
	return []string{fmt.Sprintf("%.1f,%.1f", c.x(hours), c.y(unserved))}
}

// wordsWidth is the width of the words beside an arrow that points down.
const wordsWidth = 190

// arrows lead from the policy of today to Headstart: at the same service, and at the same cost.
func (c *frontierChart) arrows() {
	today := c.r.Baseline
	x, y := c.x(today.ReplicaHours), c.y(today.Unserved)
	if h := today.HeadstartHours; h != nil && math.Abs(c.x(*h)-x) > 14 {
		c.arrow(x, y, c.x(*h), y)
		fmt.Fprintf(&c.svg, `<text class="arrow" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`,
			(x+c.x(*h))/2, y-6, atService(*today.Figures))
	}
	if u := today.HeadstartUnserved; u != nil && math.Abs(c.y(*u)-y) > 14 {
		end := math.Max(c.y(*u), c.y(c.maxY)) // an arrow beyond the axis ends at its top
		c.arrow(x, y, x, end)
		side, anchor := 6.0, "start"
		if x > c.width-wordsWidth {
			side, anchor = -6, "end" // beside the right edge, it would be cut
		}
		fmt.Fprintf(&c.svg, `<text class="arrow" x="%.1f" y="%.1f" text-anchor="%s">%s instead of %s</text>`,
			x+side, (y+end)/2+4, anchor, format.Share(*u), format.Share(today.Unserved))
	}
}

func (c *frontierChart) arrow(x1, y1, x2, y2 float64) {
	length := math.Hypot(x2-x1, y2-y1)
	ux, uy := (x2-x1)/length, (y2-y1)/length
	fmt.Fprintf(&c.svg, `<path class="arrow" d="M%.1f %.1fL%.1f %.1fM%.1f %.1fL%.1f %.1fL%.1f %.1f"/>`,
		x1+7*ux, y1+7*uy, x2, y2, x2-6*ux-4*uy, y2-6*uy+4*ux, x2, y2, x2-6*ux+4*uy, y2-6*uy-4*ux)
}

// dot marks one setting of a policy.
func (c *frontierChart) dot(policy string, hours, unserved float64, title string) {
	fmt.Fprintf(&c.svg, `<circle class="p-%s" cx="%.1f" cy="%.1f" r="6"><title>%s: %s %s, %s unserved</title></circle>`,
		policy, c.x(hours), c.y(math.Min(unserved, c.maxY)), template.HTMLEscapeString(title),
		c.r.Paid(hours), c.r.Unit(), format.Share(unserved))
}
