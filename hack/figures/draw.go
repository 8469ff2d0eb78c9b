package main

import (
	"bytes"
	"fmt"
	"time"
)

// The layout of the figure, in pixels.
const (
	width, panelHeight   = 860.0, 190.0
	left, right          = 52.0, 16.0
	top, between, bottom = 30.0, 60.0, 52.0
)

// style fits a light and a dark background.
const style = `
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.quiet { fill: #59636e }
.grid { stroke: #8c959f; stroke-opacity: .35; stroke-width: 1 }
.demand { fill: none; stroke: #0969da; stroke-width: 2 }
.ready { fill: none; stroke: #1a7f37; stroke-width: 2 }
.short { fill: #cf222e; fill-opacity: .45; stroke: none }
.label-demand { fill: #0969da } .label-ready { fill: #1a7f37 } .label-short { fill: #cf222e }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .quiet { fill: #9198a1 }
  .demand { stroke: #58a6ff } .ready { stroke: #3fb950 } .short { fill: #ff7b72 }
  .label-demand { fill: #58a6ff } .label-ready { fill: #3fb950 } .label-short { fill: #ff7b72 }
}
`

// canvas is one panel: demand over time.
type canvas struct {
	*bytes.Buffer
	y0, most float64
	steps    int
}

func (c canvas) x(i int) float64     { return left + (width-left-right)*float64(i)/float64(c.steps) }
func (c canvas) y(v float64) float64 { return c.y0 + panelHeight*(1-v/c.most) }

// drawRamp draws the two panels, one below the other.
func drawRamp(r ramp) []byte {
	b := &bytes.Buffer{}
	height := top + 2*panelHeight + between + bottom
	fmt.Fprintf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n",
		width, height,
		"A morning ramp under a reactive autoscaler, which leaves demand unserved for the time its replicas take to start, "+
			"and under Headstart, whose replicas are ready when the ramp begins")
	fmt.Fprintf(b, "<style>%s</style>\n", style)
	most := 0.0
	for i := range r.demand {
		most = max(most, r.demand[i], r.reactive.ready[i], r.ahead.ready[i])
	}
	most = 50 * float64(int(most/50)+1)
	for i, p := range []struct {
		title string
		course
	}{
		{"Reactive: asks when the load is there", r.reactive},
		{fmt.Sprintf("Ahead: Headstart asks %.0f minutes earlier", lead.Minutes()), r.ahead},
	} {
		c := canvas{b, top + float64(i)*(panelHeight+between), most, len(r.demand)}
		c.grid(r)
		c.shortage(r.demand, p.ready)
		c.line("ready", p.ready)
		c.line("demand", r.demand)
		fmt.Fprintf(b, "<text class=\"title\" x=\"%.0f\" y=\"%.1f\">%s</text>\n", left, c.y0-12, p.title)
		fmt.Fprintf(b,
			"<text class=\"quiet\" x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%.1f %% unserved · %.0f replica-hours</text>\n",
			width-right, c.y0-12, 100*p.unserved, p.replicaHours)
	}
	legend(b)
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// grid draws the axes: times at the bottom, demand at the left.
func (c canvas) grid(r ramp) {
	for v := 0.0; v <= c.most; v += 50 {
		fmt.Fprintf(c, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", left, c.y(v), width-right)
		fmt.Fprintf(c, "<text class=\"quiet\" x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%.0f</text>\n", left-8, c.y(v)+4, v)
	}
	for i := 0; i <= c.steps; i += int(15 * time.Minute / step) {
		anchor := "middle"
		if i == c.steps {
			anchor = "end"
		}
		fmt.Fprintf(c, "<text class=\"quiet\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", c.x(i),
			c.y0+panelHeight+18, anchor, clock(r, i))
	}
}

// line draws a step function: a value holds for its step.
func (c canvas) line(class string, values []float64) {
	fmt.Fprintf(c, "<path class=\"%s\" d=\"M%.1f %.1f", class, c.x(0), c.y(values[0]))
	for i, v := range values {
		fmt.Fprintf(c, "V%.1fH%.1f", c.y(v), c.x(i+1))
	}
	c.WriteString("\"/>\n")
}

// shortage fills the area between demand and the ready replicas, where demand is higher.
func (c canvas) shortage(demand, ready []float64) {
	c.WriteString("<path class=\"short\" d=\"")
	for i := range demand {
		if demand[i] > ready[i] {
			fmt.Fprintf(c, "M%.1f %.1fH%.1fV%.1fH%.1fZ", c.x(i), c.y(demand[i]), c.x(i+1), c.y(ready[i]), c.x(i))
		}
	}
	c.WriteString("\"/>\n")
}

// legend is below the figure, with the assumptions.
func legend(b *bytes.Buffer) {
	y := top + 2*panelHeight + between + bottom - 2
	fmt.Fprintf(b, "<text x=\"%.0f\" y=\"%.1f\"><tspan class=\"label-demand\">━ demand, requests/s</tspan>"+
		"<tspan class=\"label-ready\" dx=\"18\">━ what ready replicas can serve</tspan>"+
		"<tspan class=\"label-short\" dx=\"18\">▆ unserved</tspan></text>\n", left, y)
	fmt.Fprintf(b,
		"<text class=\"quiet\" x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">"+
			"a replica serves %.0f and takes %.0f min to start</text>\n",
		width-right, y, capacity, lead.Minutes())
}

// clock returns the time of day at step i.
func clock(r ramp, i int) string { return r.start.Add(time.Duration(i) * step).Format("15:04") }
