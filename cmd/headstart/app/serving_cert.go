package app

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/adapter/certs"
	"headstart.dev/headstart/controller"
)

// servingSecret is the Secret with the serving certificate. The manifests create it, so that the
// server needs no permission to create Secrets.
const servingSecret = "headstart-serving-cert"

// apiServices returns the names of the APIServices that route requests to this server.
func (s *server) apiServices() []string {
	var names []string
	if s.opts.externalMetrics {
		names = append(names, "v1beta1."+external_metrics.GroupName)
	}
	if s.opts.customMetrics {
		names = append(names, "v1beta1."+custom_metrics.GroupName)
	}
	return names
}

// certificates returns the manager of the serving certificate. All replicas share the certificate.
// If kube-apiserver does not answer yet, the manager has no certificate at first. Its Run gets one
// later, and this server is not ready until then.
func (s *server) certificates(
	ctx context.Context, config *rest.Config, registry prometheus.Registerer,
) (*certs.Manager, error) {
	direct, err := client.New(config, client.Options{Scheme: controller.NewScheme()})
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	opts := certs.Options{
		Namespace: s.opts.namespace, Service: s.opts.serviceName, Secret: servingSecret,
		Registerer: registry, Clock: s.clock, Logger: s.logger,
	}
	if s.opts.manageAPI {
		opts.APIServices = s.apiServices()
	}
	if s.opts.scaler.enabled {
		opts.ExtraNames = s.opts.scaler.dnsNames(s.opts.namespace)
		opts.ConfigMaps = s.opts.scaler.configMapNames()
	}
	manager, err := certs.New(direct, opts)
	if err != nil {
		return nil, err
	}
	if err := manager.Sync(ctx); err != nil {
		s.logger.Warn("there is no serving certificate yet", "error", err)
	}
	return manager, nil
}
