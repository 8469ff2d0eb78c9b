package main

import (
	"context"
	"fmt"
	"time"

	"headstart.dev/headstart/test/harness"
)

// lineEvery is the interval of lines if there is no live view.
const lineEvery = 5 * time.Second

// show waits for the first day, samples once a second until the last day is over, and prints the
// verdict.
func show(ctx context.Context, w *harness.World, s scenario, size struct{ width, height int }) error {
	live := size.width > 0
	v := &view{world: w, scenario: s, width: size.width, height: size.height}
	if err := v.follow(ctx, live); err != nil {
		return err
	}
	fmt.Print(verdict(v.accounts(), s))
	return nil
}

// follow samples and draws until the last day is over.
func (v *view) follow(ctx context.Context, live bool) error {
	if live {
		fmt.Print(enterScreen)
		defer fmt.Print(leaveScreen) // also on a panic
	} else {
		fmt.Println(lineHeader)
	}
	w, s := v.world, v.scenario
	end := w.Start.Add(s.length())
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var printed time.Time
	for {
		smp := read(ctx, w)
		v.add(smp)
		if live {
			fmt.Print(v.frame())
		} else if smp.at.Sub(printed) >= lineEvery {
			fmt.Println(v.line())
			printed = smp.at
		}
		if err := broken(w); err != nil {
			return err
		}
		if !smp.at.Before(end) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// broken returns an error if a program has ended that should run.
func broken(w *harness.World) error {
	if err := w.Failed(); err != nil {
		return err
	}
	for _, h := range w.Adapters {
		select {
		case <-h.Done():
			return fmt.Errorf("%s ended; the end of its log:\n%s", h.Name(), h.Tail())
		default:
		}
	}
	return nil
}
