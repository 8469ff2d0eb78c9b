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
	"github.com/spf13/pflag"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/adapter/externalscaler"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/gpuwarm/warmer"
	"headstart.dev/headstart/internal/memory"
)

// options holds the flags of serve.
type options struct {
	kubeconfig       string
	prometheusConfig string
	clustersConfig   string

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
	warmBounds      warmer.Bounds
	scaledObjects   bool

	rates           controller.Rates
	observeInterval time.Duration
	shutdownDelay   time.Duration

	scaler scalerOptions

	logFormat string
	logLevel  string
}

func defaultOptions() options {
	return options{
		prometheusConfig: "/etc/headstart/sources.yaml",
		namespace:        os.Getenv("POD_NAMESPACE"),
		serviceName:      "headstart",
		bindAddress:      "0.0.0.0",
		securePort:       adapter.DefaultPort,
		leaderElect:      true,
		manageAPI:        true,
		warmBounds:       warmer.DefaultBounds(),
		rates:            controller.DefaultRates(),
		observeInterval:  30 * time.Second,
		shutdownDelay:    15 * time.Second,
		scaler:           scalerOptions{port: externalscaler.DefaultPort, serviceName: "headstart-scaler"},
		logFormat:        "text",
		logLevel:         "info",
	}
}

// validate returns all that is wrong with the flags, in one error on one line.
func (o *options) validate() error {
	var faults []string
	fail := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if o.namespace == "" {
		fail("--namespace is empty: give the namespace that headstart runs in, or set POD_NAMESPACE")
	}
	if o.prometheusConfig == "" {
		fail("--prometheus-config is empty: give the file that lists the Prometheus sources")
	}
	if o.servesNothing() {
		fail("nothing to serve: give --external-metrics, --custom-metrics or --external-scaler")
	}
	faults = append(faults, o.scaler.faults()...)
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
		fail("--shutdown-delay must be at least 0")
	}
	if faults = append(faults, faultsOf(o.warmBounds)...); len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	return nil
}

// faultsOf returns what is wrong with the flags about WarmPools.
func faultsOf(b warmer.Bounds) []string {
	if min(b.Placeholders, b.Accelerators, b.Pulls, b.ImageNodes) >= 1 {
		return nil
	}
	return []string{"--warm-max-placeholders, --warm-max-accelerators, --warm-max-pulls and " +
		"--warm-max-image-nodes must be at least 1"}
}

// servesNothing reports whether no door is open.
func (o *options) servesNothing() bool {
	return !o.externalMetrics && !o.customMetrics && !o.scaler.enabled
}

