package render

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
	"headstart.dev/headstart/report/learned"
)

// capacityWords says what was learned about a replica, what is missing, and what the configured figure
// costs.
func capacityWords(r *report.Report) []string {
	c := r.Capacity
	out := []string{c.Words()}
	if lacks := c.Lacks(); lacks != "" {
		out = append(out, lacks)
	}
	at, own := c.AtConfigured, c.AtLearned
	if at == nil || own == nil || format.Significant(c.Used) == format.Significant(c.Configured) {
		return out
	}
	text := fmt.Sprintf("By the configured %s the same plan takes %s %s, and by the learned %s it takes %s",
		format.Significant(c.Configured), r.Paid(at.ReplicaHours), r.Unit(), format.Significant(c.Used),
		r.Paid(own.ReplicaHours))
	if change := format.Change(own.ReplicaHours, at.ReplicaHours); change != "as many" {
		text += " (" + change + ")"
	}
	if difference := own.Money - at.Money; difference != 0 {
		what := "more"
		if difference < 0 {
			what = "less"
		}
		text += fmt.Sprintf(", which costs %s %s", money(math.Abs(difference), r.Input.Currency), what)
	}
	if at.Met != nil && own.Met != nil {
		text += fmt.Sprintf(". The objective of at most %s is met in %s of the steps instead of %s",
			format.Significant(c.AtMost), format.Share(*own.Met), format.Share(*at.Met))
	}
	return append(out, text+".")
}

// capacityRows returns a table of what a plan costs by the configured capacity and by the learned one.
func capacityRows(r *report.Report) [][]string {
	c := r.Capacity
	if c.AtConfigured == nil || c.AtLearned == nil {
		return nil
	}
	head := []string{"", "capacity", r.Unit(), "objective met", "unserved"}
	if r.Input.Price > 0 {
		head = append(head, "money")
	}
	rows := [][]string{head}
	for _, row := range []struct {
		name     string
		capacity float64
		cost     *learned.Cost
	}{{"configured", c.Configured, c.AtConfigured}, {"learned", c.Used, c.AtLearned}} {
		met := "–"
		if row.cost.Met != nil {
			met = format.Share(*row.cost.Met)
		}
		cells := []string{
			row.name, format.Significant(row.capacity), r.Paid(row.cost.ReplicaHours), met, format.Share(row.cost.Unserved),
		}
		if r.Input.Price > 0 {
			cells = append(cells, money(row.cost.Money, r.Input.Currency))
		}
		rows = append(rows, cells)
	}
	return rows
}

// capacityChart draws latency against load per replica, with the objective and the estimate.
type capacityChart struct {
	c             *learned.Summary
	width, height float64
	left, bottom  float64 // margins
	maxX, maxY    float64
	svg           strings.Builder
}

// capacityPicture returns the picture; nothing where there is nothing to draw.
func capacityPicture(c *learned.Summary, width float64) template.HTML {
	if c == nil || len(c.Curve) == 0 {
		return ""
	}
	p := &capacityChart{c: c, width: width, height: 300, left: 56, bottom: 46}
	p.fit()
	fmt.Fprintf(&p.svg, `<svg class="frontier capacity w%.0f" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" `+
		`role="img" aria-label="Latency against load per ready replica, with the objective and the estimate">`,
		width, width, p.height, width, p.height)
	p.axes()
	p.line(func(q learned.CurvePoint) float64 { return q.Median }, "median")
	p.line(func(q learned.CurvePoint) float64 { return q.Quantile }, "quantile")
	p.objective()
	p.mark(c.Lower, "bound", "lower bound")
	name := "estimate"
	if c.AtLeast {
		name = "at least"
	}
	p.mark(c.Estimate, "estimate", name)
	p.svg.WriteString("</svg>")
	return template.HTML(p.svg.String()) //nolint:gosec // numbers
}

