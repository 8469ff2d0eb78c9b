package render

import (
	"bufio"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// CSV writes the replay step by step: timestamp, demand, served and expected demand, and for each policy the replicas that were
// paid. What is not known is empty.
func (d single) CSV(w io.Writer) error {
	b := bufio.NewWriter(w) // remembers its first error, for Flush
	head := []string{"timestamp", "demand", "served", "expected"}
	for _, p := range d.report.Policies {
		if p.Figures != nil {
			head = append(head, p.Policy)
		}
	}
	_, _ = b.WriteString(strings.Join(head, ",") + "\n")
	steps := d.report.Steps
	for i, demand := range steps.Replayed() {
		_, _ = b.WriteString(steps.At(steps.From + i).UTC().Format(time.RFC3339))
		cells := []float64{demand, math.NaN(), math.NaN()}
		if steps.Served != nil {
			cells[1], cells[2] = steps.Served[i], steps.Expected[i]
		}
		for _, p := range d.report.Policies {
			if p.Figures != nil {
				cells = append(cells, p.Paid[i])
			}
		}
		for _, v := range cells {
			_ = b.WriteByte(',')
			if !math.IsNaN(v) {
				_, _ = b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
			}
		}
		_ = b.WriteByte('\n')
	}
	return b.Flush()
}