// NewServeCommand returns the command serve. It logs to the command's standard error.
func NewServeCommand() *cobra.Command {
	opts := defaultOptions()
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server: the metrics APIs, the door for KEDA and the controllers",
		Args:  cobra.NoArgs,
		Long: `Serve runs the server: the metrics APIs and the controllers.

The manifests of an installation start it, with at least two replicas in the cluster. Every replica
serves the metrics APIs from memory. The replicas share the polls of observed demand and the planning:
each Forecast belongs to one of them, which reads its history, fits, plans, and writes the plan to the
Forecast's status.`,
		Example: `  headstart serve --external-metrics --namespace headstart-system --kubeconfig ~/.kube/config \
    --prometheus-config sources.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opts.validate(); err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "Run %q to see the flags.\n", cmd.CommandPath()+" --help")
				return err
			}
			logger, err := newLogger(cmd.ErrOrStderr(), opts.logFormat, opts.logLevel)
			if err != nil {
				return err
			}
			memory.ConfigureProcess()
			serveBesideFits()
			return serve(cmd.Context(), opts, logger)
		},
	}
	opts.registerServing(cmd.Flags())
	opts.scaler.register(cmd.Flags())
	opts.registerControllers(cmd.Flags())
	opts.registerWarming(cmd.Flags())
	return cmd
}

// registerServing registers the flags about what is served and where.
func (o *options) registerServing(f *pflag.FlagSet) {
	f.BoolVar(&o.externalMetrics, "external-metrics", o.externalMetrics, "serve the API group external.metrics.k8s.io")
	f.BoolVar(&o.customMetrics, "custom-metrics", o.customMetrics, "serve the API group custom.metrics.k8s.io")
	f.StringVar(&o.bindAddress, "bind-address", o.bindAddress, "IP `ADDRESS` of the metrics APIs")
	f.IntVar(&o.securePort, "secure-port", o.securePort, "`PORT` of the metrics APIs")
	f.StringVar(&o.serviceName, "service-name", o.serviceName, "`NAME` of the Service in front of this server")
	f.StringVar(&o.certFile, "tls-cert-file", o.certFile,
		"`FILE` with the serving certificate; without it headstart makes one and renews it")
	f.StringVar(&o.keyFile, "tls-private-key-file", o.keyFile, "`FILE` with the private key of that certificate")
	f.BoolVar(&o.manageAPI, "inject-ca", o.manageAPI, "keep the caBundle of headstart's APIServices up to date")
	f.StringVar(&o.metricsAddress, "metrics-bind-address", o.metricsAddress,
		"`ADDRESS` that serves /metrics without authentication, such as :8080; by default only the secure port "+
			"serves it, with authentication")
	f.DurationVar(&o.shutdownDelay, "shutdown-delay", o.shutdownDelay,
		"how long to keep serving, while not ready, after the signal to stop")
}

// registerControllers registers the flags about the cluster, the controllers and the log.
func (o *options) registerControllers(f *pflag.FlagSet) {
	f.StringVar(&o.kubeconfig, "kubeconfig", o.kubeconfig,
		"kubeconfig `FILE`; without it headstart uses the service account of its pod")
	f.StringVar(&o.namespace, "namespace", o.namespace, "`NAMESPACE` that headstart runs in (default $POD_NAMESPACE)")
	f.StringVar(&o.prometheusConfig, "prometheus-config", o.prometheusConfig,
		"`FILE` that lists the Prometheus sources")
	f.StringVar(&o.clustersConfig, "clusters-config", o.clustersConfig,
		"`FILE` that lists the clusters whose overflow Forecasts may name; without it there are none")
	f.BoolVar(&o.leaderElect, "leader-elect", o.leaderElect,
		"share the planning with other replicas; without it, run one replica only")
	f.BoolVar(&o.scaledObjects, "scaled-objects", o.scaledObjects,
		"read the ScaledObjects of KEDA that read Forecasts, as HPAs are read")
	f.DurationVar(&o.observeInterval, "observe-interval", o.observeInterval,
		"how often the observed demand of a Forecast is polled")
	f.DurationVar(&o.rates.PlanRefresh, "plan-refresh", o.rates.PlanRefresh,
		"how often to write a plan that hardly differs from the last one")
	f.IntVar(&o.rates.WritesPerHour, "plan-writes-per-hour", o.rates.WritesPerHour,
		"most status writes per Forecast in an hour")
	f.DurationVar(&o.rates.HPASync, "hpa-sync-period", o.rates.HPASync,
		"value of --horizontal-pod-autoscaler-sync-period in the cluster's kube-controller-manager")
	f.StringVar(&o.logFormat, "log-format", o.logFormat, "text or json")
	f.StringVar(&o.logLevel, "log-level", o.logLevel, "debug, info, warn or error")
}

// registerWarming registers the flags about WarmPools.
func (o *options) registerWarming(f *pflag.FlagSet) {
	f.BoolVar(&o.warmPools, "warm-pools", o.warmPools,
		"act on WarmPools: warm nodes, images and weights ahead of the plans")
	b := &o.warmBounds
	f.IntVar(&b.Placeholders, "warm-max-placeholders", b.Placeholders,
		"most replicas that the WarmPools of one namespace hold nodes for")
	f.IntVar(&b.Accelerators, "warm-max-accelerators", b.Accelerators,
		"most of each extended resource, such as GPUs, that these replicas take")
	f.IntVar(&b.Pulls, "warm-max-pulls", b.Pulls,
		"most nodes that pull images at a time for the WarmPools of one namespace")
	f.IntVar(&b.ImageNodes, "warm-max-image-nodes", b.ImageNodes,
		"most nodes that get an image for them ahead of replicas, once for each image")
	f.StringSliceVar(&b.Schedulers, "warm-schedulers", b.Schedulers,
		"`NAMES` of schedulers beside the default one that placeholders may use")
}

func newLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q is unknown: use debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("--log-format %q is unknown: use text or json", format)
}

// serve runs until ctx ends or a part of the server fails.
func serve(ctx context.Context, opts options, logger *slog.Logger) error {
	s, err := newServer(ctx, opts, logger)
	if err != nil {
		return err
	}
	return s.run(ctx)
}
