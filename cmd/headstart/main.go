// Command headstart forecasts the demand of services that start slowly, and serves the forecast as
// a metric that an HPA reads. Installed under the name kubectl-headstart it is a kubectl plugin.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // zones must not depend on the machine

	"headstart.dev/headstart/cmd/headstart/app"
	"headstart.dev/headstart/cmd/headstart/cli"
)

// These are set by the build, with -ldflags "-X main.version=...". See hack/build.sh.
var (
	version      = "dev"
	commit, date string
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	streams := cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	return cli.Execute(ctx, os.Args, cli.NewVersion(version, commit, date), streams, app.NewServeCommand())
}
