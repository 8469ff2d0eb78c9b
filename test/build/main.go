// Command build builds programs into bin/, where they are missing or out of date. Without arguments
// it builds the control plane.
package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"headstart.dev/headstart/test/binaries"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := build(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n", err)
		return 1
	}
	return 0
}

// build builds each program of a list of names.
func build(ctx context.Context, names []string) error {
	l, err := binaries.FindLayout()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = []string{"control-plane"}
	}
	programs := programs(l)
	for _, name := range names {
		buildProgram := programs[name]
		if buildProgram == nil {
			known := strings.Join(slices.Sorted(maps.Keys(programs)), ", ")
			return fmt.Errorf("there is no program %q; name some of these, or none for the control plane: %s", name, known)
		}
		if err := buildProgram(ctx, os.Stdout); err != nil {
			return err
		}
	}
	return nil
}

// programs returns what builds a program, by its name.
func programs(l binaries.Layout) map[string]func(context.Context, io.Writer) error {
	programs := map[string]func(context.Context, io.Writer) error{
		"headstart": l.Headstart, "demo": l.Demo, "helm": l.Helm, "golangci-lint": l.Linter,
		"control-plane": func(ctx context.Context, progress io.Writer) error {
			return l.Build(ctx, progress, binaries.Commands()...)
		},
		"keda": func(ctx context.Context, progress io.Writer) error {
			return l.Build(ctx, progress, binaries.KEDA()...)
		},
	}
	for _, c := range append(append(binaries.Commands(), binaries.TestAdapter()), binaries.KEDA()...) {
		programs[c.Name] = func(ctx context.Context, progress io.Writer) error { return l.Build(ctx, progress, c) }
	}
	return programs
}
