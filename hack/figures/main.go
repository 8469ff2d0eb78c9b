// Command figures draws the figures of the documentation. The README's ramp is a replay of a
// synthetic trace by package report, as `headstart report` runs it.
//
//	go run ./hack/figures -out docs/images
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "docs/images", "folder to write to")
	flag.Parse()
	if err := run(context.Background(), *out); err != nil {
		slog.New(slog.NewTextHandler(os.Stderr, nil)).Error("figures could not be drawn", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string) error {
	r, err := replay(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("make the folder for figures: %w", err)
	}
	path := filepath.Join(out, "ramp.svg")
	if err := os.WriteFile(path, drawRamp(r), 0o644); err != nil {
		return fmt.Errorf("write a figure: %w", err)
	}
	fmt.Printf("%s: from %s to %s unserved: reactive %.1f %%, ahead %.2f %%; replica-hours %.0f and %.0f\n", path,
		clock(r, 0), clock(r, len(r.demand)), 100*r.reactive.unserved, 100*r.ahead.unserved, r.reactive.replicaHours,
		r.ahead.replicaHours)
	return nil
}
