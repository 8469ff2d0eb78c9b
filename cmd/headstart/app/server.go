package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
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
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/history"

	"github.com/go-logr/logr"
)

// sourcesReload is how often the file of Prometheus sources is looked at for changes.
const sourcesReload = 30 * time.Second

// server is everything that serve runs.
type server struct {
	opts    serveOptions
	logger  *slog.Logger
	manager ctrl.Manager
	plans   *values.Plans
	sources *history.Sources
	gather  prometheus.Gatherer
	synced  func() bool
}

// newServer wires the parts together; nothing runs yet.
func newServer(ctx context.Context, opts serveOptions, logger *slog.Logger) (*server, error) {
	klog.SetSlogLogger(logger)
	ctrl.SetLogger(logr.FromSlogHandler(logger.Handler()))
	config, err := restConfig(opts.kubeconfig)
	if err != nil {
		return nil, err
	}
	sources, err := history.LoadSources(opts.prometheusConfig)
	if err != nil {
		return nil, fmt.Errorf("read --prometheus-config: %w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	demand := values.NewObserver(sources, opts.observeInterval, clock.RealClock{}, logger)
	mgr, err := controller.New(controller.Options{
		Config: config, Namespace: opts.namespace, LeaderElection: opts.leaderElect, WarmPools: opts.warmPools, Sources: sources,
		Rates: opts.rates, Demand: demand, Registerer: registry, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(mgr.Add(demand), registry.Register(demand)); err != nil {
		return nil, fmt.Errorf("poll observed demand: %w", err)
	}
	plans := values.NewPlans(demand, controller.ServedSettings)
	s := &server{opts: opts, logger: logger, manager: mgr, plans: plans, sources: sources, gather: adapter.Union(registry, ctrlmetrics.Registry)}
	if s.synced, err = plans.Follow(ctx, mgr.GetCache()); err != nil {
		return nil, err
	}
	if err := s.addAdapter(ctx, config, registry); err != nil {
		return nil, err
	}
	return s, errors.Join(mgr.Add(everywhere{s.watchSources}), s.addPlainMetrics())
}

// restConfig reads a kubeconfig file, or the pod's own account without one.
func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("no cluster: outside of one give --kubeconfig: %w", err)
		}
		return config, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read --kubeconfig: %w", err)
	}
	return config, nil
}

// run blocks until ctx ends, or a part fails.
func (s *server) run(ctx context.Context) error {
	if err := s.manager.Start(ctx); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// everywhere is a part that runs on every replica, leader or not.
type everywhere struct{ run func(context.Context) error }

func (e everywhere) Start(ctx context.Context) error { return e.run(ctx) }
func (everywhere) NeedLeaderElection() bool          { return false }

func (s *server) addAdapter(ctx context.Context, config *rest.Config, registry prometheus.Registerer) error {
	client, err := kubernetes.NewForConfig(adapter.DelegationConfig(config))
	if err != nil {
		return fmt.Errorf("reach the API server: %w", err)
	}
	opts := adapter.Options{
		ExternalMetrics: s.opts.externalMetrics, CustomMetrics: s.opts.customMetrics,
		BindAddress: s.opts.bindAddress, SecurePort: s.opts.securePort,
		CertFile: s.opts.certFile, KeyFile: s.opts.keyFile,
		Client: client, ShutdownDelay: s.opts.shutdownDelay, GoawayChance: 0.001,
		ReadyChecks: []healthz.HealthChecker{healthz.NamedCheck("forecasts-synced", s.ready)},
		Registerer:  registry, Gatherer: s.gather, Logger: s.logger,
	}
	if s.opts.certFile == "" {
		keeper, err := s.certificates(ctx, config, registry)
		if err != nil {
			return err
		}
		opts.Cert = keeper
		opts.ReadyChecks = append(opts.ReadyChecks, healthz.NamedCheck("serving-certificate", keeper.Ready))
		if err := s.manager.Add(everywhere{keeper.Run}); err != nil {
			return err
		}
	}
	srv, err := adapter.New(opts, s.plans)
	if err != nil {
		return err
	}
	return s.manager.Add(everywhere{srv.Run})
}

// ready is whether this replica knows every Forecast. Neither Prometheus nor leadership has a say in it.
func (s *server) ready(*http.Request) error {
	if !s.synced() {
		return errors.New("the Forecasts are not listed yet")
	}
	return nil
}

// watchSources takes changes of the sources file over.
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
				s.logger.Warn("the sources file cannot be used; the last good one stays", "error", err)
			case changed:
				s.logger.Info("the sources file has changed and is used from now on")
			}
		}
	}
}

// addPlainMetrics serves /metrics without authentication where an address was given for it.
func (s *server) addPlainMetrics() error {
	if s.opts.metricsAddress == "" {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(s.gather, promhttp.HandlerOpts{}))
	srv := &http.Server{Addr: s.opts.metricsAddress, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return s.manager.Add(everywhere{func(ctx context.Context) error {
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
