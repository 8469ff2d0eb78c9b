// Package app runs the server: the metrics APIs and the controllers, behind the command serve.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"headstart.dev/headstart/controller"
)

// serveOptions are the flags of serve, one to one.
type serveOptions struct {
	kubeconfig       string
	prometheusConfig string

	namespace   string
	serviceName string

	bindAddress    string
	securePort     int
	metricsAddress string
	certFile       string
	keyFile        string

	externalMetrics bool
	customMetrics   bool
	manageAPI       bool
	leaderElect     bool
	warmPools       bool

	rates           controller.Rates
	observeInterval time.Duration
	shutdownDelay   time.Duration

	logFormat string
	logLevel  string
}

func defaultServeOptions() serveOptions {
	return serveOptions{
		prometheusConfig: "/etc/headstart/sources.yaml",
		namespace:        os.Getenv("POD_NAMESPACE"),
		serviceName:      "headstart",
		bindAddress:      "0.0.0.0",
		securePort:       6443,
		leaderElect:      true,
		manageAPI:        true,
		rates:            controller.DefaultRates(),
		observeInterval:  30 * time.Second,
		shutdownDelay:    15 * time.Second,
		logFormat:        "text",
		logLevel:         "info",
	}
}

func (o *serveOptions) validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.namespace == "" {
		fail("--namespace is empty: give the namespace that headstart runs in, or set POD_NAMESPACE")
	}
	if o.prometheusConfig == "" {
		fail("--prometheus-config is empty: give the file that names the Prometheus sources")
	}
	if !o.externalMetrics && !o.customMetrics {
		fail("give --external-metrics, --custom-metrics or both: the API groups to serve")
	}
	if (o.certFile == "") != (o.keyFile == "") {
		fail("give --tls-cert-file and --tls-private-key-file together")
	}
	if net.ParseIP(o.bindAddress) == nil {
		fail("--bind-address %q is not an IP address", o.bindAddress)
	}
	if o.securePort < 1 || o.securePort > 65535 {
		fail("--secure-port %d must be from 1 to 65535", o.securePort)
	}
	if o.rates.PlanRefresh <= 0 || o.rates.HPASync <= 0 || o.observeInterval <= 0 {
		fail("--plan-refresh, --hpa-sync-period and --observe-interval must be above 0")
	}
	if o.rates.WritesPerHour < 1 {
		fail("--plan-writes-per-hour must be at least 1")
	}
	if o.shutdownDelay < 0 {
		fail("--shutdown-delay must not be below 0")
	}
	return errors.Join(errs...)
}

// NewServeCommand returns the command serve. It logs to the command's standard error.
func NewServeCommand() *cobra.Command {
	opts := defaultServeOptions()
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the adapter and the controllers",
		Args:  cobra.NoArgs,
		Long: `Serve runs in the cluster, in two replicas or more. Every replica serves the metrics APIs from memory and polls observed demand.
The leader alone reads history, fits, plans, and writes the plans to the status of the Forecasts.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opts.validate(); err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "See %q for the flags.\n", cmd.CommandPath()+" --help")
				return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
			}
			logger, err := newLogger(cmd.ErrOrStderr(), opts.logFormat, opts.logLevel)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), opts, logger)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.kubeconfig, "kubeconfig", opts.kubeconfig, "kubeconfig file; inside a cluster the pod's own account is used without it")
	f.StringVar(&opts.prometheusConfig, "prometheus-config", opts.prometheusConfig, "file that names the Prometheus sources")
	f.StringVar(&opts.namespace, "namespace", opts.namespace, "namespace that headstart runs in (default $POD_NAMESPACE)")
	f.StringVar(&opts.serviceName, "service-name", opts.serviceName, "Service that the API server reaches the adapter through")
	f.StringVar(&opts.bindAddress, "bind-address", opts.bindAddress, "IP address to serve the metrics APIs on")
	f.IntVar(&opts.securePort, "secure-port", opts.securePort, "port to serve the metrics APIs on")
	f.StringVar(&opts.metricsAddress, "metrics-bind-address", opts.metricsAddress, "address to serve /metrics on without authentication, such as :8080; empty serves it on the secure port only")
	f.StringVar(&opts.certFile, "tls-cert-file", opts.certFile, "serving certificate; without it one is made, rotated and injected")
	f.StringVar(&opts.keyFile, "tls-private-key-file", opts.keyFile, "key of the serving certificate")
	f.BoolVar(&opts.externalMetrics, "external-metrics", opts.externalMetrics, "serve external.metrics.k8s.io")
	f.BoolVar(&opts.customMetrics, "custom-metrics", opts.customMetrics, "serve custom.metrics.k8s.io")
	f.BoolVar(&opts.manageAPI, "inject-ca", opts.manageAPI, "keep the caBundle of headstart's own APIServices up to date")
	f.BoolVar(&opts.leaderElect, "leader-elect", opts.leaderElect, "let one replica lead; needed with more than one")
	f.BoolVar(&opts.warmPools, "warm-pools", opts.warmPools, "act on WarmPools: warm nodes and images ahead of the plans")
	f.DurationVar(&opts.rates.PlanRefresh, "plan-refresh", opts.rates.PlanRefresh, "how often a plan is written that differs little from the last one")
	f.IntVar(&opts.rates.WritesPerHour, "plan-writes-per-hour", opts.rates.WritesPerHour, "most status writes of one Forecast in an hour")
	f.DurationVar(&opts.rates.HPASync, "hpa-sync-period", opts.rates.HPASync, "the HPA controller's --horizontal-pod-autoscaler-sync-period")
	f.DurationVar(&opts.observeInterval, "observe-interval", opts.observeInterval, "how often each replica polls observed demand")
	f.DurationVar(&opts.shutdownDelay, "shutdown-delay", opts.shutdownDelay, "how long to go on serving, unready, after the signal to end")
	f.StringVar(&opts.logFormat, "log-format", opts.logFormat, "text or json")
	f.StringVar(&opts.logLevel, "log-level", opts.logLevel, "debug, info, warn or error")
	return cmd
}

func newLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q must be debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("--log-format %q must be text or json", format)
}

// serve runs until ctx ends or a part fails.
func serve(ctx context.Context, opts serveOptions, logger *slog.Logger) error {
	s, err := newServer(ctx, opts, logger)
	if err != nil {
		return err
	}
	return s.run(ctx)
}
