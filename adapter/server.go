package adapter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	endpointmetrics "k8s.io/apiserver/pkg/endpoints/metrics"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/component-base/metrics/legacyregistry"
	openapicommon "k8s.io/kube-openapi/pkg/common"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	cmaserver "sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	generatedcore "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/core"
	generatedcustom "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/custommetrics"
	generatedexternal "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/externalmetrics"
	cmaprovider "sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
)

const (
	serverName = "headstart-adapter"
	// requestTimeout is the longest that a request can take, which only access reviews can stretch it to. It also bounds the
	// wait for open requests at the end.
	requestTimeout = 10 * time.Second
	// maxInFlight is far above what serving from memory holds at once: the answer beyond it, 429, carries Retry-After, and an
	// autoscaler's worker would sleep on it.
	maxInFlight = 2000
)

// Server serves the metrics APIs over TLS.
type Server struct {
	generic *genericapiserver.GenericAPIServer
	addr    net.Addr
	options Options
}

// New opens the listener and sets everything up, without serving yet. It reads the aggregator's configuration from the cluster.
func New(opts Options, metrics Metrics) (*Server, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("adapter options: %w", err)
	}
	if metrics == nil {
		return nil, errors.New("there are no Metrics to serve")
	}
	inst, err := newInstruments(opts.Registerer)
	if err != nil {
		return nil, err
	}
	config, err := genericConfig(opts)
	if err != nil {
		return nil, err
	}
	p := &provider{metrics: metrics, clock: opts.Clock, instruments: inst}
	server, err := assemble(config, opts, p)
	if err != nil {
		_ = config.SecureServing.Listener.Close()
		return nil, err
	}
	return &Server{generic: server, addr: config.SecureServing.Listener.Addr(), options: opts}, nil
}

// Addr is the address that is listened on.
func (s *Server) Addr() net.Addr { return s.addr }

// Run serves until ctx is done and open requests have ended.
func (s *Server) Run(ctx context.Context) error {
	s.options.Logger.Info("serving metrics", "address", s.addr.String(),
		"external", s.options.ExternalMetrics, "custom", s.options.CustomMetrics)
	if err := s.generic.PrepareRun().RunWithContext(ctx); err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// genericConfig is the API machinery's configuration: TLS, access, limits.
func genericConfig(opts Options) (*genericapiserver.Config, error) {
	config := genericapiserver.NewConfig(cmaserver.Codecs)
	config.RequestTimeout = opts.requestTimeout
	config.MaxRequestsInFlight = maxInFlight
	config.ShutdownDelayDuration = opts.ShutdownDelay
	config.GoawayChance = opts.GoawayChance
	config.EnableMetrics = false // served from every registry by assemble
	config.EnableProfiling = false

	serving := genericoptions.NewSecureServingOptions()
	serving.Listener, serving.BindPort = opts.Listener, opts.SecurePort
	if opts.BindAddress != "" {
		serving.BindAddress = net.ParseIP(opts.BindAddress)
	}
	serving.ServerCert = genericoptions.GeneratableKeyCert{
		CertKey:       genericoptions.CertKey{CertFile: opts.CertFile, KeyFile: opts.KeyFile},
		GeneratedCert: opts.Cert,
	}
	if err := serving.WithLoopback().ApplyTo(&config.SecureServing, &config.LoopbackClientConfig); err != nil {
		return nil, fmt.Errorf("listen on %s port %d: %w", opts.BindAddress, opts.SecurePort, err)
	}
	if err := delegate(config, opts); err != nil {
		_ = config.SecureServing.Listener.Close()
		return nil, err
	}
	describeAPIs(config, opts)
	return config, nil
}

func delegate(config *genericapiserver.Config, opts Options) error {
	known, err := delegateAuthentication(&config.Authentication, config.SecureServing, opts)
	if err != nil {
		return err
	}
	config.AddReadyzChecks(known)
	config.Authorization.Authorizer, err = delegateAuthorization(opts.Client, opts.AuthCacheTTL)
	return err
}

// describeAPIs adds the OpenAPI documents that the aggregator merges into its own.
func describeAPIs(config *genericapiserver.Config, opts Options) {
	definitions := func(ref openapicommon.ReferenceCallback) map[string]openapicommon.OpenAPIDefinition {
		all := generatedcore.GetOpenAPIDefinitions(ref)
		if opts.CustomMetrics {
			maps.Copy(all, generatedcustom.GetOpenAPIDefinitions(ref))
		}
		if opts.ExternalMetrics {
			maps.Copy(all, generatedexternal.GetOpenAPIDefinitions(ref))
		}
		return all
	}
	namer := openapinamer.NewDefinitionNamer(cmaserver.Scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	config.OpenAPIConfig.Info.Title, config.OpenAPIConfig.Info.Version = serverName, "1.0.0"
	config.OpenAPIV3Config.Info.Title, config.OpenAPIV3Config.Info.Version = serverName, "1.0.0"
}

// assemble installs the APIs, their discovery, /metrics and the ready checks.
func assemble(config *genericapiserver.Config, opts Options, p *provider) (*genericapiserver.GenericAPIServer, error) {
	var (
		custom   cmaprovider.CustomMetricsProvider
		external cmaprovider.ExternalMetricsProvider
	)
	if opts.CustomMetrics {
		custom = p
	}
	if opts.ExternalMetrics {
		external = p
	}
	server, err := (&cmaserver.Config{GenericConfig: config}).Complete(nil).New(serverName, custom, external)
	if err != nil {
		return nil, fmt.Errorf("install the metrics APIs: %w", err)
	}
	generic := server.GenericAPIServer
	if opts.CustomMetrics {
		err = errors.Join(err, announce(generic, custom_metrics.GroupName, cmaprovider.NewCustomMetricResourceLister(p)))
	}
	if opts.ExternalMetrics {
		err = errors.Join(err, announce(generic, external_metrics.GroupName, cmaprovider.NewExternalMetricResourceLister(p)))
	}
	if err = errors.Join(err, generic.AddReadyzChecks(opts.ReadyChecks...)); err != nil {
		return nil, err
	}
	endpointmetrics.Register() // apiserver_request_*: EnableMetrics would do it, and serve one registry only
	generic.Handler.NonGoRestfulMux.Handle("/metrics", metricsHandler(Union(opts.Gatherer, legacyregistry.DefaultGatherer)))
	return generic, nil
}
