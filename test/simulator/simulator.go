package simulator

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// ServiceLabel is the label of a pod that names its service.
const ServiceLabel = "app"

// accountInterval is the time between two updates of the accounts. Each event of a pod also updates
// them.
const accountInterval = 50 * time.Millisecond

// Service is a Deployment whose pods have its name in the label [ServiceLabel].
type Service struct {
	Name string
	// Capacity of one ready replica in requests per second.
	Capacity float64
	// Objective is the latency in seconds that a replica has at its capacity. With one, the service has a
	// queue, whose latency is exposed, and its account says how long the objective was missed.
	Objective float64
}

// State of a service at an instant.
type State struct {
	// Demand in requests per second.
	Demand float64
	// Wanted is the Deployment's scale, Created the number of its pods, and Ready those that are
	// Ready.
	Wanted, Created, Ready int
	// Account since the start of the simulator.
	Account Account
}

// Simulator offers the demand to the services of one namespace. It keeps accounts, and serves
// /metrics, while Run runs.
type Simulator struct {
	namespace string
	demand    *Demand
	clock     func() time.Time
	listener  net.Listener

	mu       sync.Mutex
	services map[string]*service
	names    []string
	last     time.Time
}

type service struct {
	Service
	queue   queue
	pods    map[string]bool // by namespace/name: whether it serves
	wanted  int
	account Account
}

// New returns a simulator that listens on a free port of 127.0.0.1 for its metrics.
func New(namespace string, services ...Service) (*Simulator, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for scrapes of the simulator: %w", err)
	}
	s := &Simulator{namespace: namespace, clock: time.Now, listener: l, services: map[string]*service{}}
	for _, svc := range services {
		s.names = append(s.names, svc.Name)
		s.services[svc.Name] = &service{Service: svc, pods: map[string]bool{}, account: Account{Capacity: svc.Capacity}}
	}
	return s, nil
}

// Address of /metrics.
func (s *Simulator) Address() string { return s.listener.Addr().String() }

// Names of the services.
func (s *Simulator) Names() []string { return s.names }

// Run offers the demand until ctx ends.
func (s *Simulator) Run(ctx context.Context, client kubernetes.Interface, demand *Demand) error {
	s.mu.Lock()
	s.demand, s.last = demand, s.clock()
	s.mu.Unlock()
	registry := prometheus.NewRegistry()
	if err := registry.Register(s); err != nil {
		return fmt.Errorf("register the metrics of the simulator: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(s.listener)
	}()
	defer func() {
		_ = server.Close()
		<-served
	}()
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(s.namespace))
	if err := s.watch(factory); err != nil {
		return err
	}
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	ticker := time.NewTicker(accountInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.mu.Lock()
			s.updateAccounts()
			s.mu.Unlock()
		}
	}
}

func (s *Simulator) watch(factory informers.SharedInformerFactory) error {
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { s.podSeen(obj.(*corev1.Pod)) },
		UpdateFunc: func(_, obj any) { s.podSeen(obj.(*corev1.Pod)) },
		DeleteFunc: func(obj any) {
			if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj); err == nil {
				s.podGone(key)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	deployment := func(obj any) {
		d := obj.(*appsv1.Deployment)
		s.mu.Lock()
		defer s.mu.Unlock()
		if svc := s.services[d.Name]; svc != nil && d.Spec.Replicas != nil {
			svc.wanted = int(*d.Spec.Replicas)
		}
	}
	_, err = factory.Apps().V1().Deployments().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    deployment,
		UpdateFunc: func(_, obj any) { deployment(obj) },
	})
	if err != nil {
		return fmt.Errorf("watch deployments: %w", err)
	}
	return nil
}

func (s *Simulator) podSeen(pod *corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	svc := s.services[pod.Labels[ServiceLabel]]
	if svc == nil {
		return
	}
	s.updateAccounts()
	key, _ := cache.MetaNamespaceKeyFunc(pod)
	svc.pods[key] = serves(pod)
}

func (s *Simulator) podGone(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updateAccounts()
	for _, svc := range s.services {
		delete(svc.pods, key)
	}
}

// serves reports whether a pod is Ready and not being deleted.
func serves(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// updateAccounts updates the accounts up to now. No replica may have changed since the last update.
// The caller holds the lock.
func (s *Simulator) updateAccounts() {
	now := s.clock()
	if s.demand == nil || !now.After(s.last) {
		return
	}
	offered := s.demand.Total(now) - s.demand.Total(s.last)
	for _, svc := range s.services {
		svc.account.add(now.Sub(s.last), offered, svc.ready(), len(svc.pods))
		if svc.Objective > 0 {
			svc.queue.add(now.Sub(s.last), s.demand.At(s.last), svc.ready(), svc.Capacity)
			if svc.latency(s.last, s.demand) > svc.Objective {
				svc.account.Missed += now.Sub(s.last)
			}
		}
	}
	s.last = now
}

// latency returns the latency of a service at an instant, in seconds.
func (svc *service) latency(at time.Time, d *Demand) float64 {
	return svc.queue.latency(at, d.At(at), svc.ready(), svc.Capacity, svc.Objective)
}

// SetCapacity changes what a replica of a service serves, as longer requests do.
func (s *Simulator) SetCapacity(name string, capacity float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updateAccounts()
	if svc := s.services[name]; svc != nil {
		svc.Capacity, svc.account.Capacity = capacity, capacity
	}
}

func (svc *service) ready() int {
	n := 0
	for _, serving := range svc.pods {
		if serving {
			n++
		}
	}
	return n
}

// Accounts returns the account of each service.
func (s *Simulator) Accounts() map[string]Account {
	all := map[string]Account{}
	for _, name := range s.names {
		all[name] = s.State(name).Account
	}
	return all
}

// State returns the present state of a service, and the zero State if the service is unknown.
func (s *Simulator) State(name string) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	svc := s.services[name]
	if svc == nil || s.demand == nil {
		return State{}
	}
	s.updateAccounts()
	return State{
		Demand: s.demand.At(s.last), Wanted: svc.wanted, Created: len(svc.pods), Ready: svc.ready(), Account: svc.account,
	}
}
