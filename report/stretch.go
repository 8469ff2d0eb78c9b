package report

import (
	"context"
	"runtime"
	"sync"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
)

// Nearly all of the time of a replay goes into fits, and a fit depends only on the series before
// it. So the replay is cut at the fits, and the stretches between them are forecast in parallel.
// The forecasts are the same as those of one forecaster over the whole series.

// stretch is the steps [from, to) of the series.
type stretch struct{ from, to int }

// stretches returns the stretches between the fits, from Options.From on.
func (r *replayer) stretches() []stretch {
	var out []stretch
	for from, n := r.t.from, len(r.t.raw); from < n; {
		to := min(n, forecaster.NextFit(r.t.start, r.t.step, r.base.Settings.FitOffset, from))
		out = append(out, stretch{from, to})
		from = to
	}
	return out
}

// forecasts is the forecasts of a stretch.
type forecasts struct {
	outlooks []forecaster.Outlook   // one before each step
	compared [][]forecaster.Outlook // likewise, for the compared contracts
	final    forecaster.Description // of the models at the end of the series
	err      error
}

// forecast makes the forecasts of all steps, and calls use for each stretch, in order.
func (r *replayer) forecast(ctx context.Context, enter func() (leave func()), use func(forecasts) error) error {
	parts := r.stretches()
	results := make([]chan forecasts, len(parts))
	for i := range results {
		results[i] = make(chan forecasts, 1)
	}
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	ahead := make(chan struct{}, runtime.GOMAXPROCS(0)+1) // bounds the stretches that are forecast and not yet used
	workers.Go(func() {
		for i, part := range parts {
			select {
			case ahead <- struct{}{}:
			case <-ctx.Done():
				return
			}
			workers.Go(func() {
				defer enter()()
				results[i] <- r.forecastStretch(ctx, part)
			})
		}
	})
	for _, result := range results {
		select {
		case part := <-result:
			if part.err != nil {
				return part.err
			}
			if err := use(part); err != nil {
				return err
			}
			<-ahead
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// forecastStretch forecasts one stretch with a new model.
func (r *replayer) forecastStretch(ctx context.Context, s stretch) forecasts {
	if err := ctx.Err(); err != nil {
		return forecasts{err: err}
	}
	var model planner.Model
	out := forecasts{outlooks: make([]forecaster.Outlook, 0, s.to-s.from)}
	for k := s.from; k < s.to; k++ {
		if err := ctx.Err(); err != nil {
			return forecasts{err: err}
		}
		outlook := model.Advance(r.input(k))
		if outlook == nil {
			return forecasts{err: model.Err()}
		}
		out.outlooks = append(out.outlooks, *outlook)
		if len(r.compare) > 0 {
			out.compared = append(out.compared, model.Compared(r.comparedSteps))
		}
	}
	if s.to == len(r.t.raw) {
		model.Advance(r.input(s.to))
		out.final, _ = model.Describe()
	}
	return out
}