// fit chooses the ranges of the axes. What is far above the objective is cut.
func (p *capacityChart) fit() {
	for _, q := range p.c.Curve {
		p.maxX, p.maxY = max(p.maxX, q.Load), max(p.maxY, q.Quantile)
	}
	if e := p.c.Estimate; e != nil {
		p.maxX = max(p.maxX, *e)
	}
	p.maxX *= 1.05
	p.maxY = max(min(p.maxY*1.05, 3*p.c.AtMost), 1.3*p.c.AtMost)
}

func (p *capacityChart) x(load float64) float64 {
	return p.left + load/p.maxX*(p.width-p.left-12)
}

func (p *capacityChart) y(latency float64) float64 {
	return p.height - p.bottom - min(latency/p.maxY, 1)*(p.height-p.bottom-18)
}

func (p *capacityChart) axes() {
	right, low := p.width-12, p.height-p.bottom
	step := niceStep(p.maxY / 5)
	for v := 0.0; v <= p.maxY; v += step {
		y := p.y(v)
		fmt.Fprintf(&p.svg, `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, p.left, y, right, y)
		fmt.Fprintf(&p.svg, `<text class="tick" x="%.1f" y="%.1f" text-anchor="end">%s</text>`, p.left-6, y+4,
			tick(v, step))
	}
	step = niceStep(p.maxX / max(4, p.width/120))
	for v := 0.0; v <= p.maxX; v += step {
		x := p.x(v)
		fmt.Fprintf(&p.svg, `<line class="grid" x1="%.1f" y1="18" x2="%.1f" y2="%.1f"/>`, x, x, low)
		fmt.Fprintf(&p.svg, `<text class="tick" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, low+16,
			tick(v, step))
	}
	fmt.Fprintf(&p.svg, `<text class="axis" x="%.1f" y="%.1f" text-anchor="end">load per ready replica →</text>`,
		right, low+36)
	fmt.Fprintf(&p.svg, `<text class="axis" x="4" y="10">latency: half of the steps, and %s of them</text>`,
		format.Share(p.c.Attain))
}

// line draws a latency at each load. Beyond the top it runs along the edge.
func (p *capacityChart) line(of func(learned.CurvePoint) float64, class string) {
	var points []string
	for _, q := range p.c.Curve {
		points = append(points, fmt.Sprintf("%.1f,%.1f", p.x(q.Load), p.y(of(q))))
	}
	fmt.Fprintf(&p.svg, `<polyline class="%s" points="%s"/>`, class, strings.Join(points, " "))
	for _, q := range p.c.Curve {
		fmt.Fprintf(&p.svg, `<circle class="%s" cx="%.1f" cy="%.1f" r="2.5">`, class, p.x(q.Load), p.y(of(q)))
		fmt.Fprintf(&p.svg, `<title>%s at %s: %s, from %s steps</title></circle>`, class, format.Significant(q.Load),
			format.Significant(of(q)), format.Whole(math.Ceil(q.Steps)))
	}
}

func (p *capacityChart) objective() {
	y := p.y(p.c.AtMost)
	fmt.Fprintf(&p.svg, `<line class="objective" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, p.left, y, p.width-12, y)
	fmt.Fprintf(&p.svg, `<text class="objective" x="%.1f" y="%.1f">objective: at most %s</text>`, p.left+6, y-5,
		format.Significant(p.c.AtMost))
}

// mark draws a capacity. Its name is on the side with room.
func (p *capacityChart) mark(at *float64, class, name string) {
	if at == nil {
		return
	}
	x, y, side, anchor := p.x(*at), 30.0, 5.0, "start"
	if x > p.width/2 {
		side, anchor = -5, "end"
	}
	if class == "bound" {
		y = 46
	}
	fmt.Fprintf(&p.svg, `<line class="%s" x1="%.1f" y1="18" x2="%.1f" y2="%.1f"/>`, class, x, x, p.height-p.bottom)
	fmt.Fprintf(&p.svg, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s %s</text>`, class, x+side, y, anchor, name,
		format.Significant(*at))
}
