package main

import (
	"fmt"
	"io"
	"math"
)

// A check is a measured figure and its limits.
type check struct {
	what   string
	figure float64
	least  float64 // −Inf for none
	most   float64 // +Inf for none
}

func atMost(what string, figure, most float64) check { return check{what, figure, math.Inf(-1), most} }

func (c check) met() bool { return c.figure >= c.least && c.figure <= c.most }

func (c check) limit() string {
	if math.IsInf(c.least, -1) {
		return fmt.Sprintf("at most %.4g", c.most)
	}
	return fmt.Sprintf("%.4g to %.4g", c.least, c.most)
}

// writeChecks writes one table of all checks.
func writeChecks(w io.Writer, checks []check) {
	fmt.Fprintf(w, "| figure | limit | measured | met |\n| --- | --- | --- | --- |\n")
	for _, c := range checks {
		met := "yes"
		if !c.met() {
			met = "**no**"
		}
		fmt.Fprintf(w, "| %s | %s | %.4g | %s |\n", c.what, c.limit(), c.figure, met)
	}
}
