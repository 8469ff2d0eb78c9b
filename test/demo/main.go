// Command demo shows Headstart at work on a real control plane on this machine: two services carry the same demand with the same
// slow start, one under an HPA that reacts to demand, one under an HPA that is told ahead. A day lasts minutes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/harness"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	opts := defaultOptions()
	opts.flags(flag.CommandLine)
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "demo: argument %q is not understood; see -help\n", flag.Arg(0))
		return 2
	}
	err := demo(ctx, opts)
	switch {
	case err == nil:
		return 0
	case errors.Is(ctx.Err(), context.Canceled):
		fmt.Fprintln(os.Stderr, "\nInterrupted; everything that was started has been stopped.")
		return 130
	}
	fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
	return 1
}

// demo builds what is missing, sets the world up, shows it for the asked days and ends with the verdict.
func demo(ctx context.Context, opts options) error {
	if err := opts.validate(); err != nil {
		return err
	}
	layout, err := binaries.WithHeadstart(ctx, os.Stdout)
	if err != nil {
		return err
	}
	plot, err := opts.scenario()
	if err != nil {
		return err
	}
	fmt.Printf("Starting a control plane, Prometheus with %d days of history and two services; a day lasts %s.\n", plot.pastDays, short(plot.day))
	w, err := harness.NewWorld(ctx, plot.world(layout, os.Stdout))
	if err != nil {
		return err
	}
	defer func() {
		fmt.Println("Stopping everything.")
		w.Stop()
	}()
	fmt.Printf("To look around meanwhile: export KUBECONFIG=%s\n", w.Kubeconfig)
	if err := w.Apply(ctx, plot.peakYAML(w.Start)); err != nil {
		return err
	}
	if late := time.Since(w.Start); late > 0 {
		return fmt.Errorf("%w by %s: close other programs, or make the day longer with -day", harness.ErrLate, late.Round(time.Second))
	}
	return show(ctx, w, plot, terminal(opts))
}

// terminal is the size of the terminal that a live view can be drawn on; zero where there is none.
func terminal(opts options) (size struct{ width, height int }) {
	if opts.plain || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(os.Stdout.Fd())) {
		return size
	}
	w, h, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || w < minWidth || h < minHeight {
		return size
	}
	size.width, size.height = w, h
	return size
}
