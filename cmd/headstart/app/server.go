package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/clusters"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/controller/shards"
	"headstart.dev/headstart/history"
)

// sourcesReload is how often the files with the Prometheus sources and the clusters are checked for
// changes.
const sourcesReload = 30 * time.Second

// Requests a second to the API server, of each of the clients: one for the controllers, one for
// Events. client-go's default of 5 held back the Events of 300 new Forecasts for minutes. In the
// long run, the number of Forecasts and their writes in an hour bound the requests, and the API
// server shares itself fairly (API Priority and Fairness).
const (
	clientQPS   = 50
	clientBurst = 100
)

// server holds the parts that serve runs. The manager starts and stops all of them.
type server struct {
	opts    options
	logger  *slog.Logger
	clock   clock.WithTicker
	manager ctrl.Manager
	plans   *values.Plans
	sources *history.Sources
	gather  prometheus.Gatherer
	synced  func() bool // reports whether every Forecast has been read
}

// newServer makes the parts of the server and adds them to the manager. It starts none of them.
func newServer(ctx context.Context, opts options, logger *slog.Logger) (*server, error) {
	klog.SetSlogLogger(logger)
	ctrl.SetLogger(logr.FromSlogHandler(logger.Handler()))
	quietGRPC(os.Stderr)
	config, err := restConfig(opts.kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = clientQPS, clientBurst
	sources, err := history.LoadSources(opts.prometheusConfig)
	if err != nil {
		return nil, fmt.Errorf("read --prometheus-config: %w", err)
	}
	registry := newRegistry()
	now, err := processClock()
	if err != nil {
		return nil, err
	}
	others, err := otherClusters(opts, now, logger)
	if err != nil {
		return nil, err
	}
	demand := values.NewObserver(sources, opts.observeInterval, now, logger)
	controllers := controller.Options{
		Config: config, Namespace: opts.namespace, LeaderElection: opts.leaderElect,
		WarmPools: opts.warmPools, WarmBounds: opts.warmBounds,
		ScaledObjects: opts.scaledObjects,
		Sources:       sources, Rates: opts.rates, Demand: demand, Registerer: registry, Logger: logger,
		Clock: now, Overflows: others,
	}
	members, err := membership(controllers, demand)
	if err != nil {
		return nil, err
	}
	if members != nil {
		controllers.Shard = members
		demand.Share(controller.OwnsForecast(members), members.Changes())
	}
	mgr, err := controller.New(controllers)
	if err != nil {
		return nil, err
	}
	if err := addShared(mgr, members, others, demand); err != nil {
		return nil, err
	}
	plans := values.NewPlans(demand, controller.ServedSettings)
	if err := errors.Join(registry.Register(demand), registry.Register(plans)); err != nil {
		return nil, fmt.Errorf("count plans, and the polls of observed demand: %w", err)
	}
	s := &server{
		opts: opts, logger: logger, clock: now, manager: mgr, plans: plans, sources: sources,
		gather: adapter.Union(registry, ctrlmetrics.Registry),
	}
	if s.synced, err = plans.Follow(ctx, mgr.GetCache()); err != nil {
		return nil, err
	}
	if err := s.addAdapter(ctx, config, registry); err != nil {
		return nil, err
	}
	return s, errors.Join(mgr.Add(onEveryReplica{s.watchSources}), s.addPlainMetrics())
}

// addShared adds to the manager what the controllers and the doors share. members is nil where the
// planning is not shared.
func addShared(mgr ctrl.Manager, members *shards.Membership, others *clusters.Clusters, demand *values.Observer) error {
	if members != nil {
		if err := mgr.Add(members); err != nil {
			return fmt.Errorf("share the planning: %w", err)
		}
	}
	if err := errors.Join(mgr.Add(others), mgr.Add(demand)); err != nil {
		return fmt.Errorf("poll observed demand, and read other clusters: %w", err)
	}
	return nil
}

// newRegistry returns a registry with the metrics of the process.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// otherClusters returns what reads the clusters of --clusters-config.
func otherClusters(opts options, now clock.WithTicker, logger *slog.Logger) (*clusters.Clusters, error) {
	c, err := clusters.New(clusters.Options{
		Path: opts.clustersConfig, Reload: sourcesReload, Clock: now, Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("read --clusters-config: %w", err)
	}
	return c, nil
}

// membership returns what shares the planning between replicas; nil without leader election, where
// this replica is the only one.
func membership(of controller.Options, notes shards.Notes) (*shards.Membership, error) {
	if !of.LeaderElection {
		return nil, nil
	}
	client, err := kubernetes.NewForConfig(of.Config)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	o := shards.DefaultOptions()
	o.Leases, o.Notes = client.CoordinationV1().Leases(of.Namespace), notes
	o.Clock, o.Logger = of.Clock, of.Logger
	o.Identity = "headstart-replica-" + utilrand.String(identityLength)
	members, err := shards.New(o)
	if err != nil {
		return nil, err
	}
	return members, of.Registerer.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "headstart_replicas",
		Help: "Replicas that share the planning, as this one sees them.",
	}, func() float64 { return float64(len(members.Members())) }))
}

