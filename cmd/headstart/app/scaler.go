package app

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	"google.golang.org/grpc/grpclog"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/tools/cache"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/adapter/externalscaler"
)

// quietGRPC lets gRPC write errors only. It warns of each call and each handshake that a client breaks
// off, so that a client could fill the log; the API machinery has turned that on.
func quietGRPC(errs io.Writer) {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, errs))
}

// scalerOptions holds the flags of the external scaler, the door for KEDA.
type scalerOptions struct {
	enabled     bool
	port        int
	serviceName string
	clientCA    string
	configMaps  []string
}

func (o *scalerOptions) register(f *pflag.FlagSet) {
	f.BoolVar(&o.enabled, "external-scaler", o.enabled, "serve KEDA's triggers of the types external and external-push")
	f.IntVar(&o.port, "external-scaler-port", o.port, "`PORT` of the external scaler")
	f.StringVar(&o.serviceName, "external-scaler-service-name", o.serviceName,
		"`NAME` of the headless Service in front of the external scaler; the certificate that headstart makes is for "+
			"it too")
	f.StringVar(&o.clientCA, "external-scaler-client-ca", o.clientCA,
		"`FILE` with the CAs of client certificates; callers of the external scaler without one are then refused. "+
			"Without this, everyone who reaches the port can read every Forecast")
	f.StringSliceVar(&o.configMaps, "external-scaler-ca-configmap", o.configMaps,
		"`NAMESPACE/NAME` of a ConfigMap that gets the CA of the certificate, for KEDA's TriggerAuthentications; "+
			"may be repeated")
}

// faults returns all that is wrong with the flags.
func (o *scalerOptions) faults() []string {
	var faults []string
	if o.port < 1 || o.port > 65535 {
		faults = append(faults, fmt.Sprintf("--external-scaler-port %d must be from 1 to 65535", o.port))
	}
	if o.serviceName == "" {
		faults = append(faults, "--external-scaler-service-name is empty")
	}
	if !o.enabled && (o.clientCA != "" || len(o.configMaps) > 0) {
		faults = append(faults, "--external-scaler-client-ca and --external-scaler-ca-configmap need --external-scaler")
	}
	for _, text := range o.configMaps {
		namespace, name, _ := strings.Cut(text, "/")
		if namespace == "" || name == "" || strings.Contains(name, "/") {
			faults = append(faults, fmt.Sprintf("--external-scaler-ca-configmap %q is not NAMESPACE/NAME", text))
		}
	}
	return faults
}

// dnsNames are the names that KEDA may dial the scaler by.
func (o *scalerOptions) dnsNames(namespace string) []string {
	qualified := o.serviceName + "." + namespace
	return []string{qualified + ".svc", qualified, qualified + ".svc.cluster.local"}
}

func (o *scalerOptions) configMapNames() []types.NamespacedName {
	var names []types.NamespacedName
	for _, text := range o.configMaps {
		namespace, name, _ := strings.Cut(text, "/")
		names = append(names, types.NamespacedName{Namespace: namespace, Name: name})
	}
	return names
}

// addScaler adds the external scaler, where the flags ask for it. cert is the certificate of the
// metrics APIs; nil when that comes from files.
func (s *server) addScaler(
	srv *adapter.Server, cert dynamiccertificates.CertKeyContentProvider, registry prometheus.Registerer,
) error {
	if !s.opts.scaler.enabled {
		return nil
	}
	opts := externalscaler.Options{
		Forecasts: s.plans, Lookup: srv.ValueForKEDA, BindAddress: s.opts.bindAddress, Port: s.opts.scaler.port,
		Cert: cert, ShutdownDelay: s.opts.shutdownDelay, Registerer: registry, Clock: s.clock,
		Logger: s.logger,
	}
	if cert == nil {
		files, err := dynamiccertificates.NewDynamicServingContentFromFiles(
			"external-scaler", s.opts.certFile, s.opts.keyFile)
		if err != nil {
			return fmt.Errorf("read --tls-cert-file: %w", err)
		}
		opts.Cert = files
		if len(s.opts.scaler.configMaps) > 0 {
			s.logger.Warn("--external-scaler-ca-configmap has no effect with --tls-cert-file: "+
				"put the CA of that certificate into the ConfigMap yourself", "config_maps", s.opts.scaler.configMaps)
		}
		if err := s.addReloader(files); err != nil {
			return err
		}
	}
	if s.opts.scaler.clientCA != "" {
		ca, err := dynamiccertificates.NewDynamicCAContentFromFile("external-scaler-client-ca", s.opts.scaler.clientCA)
		if err != nil {
			return fmt.Errorf("read --external-scaler-client-ca: %w", err)
		}
		opts.ClientCA = ca
		if err := s.addReloader(ca); err != nil {
			return err
		}
	}
	scaler, err := externalscaler.New(opts)
	if err != nil {
		return err
	}
	return s.manager.Add(onEveryReplica{onceSynced(s.synced, scaler.Run)})
}

// onceSynced runs something when every Forecast has been read. KEDA connects to a container that has
// started again before it is ready, as its address stays the same. It would take "there is no such
// Forecast" for an answer, and the metric out of the HPA. Until then it uses another replica.
func onceSynced(synced func() bool, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if !cache.WaitForCacheSync(ctx.Done(), synced) {
			return nil
		}
		return run(ctx)
	}
}

// addReloader reads files again when they change.
func (s *server) addReloader(files dynamiccertificates.ControllerRunner) error {
	return s.manager.Add(onEveryReplica{func(ctx context.Context) error {
		files.Run(ctx, 1)
		return nil
	}})
}
