// Command demo shows Headstart at work on a real control plane on this machine. Two services have
// the same demand and the same slow start. The HPA of one reacts to demand, and the HPA of the
// other knows the demand ahead. A day lasts minutes.
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
		fmt.Fprintf(os.Stderr, "demo: unknown argument %q; see -help\n", flag.Arg(0))
		return 2
	}
	err := demo(ctx, opts)
	switch {
	case err == nil:
		return 0
	case errors.Is(ctx.Err(), context.Canceled):
		fmt.Fprintln(os.Stderr, "\nInterrupted. Everything that was started has been stopped.")
		return 130
	}
	fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
	return 1
}

// demo builds what is missing, sets everything up, shows the days and ends with the verdict.
func demo(ctx context.Context, opts options) error {
	if err := opts.validate(); err != nil {
		return err
	}
	layout, err := binaries.WithHeadstart(ctx, os.Stdout)
	if err != nil {
		return err
	}
	s, err := opts.scenario()
	if err != nil {
		return err
	}
	fmt.Printf("Starting a control plane, Prometheus with %d days of history, and two services. A day lasts %s.\n",
		s.pastDays, short(s.day))
	w, err := harness.NewWorld(ctx, s.world(layout, os.Stdout))
	if err != nil {
		return err
	}
	defer func() {
		fmt.Println("Stopping everything.")
		w.Stop()
	}()
	fmt.Printf("To use kubectl while it runs: export KUBECONFIG=%s\n", w.Kubeconfig)
	if err := w.Apply(ctx, s.peakYAML(w.Start)); err != nil {
		return err
	}
	if late := time.Since(w.Start); late > 0 {
		return fmt.Errorf("%w by %s: close other programs, or make the day longer with -day",
			harness.ErrLate, late.Round(time.Second))
	}
	return show(ctx, w, s, terminal(opts))
}

// terminal returns the size of the terminal for the live view, and zero if the view cannot be
// drawn.
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