// identityLength makes it impossible in practice that two processes have the same name.
const identityLength = 16

// restConfig reads a kubeconfig file. Without one it uses the service account of the pod.
func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("connect to the cluster (outside a pod, give --kubeconfig): %w", err)
		}
		return config, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read --kubeconfig: %w", err)
	}
	return config, nil
}

// run blocks until ctx ends or a part of the server fails.
func (s *server) run(ctx context.Context) error {
	if err := s.manager.Start(ctx); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// onEveryReplica is a manager.Runnable that runs on every replica, not only on the leader.
type onEveryReplica struct{ run func(context.Context) error }

func (r onEveryReplica) Start(ctx context.Context) error { return r.run(ctx) }
func (onEveryReplica) NeedLeaderElection() bool          { return false }

// addAdapter adds the metrics APIs and, unless there are files for it, the certificate that they
// use.
func (s *server) addAdapter(ctx context.Context, config *rest.Config, registry prometheus.Registerer) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	reviews, err := kubernetes.NewForConfig(adapter.ReviewConfig(config))
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	opts := adapter.Options{
		ExternalMetrics: s.opts.externalMetrics, CustomMetrics: s.opts.customMetrics,
		BindAddress: s.opts.bindAddress, SecurePort: s.opts.securePort,
		CertFile: s.opts.certFile, KeyFile: s.opts.keyFile,
		Client: client, ReviewClient: reviews, ShutdownDelay: s.opts.shutdownDelay, GoawayChance: 0.001,
		ReadyChecks: []healthz.HealthChecker{healthz.NamedCheck("forecasts-synced", s.ready)},
		Registerer:  registry, Gatherer: s.gather, Clock: s.clock, Logger: s.logger,
	}
	if s.opts.certFile == "" {
		cert, err := s.certificates(ctx, config, registry)
		if err != nil {
			return err
		}
		opts.Cert = cert
		opts.ReadyChecks = append(opts.ReadyChecks, healthz.NamedCheck("serving-certificate", cert.Ready))
		if err := s.manager.Add(onEveryReplica{cert.Run}); err != nil {
			return err
		}
	}
	srv, err := adapter.New(opts, s.plans)
	if err != nil {
		return err
	}
	if err := s.addScaler(srv, opts.Cert, registry); err != nil {
		return err
	}
	return s.manager.Add(onEveryReplica{srv.Run})
}

// ready returns an error until this replica has read every Forecast. It depends neither on
// Prometheus nor on leadership.
func (s *server) ready(*http.Request) error {
	if !s.synced() {
		return errors.New("the Forecasts have not been read yet")
	}
	return nil
}

// watchSources reloads the file with the Prometheus sources after each change.
func (s *server) watchSources(ctx context.Context) error {
	tick := time.NewTicker(sourcesReload)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			switch changed, err := s.sources.Reload(); {
			case err != nil:
				s.logger.Warn("reload of --prometheus-config failed; the sources stay as they were", "error", err)
			case changed:
				s.logger.Info("reloaded --prometheus-config")
			}
		}
	}
}

// addPlainMetrics serves /metrics without authentication, if --metrics-bind-address is set.
func (s *server) addPlainMetrics() error {
	if s.opts.metricsAddress == "" {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(s.gather, promhttp.HandlerOpts{}))
	srv := &http.Server{Addr: s.opts.metricsAddress, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return s.manager.Add(onEveryReplica{func(ctx context.Context) error {
		go func() {
			<-ctx.Done()
			_ = srv.Close()
		}()
		if err := srv.ListenAndServe(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve --metrics-bind-address: %w", err)
		}
		return nil
	}})
}
