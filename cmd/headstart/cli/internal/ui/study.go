package ui

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/whatif"
)

// turn lets one task run at a time. A newer one ends the one before.
type turn struct {
	mu     sync.Mutex
	cancel context.CancelCauseFunc
	ended  chan struct{}
}

// errNewer is why a task ended before it was done.
var errNewer = errors.New("another question was asked on this page or on another one: ask again")

// take ends the task before, waits for its end, and begins a task. The task must call done.
func (t *turn) take(ctx context.Context) (mine context.Context, done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancel != nil {
		t.cancel(errNewer)
		<-t.ended
	}
	mine, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	t.cancel, t.ended = cancel, ended
	return mine, func() {
		cancel(nil)
		close(ended)
	}
}

const (
	// answerWithin bounds the work on one question.
	answerWithin = 10 * time.Minute
	// progressEvery is how often the page hears of progress.
	progressEvery = 200 * time.Millisecond
)

// demand streams the progress of reading demand, and then the demand.
func (s *server) demand(w http.ResponseWriter, r *http.Request) {
	fc := s.forecast(w, r)
	if fc == nil {
		return
	}
	work(r.Context(), w, func(ctx context.Context, progress whatif.Progress) (any, error) {
		return s.o.Study.Demand(ctx, fc, s.o.Now(), progress)
	})
}

// whatIf streams the progress of a replay, and then what it leads to.
func (s *server) whatIf(w http.ResponseWriter, r *http.Request) {
	fc := s.forecast(w, r)
	if fc == nil {
		return
	}
	q, err := question(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, done := s.turn.take(r.Context())
	defer done()
	work(ctx, w, func(ctx context.Context, progress whatif.Progress) (any, error) {
		return s.o.Study.Ask(ctx, fc, q, s.o.Now(), progress)
	})
}

// question reads the question of a request.
func question(r *http.Request) (whatif.Question, error) {
	q := whatif.Question{
		ServiceLevel: v1alpha1.Decimal(r.FormValue("serviceLevel")),
		ShortageCost: v1alpha1.Decimal(r.FormValue("shortageCost")),
		NoPeaks:      r.FormValue("peaks") == "off",
	}
	var err error
	if text := r.FormValue("lead"); text != "" {
		if q.Lead, err = v1alpha1.Duration(text).Parse(); err != nil {
			return q, err
		}
	}
	if q.Days, err = strconv.Atoi(r.FormValue("days")); err != nil {
		return q, errors.New("days is not a whole number")
	}
	return q, nil
}

// step is how far a task is.
type step struct {
	What  string `json:"what"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// work runs a task, and sends its progress, and then its result or why there is none.
func work(ctx context.Context, w http.ResponseWriter, run func(context.Context, whatif.Progress) (any, error)) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	e := newEvents(w)
	steps := make(chan step, 1) // the newest
	type result struct {
		value any
		err   error
	}
	results := make(chan result, 1)
	go func() {
		value, err := run(ctx, func(what string, done, total int) {
			select {
			case <-steps:
			default:
			}
			select {
			case steps <- step{what, done, total}:
			default: // another goroutine of the task was faster
			}
		})
		results <- result{value, err}
	}()
	timer := time.NewTicker(progressEvery)
	defer timer.Stop()
	for {
		select {
		case got := <-results:
			if cause := context.Cause(ctx); got.err != nil && errors.Is(cause, errNewer) {
				got.err = cause
			}
			if got.err != nil {
				_ = e.send("failed", map[string]string{"message": got.err.Error()}) // the page may be gone
				return
			}
			_ = e.send("result", got.value) // the page may be gone
			return
		case <-timer.C:
			select {
			case now := <-steps:
				if e.send("progress", now) != nil {
					cancel() // the page is gone; wait for the task to end
				}
			default:
			}
		}
	}
}
