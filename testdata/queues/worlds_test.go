package queues

import (
	"fmt"
	"testing"
	"time"
)

func TestPrint(t *testing.T) {
	for _, w := range Worlds() {
		began := time.Now()
		r := w.Record(1, 10000)
		fmt.Printf("%s capacity %.4f  %.1fs\n", w.Name, r.Capacity(), time.Since(began).Seconds())
		l, m := r.Missed()
		for i := range l {
			fmt.Printf(" %.3f:%.4f", l[i]/w.Capacity, m[i])
		}
		fmt.Println()
	}
}
