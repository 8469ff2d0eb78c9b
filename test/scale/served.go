package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"
)

// served is what was found at a door when memory is short.
type served struct {
	checked                int
	planned, right         int // planned Forecasts, and how many of these are served rightly
	overloaded             int // without a forecast, and their conditions say so
	silent                 int // without a forecast, and their conditions do not say why
	wrong                  int // answers that are wrong, whether planned or not
	firstWrong, firstQuiet string
}

func (s served) String() string {
	text := fmt.Sprintf("of %d checked, %d of %d planned ones are served rightly, %d others are Overloaded, %d do not "+
		"say why, %d answers are wrong", s.checked, s.right, s.planned, s.overloaded, s.silent, s.wrong)
	if s.firstWrong != "" {
		text += " (" + s.firstWrong + ")"
	}
	if s.firstQuiet != "" {
		text += " (" + s.firstQuiet + ")"
	}
	return text
}

// checkServed asks for every Forecast at a door, and looks at its conditions. What is served is right
// where it is not below the demand, and not far above all that there ever was. Without a forecast, an
// error is right too.
func (w *world) checkServed(ctx context.Context, r *row) error {
	planned, overloaded, err := w.conditions(ctx)
	if err != nil {
		return err
	}
	s := &r.served
	for i := range w.n {
		name := "fc-" + strconv.Itoa(i)
		key := namespace(i) + "/" + name
		v, err := w.serving[i%len(w.serving)].Direct(ctx, namespace(i), name)
		least, most := w.demandNow(i)
		right := err == nil && v >= least && v <= most
		s.checked++
		if err == nil && !right {
			s.wrong++
			if s.firstWrong == "" {
				s.firstWrong = fmt.Sprintf("%s: %g, and the demand is from %g to %g", key, v, least, most)
			}
		}
		switch {
		case planned[key]:
			s.planned++
			if right {
				s.right++
			}
		case overloaded[key]:
			s.overloaded++
		default:
			s.silent++
			s.firstQuiet = key
		}
	}
	return nil
}

// demandNow returns the least and the most that may be served for Forecast i: the least demand of
// the last minutes, less the rounding, and three times the most of a day.
func (w *world) demandNow(i int) (least, most float64) {
	factor := 1 + float64(i)/1000
	now := time.Now()
	least = math.Inf(1)
	for minute := -3; minute <= 0; minute++ {
		least = min(least, w.at(i%distinct, now.Add(time.Duration(minute)*time.Minute)))
	}
	for minute := range 24 * 60 {
		most = max(most, w.at(i%distinct, now.Add(-time.Duration(minute)*time.Minute)))
	}
	return least * factor * 0.99, most * factor * 3
}

// conditions returns which Forecasts are planned, and which are overloaded, by namespace and name.
func (w *world) conditions(ctx context.Context) (planned, overloaded map[string]bool, err error) {
	planned, overloaded = map[string]bool{}, map[string]bool{}
	for _, h := range w.serving {
		text, err := get(ctx, h.metrics)
		if err != nil {
			return nil, nil, err
		}
		for series, v := range parseMetrics(text) {
			if v != 1 || !has(series, "headstart_forecast_condition", nil) {
				continue
			}
			key := label(series, "namespace") + "/" + label(series, "forecast")
			switch label(series, "type") {
			case "HistoryReady":
				planned[key] = true
			case "Overloaded":
				overloaded[key] = true
			}
		}
	}
	return planned, overloaded, nil
}
