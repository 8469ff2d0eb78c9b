package main

import (
	"fmt"
	"io"
	"math"
)

// A bar is a figure and what is asked of it.
type bar struct {
	what   string
	figure float64
	least  float64 // −Inf for none
	most   float64 // +Inf for none
}

func atMost(what string, figure, most float64) bar { return bar{what, figure, math.Inf(-1), most} }

func (b bar) met() bool { return b.figure >= b.least && b.figure <= b.most }

func (b bar) asked() string {
	if math.IsInf(b.least, -1) {
		return fmt.Sprintf("at most %.4g", b.most)
	}
	return fmt.Sprintf("%.4g to %.4g", b.least, b.most)
}

// writeBars writes one table of all bars.
func writeBars(w io.Writer, bars []bar) {
	fmt.Fprintf(w, "| bar | asked | measured | met |\n| --- | --- | --- | --- |\n")
	for _, b := range bars {
		met := "yes"
		if !b.met() {
			met = "**no**"
		}
		fmt.Fprintf(w, "| %s | %s | %.4g | %s |\n", b.what, b.asked(), b.figure, met)
	}
}
