// Command build makes what a release consists of, without a container engine and without the
// network beyond Go modules. Run it from the top of the repository through make:
//
//	make image                 the container image, in dist/
//	make image-push IMAGE=…    the same image, to a registry
//	make release VERSION=…     everything, in dist/VERSION/
//	make size                  how much of the binary each module is
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"headstart.dev/headstart/build/checkout"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := build(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n", err)
		return 1
	}
	return 0
}

// options are those of all commands.
type options struct {
	root, version, image, platforms, dist, home string
}

func build(ctx context.Context, out io.Writer, args []string) error {
	const usage = "name one of image, push, release and size, then flags"
	if len(args) == 0 {
		return fmt.Errorf("no command: %s", usage)
	}
	var o options
	flags := flag.NewFlagSet("build "+args[0], flag.ContinueOnError)
	flags.StringVar(&o.root, "root", "..", "`folder` of the repository")
	flags.StringVar(&o.version, "version", "", "version, such as v0.1.0")
	flags.StringVar(&o.image, "image", "headstart.dev/headstart", "`repository` of the image, without a tag")
	flags.StringVar(&o.platforms, "platforms", "linux/amd64,linux/arm64", "`platforms`, with commas between")
	flags.StringVar(&o.dist, "dist", "../dist", "`folder` to write into")
	flags.StringVar(&o.home, "home", "https://headstart.dev/headstart", "`address` of the project")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	source, err := checkout.Open(ctx, o.root, o.version)
	if err != nil {
		return err
	}
	switch args[0] {
	case "image":
		return makeImage(ctx, out, source, o)
	case "push":
		return pushImage(ctx, out, source, o)
	case "release":
		return makeRelease(ctx, out, source, o)
	case "size":
		return reportSize(ctx, out, source)
	}
	return fmt.Errorf("there is no command %q: %s", args[0], usage)
}
