package adapter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"time"

	endpointmetrics "k8s.io/apiserver/pkg/endpoints/metrics"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/component-base/metrics/legacyregistry"
	openapicommon "k8s.io/kube-openapi/pkg/common"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"k8s.io/utils/clock"
	cmaserver "sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	generatedcore "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/core"
	generatedcustom "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/custommetrics"
	generatedexternal "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/externalmetrics"
	cmaprovider "sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"headstart.dev/headstart/adapter/access"
)

const (
	serverName = "headstart-adapter"
	// requestTimeout bounds a request, and the wait for open requests at shutdown. Only access
	// reviews can make a request take that long.
	requestTimeout = 10 * time.Second
	// maxInFlight is far above the number of requests in flight when serving from memory. Beyond
	// it the answer is a 429 with Retry-After, and an autoscaler's worker would sleep on that.
	maxInFlight = 2000
)

// Server serves the metrics APIs over TLS. Make one with [New].
type Server struct {
	generic  *genericapiserver.GenericAPIServer
	provider *provider
	addr     net.Addr
	options  Options
}

// New opens the listener and sets up the server; [Server.Run] serves. It reads the aggregator's
// configuration from the cluster.
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
	config, err := genericConfig(opts, inst)
	if err != nil {
		return nil, err
	}
	p := &provider{metrics: metrics, clock: opts.Clock, instruments: inst}
	server, err := install(config, opts, p)
	if err != nil {
		_ = config.SecureServing.Listener.Close()
		return nil, err
	}
	return &Server{generic: server, provider: p, addr: config.SecureServing.Listener.Addr(), options: opts}, nil
}

// Addr is the address of the listener.
func (s *Server) Addr() net.Addr { return s.addr }

// ValueForKEDA returns what a Forecast serves now, for the external scaler. It is counted beside the
// requests of the metrics APIs. The error is an [*Unavailable] when there is no value.
func (s *Server) ValueForKEDA(namespace, name string) (Value, error) {
	return s.provider.lookup(apiKEDA, namespace, name, nil)
}

// Run serves until ctx is done and open requests have finished.
func (s *Server) Run(ctx context.Context) error {
	s.options.Logger.Info("serving metrics", "address", s.addr.String(),
		"external", s.options.ExternalMetrics, "custom", s.options.CustomMetrics)
	if err := s.generic.PrepareRun().RunWithContext(ctx); err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// genericConfig returns the configuration of the API machinery: listener, TLS, access and limits.
func genericConfig(opts Options, inst *instruments) (*genericapiserver.Config, error) {
	config := genericapiserver.NewConfig(cmaserver.Codecs)
	config.RequestTimeout = opts.requestTimeout
	config.MaxRequestsInFlight = maxInFlight
	config.ShutdownDelayDuration = opts.ShutdownDelay
	config.EnableMetrics = false // install serves /metrics instead, from every registry
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
	if err := configureAccess(config, opts, inst); err != nil {
		_ = config.SecureServing.Listener.Close()
		return nil, err
	}
	addOpenAPI(config, opts)
	return config, nil
}

// configureAccess delegates authentication and authorisation to the API server.
func configureAccess(config *genericapiserver.Config, opts Options, inst *instruments) error {
	reviews := access.Options{
		Client: opts.ReviewClient, Timeout: opts.reviewTimeout, TTL: opts.AuthCacheTTL,
		Clock: clock.RealClock{}, Observe: inst.countReview,
	}
	ready, err := delegateAuthentication(&config.Authentication, config.SecureServing, opts, reviews)
	if err != nil {
		return err
	}
	config.AddReadyzChecks(ready)
	config.BuildHandlerChainFunc = func(handler http.Handler, c *genericapiserver.Config) http.Handler {
		// Only now has the API machinery added the authentication of its own loopback client.
		c.Authentication.Authenticator = access.Quiet(c.Authentication.Authenticator)
		// Only requests that are allowed count for a GOAWAY.
		handler = &goaway{Handler: handler, chance: opts.GoawayChance, clock: opts.Clock}
		return genericapiserver.DefaultBuildHandlerChain(handler, c)
	}
	config.Authorization.Authorizer, err = delegateAuthorization(reviews)
	return err
}

// addOpenAPI adds the OpenAPI documents that the aggregator merges into its own.
func addOpenAPI(config *genericapiserver.Config, opts Options) {
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

// install builds the server: the APIs, their discovery, /metrics and the ready checks.
func install(config *genericapiserver.Config, opts Options, p *provider) (*genericapiserver.GenericAPIServer, error) {
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
		lister := cmaprovider.NewCustomMetricResourceLister(p)
		err = errors.Join(err, addToDiscovery(generic, custom_metrics.GroupName, lister))
	}
	if opts.ExternalMetrics {
		lister := cmaprovider.NewExternalMetricResourceLister(p)
		err = errors.Join(err, addToDiscovery(generic, external_metrics.GroupName, lister))
	}
	if err = errors.Join(err, generic.AddReadyzChecks(opts.ReadyChecks...)); err != nil {
		return nil, err
	}
	endpointmetrics.Register() // apiserver_request_*; EnableMetrics would do it too, but serve one registry only
	gatherer := Union(opts.Gatherer, legacyregistry.DefaultGatherer)
	generic.Handler.NonGoRestfulMux.Handle("/metrics", metricsHandler(gatherer))
	if reader, ok := p.metrics.(SharesReader); ok {
		generic.Handler.NonGoRestfulMux.HandlePrefix(sharesPath, sharesHandler(reader, opts.Clock))
	}
	return generic, nil
}
