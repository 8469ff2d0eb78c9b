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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer"
	"headstart.dev/headstart/history"
)

// LeaseName is the lease that the leader holds.
const LeaseName = "headstart-leader"

// Options configure the controllers.
type Options struct {
	// Config reaches the API server.
	Config *rest.Config
	// Namespace holds the leader's lease.
	Namespace string
	// LeaderElection keeps all but one replica from writing status. Off, this replica leads.
	LeaderElection bool
	// Sources are the Prometheus servers that Forecasts may name.
	Sources *history.Sources
	// Rates says how often things happen.
	Rates Rates
	// WarmPools has the leader warm nodes and images ahead; it needs the rights of the component "warm" of the manifests.
	WarmPools bool
	// Demand polls observed demand; its failures show in the condition Observed.
	Demand DemandObserver
	// Registerer takes the metrics of this package.
	Registerer prometheus.Registerer
	// Logger is where state changes are told.
	Logger *slog.Logger
	// Clock is the time; the real one without it.
	Clock clock.WithTicker
}

// DefaultRates are those of a cluster with the HPA controller's defaults.
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
	return nil
}

// NewScheme knows every kind that the controllers read or write.
func NewScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// New builds a manager with every controller in it.
func New(opts Options) (ctrl.Manager, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(opts.Config, managerOptions(opts))
	if err != nil {
		return nil, fmt.Errorf("set the controllers up: %w", err)
	}
	compiler := NewCompiler(mgr.GetClient())
	recorder := mgr.GetEventRecorder("headstart")
	starts, err := gpuwarm.NewMetrics(opts.Registerer)
	if err != nil {
		return nil, err
	}
	for _, c := range []interface{ setup(ctrl.Manager) error }{
		&ForecastReconciler{
			client: mgr.GetClient(), open: openFrom(opts.Sources, opts.Clock), compiler: compiler, recorder: recorder, rates: opts.Rates, clock: opts.Clock,
			logger: opts.Logger, metrics: newReconcilerMetrics(opts.Registerer), starts: starts, fetch: newFetcher(), live: mgr.GetAPIReader(), states: map[types.NamespacedName]*forecastState{},
			demand: opts.Demand,
		},
		&PeakScheduleReconciler{client: mgr.GetClient(), compiler: compiler, recorder: recorder, clock: opts.Clock},
		&CalendarReconciler{client: mgr.GetClient(), compiler: compiler, recorder: recorder, clock: opts.Clock},
	} {
		if err := c.setup(mgr); err != nil {
			return nil, fmt.Errorf("set the controllers up: %w", err)
		}
	}
	if err := addWarmer(mgr, opts, recorder); err != nil {
		return nil, err
	}
	return mgr, nil
}

// addWarmer adds what acts on WarmPools, where that was asked for.
func addWarmer(mgr ctrl.Manager, opts Options, recorder events.EventRecorder) error {
	if !opts.WarmPools {
		return nil
	}
	apis, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("set the warmer's discovery up: %w", err)
	}
	w, err := warmer.New(warmer.Options{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Discovery: apis, Recorder: recorder,
		Registerer: opts.Registerer, Logger: opts.Logger, Clock: opts.Clock,
	})
	if err != nil {
		return fmt.Errorf("set the warmer up: %w", err)
	}
	return w.SetupWithManager(mgr)
}

func managerOptions(opts Options) ctrl.Options {
	return ctrl.Options{
		Scheme:                        NewScheme(),
		Logger:                        logr.FromSlogHandler(opts.Logger.Handler()),
		Metrics:                       server.Options{BindAddress: "0"}, // served with the others by the adapter
		LeaderElection:                opts.LeaderElection,
		LeaderElectionID:              LeaseName,
		LeaderElectionNamespace:       opts.Namespace,
		LeaderElectionReleaseOnCancel: true,
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Pod{}:                            {Transform: gpuwarm.StripPod},
				&corev1.Node{}:                           {Transform: gpuwarm.StripNode},
				&autoscalingv2.HorizontalPodAutoscaler{}: {Transform: stripHPA},
			},
		},
	}
}

// stripHPA keeps of an HPA what is read here.
func stripHPA(obj any) (any, error) {
	if hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler); ok {
		hpa.ManagedFields, hpa.Annotations = nil, nil
		hpa.Status = autoscalingv2.HorizontalPodAutoscalerStatus{CurrentReplicas: hpa.Status.CurrentReplicas}
	}
	return obj, nil
}

var _ toolscache.TransformFunc = stripHPA

func withGeneration() builder.Predicates {
	return builder.WithPredicates(predicate.GenerationChangedPredicate{})
}

func withPredicate(p predicate.Predicate) builder.Predicates { return builder.WithPredicates(p) }

// emit tells of conditions that changed.
func emit(recorder events.EventRecorder, obj runtime.Object, changed []condition) {
	for _, c := range changed {
		kind := corev1.EventTypeNormal
		if isTrouble(c) {
			kind = corev1.EventTypeWarning
		}
		recorder.Eventf(obj, nil, kind, c.Reason, "Evaluate", "%s is %s: %s", c.Type, c.Status, c.Message)
	}
}
