package report

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
func (r *Report) CSV(w io.Writer) error {
	b := bufio.NewWriter(w) // remembers its first error, for Flush
	head := []string{"timestamp", "demand", "served", "expected"}
	for _, p := range r.Policies {
		if p.Figures != nil {
			head = append(head, p.Policy)
		}
	}
	_, _ = b.WriteString(strings.Join(head, ",") + "\n")
	t := r.trace
	for i := range len(t.raw) - t.from {
		_, _ = b.WriteString(r.options.at(t.from + i).UTC().Format(time.RFC3339))
		cells := []float64{t.raw[t.from+i], math.NaN(), math.NaN()}
		if r.replay != nil {
			cells[1], cells[2] = r.replay.Served[i], r.replay.Expected[i]
		}
		for _, p := range r.Policies {
			if p.Figures != nil {
				cells = append(cells, p.paid[i])
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
