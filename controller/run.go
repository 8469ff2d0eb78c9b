package controller

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/clusters"
	"headstart.dev/headstart/controller/autoscalers"
	"headstart.dev/headstart/controller/evidence"
	"headstart.dev/headstart/controller/internal/background"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/controller/overload"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/controller/schedules"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/internal/memory"
	"headstart.dev/headstart/planner"
)

// LeaseName is the lease that the leader holds.
const LeaseName = "headstart-leader"

// Options configure the controllers.
type Options struct {
	// Config reaches the API server.
	Config *rest.Config
	// Namespace holds the leases.
	Namespace string
	// LeaderElection lets only one replica do what is not shared. Without it, this replica leads.
	LeaderElection bool
	// Shard says what this replica plans; nil lets the leader plan everything.
	Shard kube.Shard
	// Sources are the Prometheus servers that Forecasts may name.
	Sources *history.Sources
	// Rates says how often things happen.
	Rates Rates
	// WarmPools lets Headstart warm nodes and images ahead. It needs the rights of the component
	// "warm" of the manifests.
	WarmPools bool
	// WarmBounds bound what the WarmPools of one namespace may do.
	WarmBounds warmer.Bounds
	// ScaledObjects reads the ScaledObjects of KEDA as HPAs are read. It needs the rights of the
	// component "scaledobjects" of the manifests.
	ScaledObjects bool
	// Demand polls observed demand. Its failures are in the condition Observed.
	Demand DemandObserver
	// Overflows reads what does not fit into other clusters; nil where there are none.
	Overflows OverflowReader
	// Memory says how much memory the process uses; [memory.OfProcess] when it is nil.
	Memory func() memory.Use
	// Registerer registers the metrics of this package.
	Registerer prometheus.Registerer
	// Logger gets the log lines of the controllers.
	Logger *slog.Logger
	// Clock is the clock to use; the real one when it is nil.
	Clock clock.WithTicker
}

// DefaultRates are the rates for a cluster with the defaults of the HPA controller.
func DefaultRates() Rates {
	return Rates{PlanRefresh: 5 * time.Minute, WritesPerHour: 12, HPASync: 15 * time.Second}
}

func (o *Options) validate() error {
	switch {
	case o.Config == nil:
		return errors.New("controller options: Config is missing")
	case o.Sources == nil:
		return errors.New("controller options: Sources is missing")
	case o.Logger == nil:
		return errors.New("controller options: Logger is missing")
	case o.LeaderElection && o.Namespace == "":
		return errors.New("controller options: Namespace is missing, and leader election needs one")
	case o.Rates.PlanRefresh <= 0 || o.Rates.WritesPerHour < 1 || o.Rates.HPASync <= 0:
		return fmt.Errorf("controller options: Rates must be above 0, got %+v", o.Rates)
	case o.Demand == nil:
		return errors.New("controller options: Demand is missing")
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Overflows == nil {
		o.Overflows = clusters.None()
	}
	return nil
}

// NewScheme returns a scheme with every kind that the controllers read or write.
func NewScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// New returns a manager with all controllers.
func New(opts Options) (ctrl.Manager, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(opts.Config, managerOptions(opts))
	if err != nil {
		return nil, fmt.Errorf("set the controllers up: %w", err)
	}
	compiler := schedules.NewCompiler(mgr.GetClient())
	recorder := mgr.GetEventRecorder("headstart")
	starts, err := gpuwarm.NewMetrics(opts.Registerer)
	if err != nil {
		return nil, err
	}
	scaled, err := readScaledObjects(mgr, opts)
	if err != nil {
		return nil, err
	}
	forecasts := &ForecastReconciler{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), open: openFrom(opts.Sources, opts.Clock),
		openEvidence: evidence.Sources(opts.Sources),
		compiler:     compiler, recorder: recorder, rates: opts.Rates, clock: opts.Clock, logger: opts.Logger,
		metrics: newReconcilerMetrics(opts.Registerer), starts: starts, fetch: reads.New(), fits: background.New(PlanWorkers),
		overload: overload.New(opts.Memory, opts.Clock, opts.Registerer),
		shard:    opts.Shard, demand: opts.Demand, overflows: opts.Overflows,
		autoscalers: autoscalers.Reader{HPAs: mgr.GetClient(), ScaledObjects: scaled},
		states:      map[types.NamespacedName]*forecastState{},
	}
	if err := forecasts.setup(mgr); err != nil {
		return nil, fmt.Errorf("set the controllers up: %w", err)
	}
	err = schedules.SetupWithManager(mgr, schedules.Options{
		Client: mgr.GetClient(), Compiler: compiler, Recorder: recorder, Clock: opts.Clock, Shard: opts.Shard,
	})
	if err != nil {
		return nil, fmt.Errorf("set the controllers up: %w", err)
	}
	if err := addWarmer(mgr, opts, recorder); err != nil {
		return nil, err
	}
	return mgr, nil
}

