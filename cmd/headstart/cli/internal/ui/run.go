package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/explain"
	"headstart.dev/headstart/cmd/headstart/cli/internal/starts"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/watch"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/whatif"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/gpuwarm"
)

// Command is the page as a command runs it.
type Command struct {
	// Config is how the cluster is reached. Its time limit is for requests that end.
	Config *rest.Config
	// Context names the cluster.
	Context string
	// Namespaces and Fallback are as in watch.Options.
	Namespaces []string
	Fallback   string
	// Source is the Prometheus, and From names it. Without one, From says what to do.
	Source whatif.Source
	From   string
	// Port of 127.0.0.1; 0 is a free one. Open reports whether to open a browser.
	Port int
	Open bool
	// Out gets the address, and Err notes.
	Out, Err io.Writer
}

// Run serves the page until ctx ends.
func (c Command) Run(ctx context.Context) error {
	options, err := c.options()
	if err != nil {
		return err
	}
	forever := rest.CopyConfig(c.Config)
	forever.Timeout = 0 // it would end watches
	live, err := client.NewWithWatch(forever, client.Options{Scheme: controller.NewScheme()})
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
	if err != nil {
		return fmt.Errorf("listen at --port: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	cluster, err := watch.Start(ctx, watch.Options{
		Client: live, Namespaces: c.Namespaces, Fallback: c.Fallback, Retry: watch.DefaultRetry,
	})
	if err != nil {
		cancel()
		return errors.Join(err, l.Close())
	}
	defer cluster.Wait()
	defer cancel()
	options.Cluster = cluster
	token := newToken()
	address := fmt.Sprintf("http://%s/%s/", l.Addr(), token)
	fmt.Fprintf(c.Out, "%s\nPress Ctrl+C to end. Whoever has the address sees what you may see.\n", address)
	if c.Open {
		remove, err := Open(address)
		defer remove()
		if err != nil {
			fmt.Fprintf(c.Err, "note: no browser could be opened, so open the address yourself: %v\n", err)
		}
	}
	return Serve(ctx, l, token, options)
}

// options returns the options of the page, without the cluster to follow.
func (c Command) options() (Options, error) {
	out := Options{Context: c.Context, Now: time.Now}
	var err error
	if out.Conditions, err = explain.Load(); err != nil {
		return out, err
	}
	reader, err := client.New(c.Config, client.Options{Scheme: controller.NewScheme()})
	if err != nil {
		return out, fmt.Errorf("connect to the cluster: %w", err)
	}
	out.Starts = func(ctx context.Context, fc *v1alpha1.Forecast) (gpuwarm.Breakdown, error) {
		return starts.Read(ctx, reader, fc, time.Now())
	}
	out.Study, err = whatif.New(whatif.Options{Reader: reader, Source: c.Source, From: c.From})
	return out, err
}
