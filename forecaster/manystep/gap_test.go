package manystep

import (
	"math"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
)

func TestForecastAcrossALongGap(t *testing.T) {
	t.Parallel()
	const day, days = 144, 4
	at := func(i int) float64 { return 50 + 40*math.Sin(2*math.Pi*float64(i)/day) }
	for _, from := range []int{150, 250, 350, 450} {
		s := forecaster.Series{Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Step: 10 * time.Minute}
		for i := range day * days {
			v := at(i)
			if i >= from && i < from+100 {
				v = math.NaN()
			}
			s.Values = append(s.Values, v)
		}
		for i, row := range mustForecast(t, s, Options{Horizon: day, Quantiles: []float64{0.5, 0.99}}).Values {
			if math.Abs(row[0]-at(i)) > 1 || row[1] > at(i)+5 {
				t.Fatalf("gap from step %d, %d steps ahead: got %v, want about %g", from, i+1, row, at(i))
			}
		}
	}
}