// readScaledObjects returns what follows the ScaledObjects; nil unless opts.ScaledObjects is set.
func readScaledObjects(mgr ctrl.Manager, opts Options) (*autoscalers.ScaledObjects, error) {
	if !opts.ScaledObjects {
		return nil, nil
	}
	apis, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("set the discovery of ScaledObjects up: %w", err)
	}
	return autoscalers.NewScaledObjects(mgr.GetCache(), apis, opts.Clock, opts.Logger), nil
}

// addWarmer adds the controller of WarmPools, if opts.WarmPools is set.
func addWarmer(mgr ctrl.Manager, opts Options, recorder events.EventRecorder) error {
	if !opts.WarmPools {
		return nil
	}
	apis, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("set the warmer's discovery up: %w", err)
	}
	o := warmer.Options{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Discovery: apis, Recorder: recorder,
		Registerer: opts.Registerer, Logger: opts.Logger, Clock: opts.Clock, Bounds: opts.WarmBounds,
	}
	if opts.Shard != nil {
		o.Owns = func(namespace string) bool { return opts.Shard.Owns(kube.WarmPoolKey(namespace)) }
		o.OwnersChanged = opts.Shard.Changes()
	}
	w, err := warmer.New(o)
	if err != nil {
		return fmt.Errorf("set the warmer up: %w", err)
	}
	return w.SetupWithManager(mgr)
}

func managerOptions(opts Options) ctrl.Options {
	return ctrl.Options{
		Scheme:                        NewScheme(),
		Logger:                        logr.FromSlogHandler(opts.Logger.Handler()),
		Metrics:                       server.Options{BindAddress: "0"}, // The adapter serves all metrics.
		LeaderElection:                opts.LeaderElection,
		LeaderElectionID:              LeaseName,
		LeaderElectionNamespace:       opts.Namespace,
		LeaderElectionReleaseOnCancel: true,
		Cache: cache.Options{
			DefaultTransform: stripMeta,
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Pod{}:                            {Transform: gpuwarm.StripPod},
				&corev1.Node{}:                           {Transform: gpuwarm.StripNode},
				&autoscalingv2.HorizontalPodAutoscaler{}: {Transform: autoscalers.StripHPA},
			},
		},
	}
}

// stripMeta removes from all objects in the cache what nobody reads, and what can be as large as
// the rest: managed fields, and what kubectl applied last.
func stripMeta(obj any) (any, error) {
	if o, ok := obj.(metav1.Object); ok {
		o.SetManagedFields(nil)
		annotations := o.GetAnnotations()
		delete(annotations, corev1.LastAppliedConfigAnnotation)
	}
	return obj, nil
}

// ServedSettings is a [values.ParseFunc]: it returns what serving needs from a Forecast.
func ServedSettings(fc *v1alpha1.Forecast) (values.Settings, error) {
	set, err := planner.Parse(fc)
	served := values.Settings{
		Mode: set.Mode, Expiry: set.Expiry, Static: set.Static, Min: set.Min, Capacity: set.SpecCapacity,
		InReplicas: set.InReplicas,
	}
	if l := set.Learn; l != nil {
		served.Capacity = set.CapacityIn(nil)
		served.Learned = new(l.InStatus())
	}
	if set.HasDemand {
		served.Demand = &values.Query{Expr: set.Query, Source: set.Source, Settle: set.Settle}
	}
	return served, err
}

// OwnsForecast returns a function that reports whether this replica plans a Forecast.
func OwnsForecast(s kube.Shard) func(types.NamespacedName) bool {
	return func(name types.NamespacedName) bool { return kube.Owns(s, kube.ForecastKey(name)) }
}

// LearnerOptions are the options for the learner of a Forecast in mode Learned.
func LearnerOptions(set planner.Settings) gpuwarm.LearnerOptions {
	lead := set.Lead
	return gpuwarm.LearnerOptions{
		Percentile: lead.Percentile, Default: lead.Default, Max: lead.Max, DefaultConfigured: lead.Configured,
	}
}
