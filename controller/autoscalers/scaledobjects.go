package autoscalers

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

const (
	// kedaCheck is how often the cluster is asked whether it has KEDA's CRDs.
	kedaCheck = time.Minute
	// kedaWait bounds how long plans wait for the ScaledObjects after a start.
	kedaWait = 30 * time.Second
)

// Discovery says which kinds the cluster serves now.
type Discovery interface {
	ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error)
}

// ScaledObjects holds the ScaledObjects of KEDA that read Forecasts, each parsed once per change. It
// runs on every replica, because every one of them may own Forecasts. As long as the cluster does not
// serve the kind, it asks for no ScaledObject. A nil one has none.
type ScaledObjects struct {
	cache     cache.Cache
	discovery Discovery
	clock     clock.WithTicker
	logger    *slog.Logger
	// changes has an event for each Forecast that a changed ScaledObject reads.
	changes chan event.GenericEvent

	mu      sync.Mutex
	began   time.Time
	asked   bool // the cluster has said whether it serves the kind
	synced  func() bool
	objects map[types.NamespacedName]planner.ScaledObject
	// readers are the ScaledObjects that read a Forecast, by the Forecast.
	readers map[types.NamespacedName]map[types.NamespacedName]bool
}

// NewScaledObjects returns one that reads from c, once d says that the cluster serves the kind.
func NewScaledObjects(c cache.Cache, d Discovery, clock clock.WithTicker, logger *slog.Logger) *ScaledObjects {
	return &ScaledObjects{
		cache: c, discovery: d, clock: clock, logger: logger, changes: make(chan event.GenericEvent, 1024),
		objects: map[types.NamespacedName]planner.ScaledObject{},
		readers: map[types.NamespacedName]map[types.NamespacedName]bool{},
	}
}

// NeedLeaderElection is false: the replica that owns a Forecast reads the ScaledObjects of it.
func (s *ScaledObjects) NeedLeaderElection() bool { return false }

// Start follows the ScaledObjects until ctx ends, from when the cluster serves the kind.
func (s *ScaledObjects) Start(ctx context.Context) error {
	s.mu.Lock()
	s.began = s.clock.Now()
	s.mu.Unlock()
	tick := s.clock.NewTicker(kedaCheck)
	defer tick.Stop()
	for {
		if err := s.check(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("cannot read ScaledObjects", "error", err, "retry_in", kedaCheck)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C():
		}
	}
}

// check begins to follow the ScaledObjects when the cluster serves the kind, and ends that when it
// does not any more.
func (s *ScaledObjects) check(ctx context.Context) error {
	served, err := s.served()
	if err != nil {
		return err
	}
	s.mu.Lock()
	following := s.synced != nil
	s.asked = true
	s.mu.Unlock()
	switch {
	case served && !following:
		return s.follow(ctx)
	case !served && following:
		s.logger.Info("the cluster serves no ScaledObjects any more")
		err := s.cache.RemoveInformer(ctx, emptyScaledObject())
		s.mu.Lock()
		defer s.mu.Unlock()
		for key := range s.objects {
			s.replace(key, planner.ScaledObject{})
		}
		s.synced = nil
		return err
	}
	return nil
}

func (s *ScaledObjects) served() (bool, error) {
	kind := planner.ScaledObjectKind
	list, err := s.discovery.ServerResourcesForGroupVersion(kind.GroupVersion().String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the API of %s: %w", kind.Kind, err)
	}
	return slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Kind == kind.Kind }), nil
}

func emptyScaledObject() *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(planner.ScaledObjectKind)
	return obj
}

func (s *ScaledObjects) follow(ctx context.Context) error {
	informer, err := s.cache.GetInformer(ctx, emptyScaledObject(), cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch ScaledObjects: %w", err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { s.store(nil, obj) },
		UpdateFunc: s.store,
		DeleteFunc: s.remove,
	})
	if err != nil {
		return fmt.Errorf("watch ScaledObjects: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced = registration.HasSynced
	s.logger.Info("reading ScaledObjects")
	return nil
}

// store reads a new or a changed ScaledObject. before is the same one until now; nil if it is new.
func (s *ScaledObjects) store(before, obj any) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return
	}
	parsed, err := planner.ReadScaledObject(u)
	if err != nil {
		// KEDA writes the status often, and a status changes nothing here.
		if old, ok := before.(*unstructured.Unstructured); !ok || old.GetGeneration() != u.GetGeneration() {
			s.logger.Warn("a ScaledObject is left out", "error", err)
		}
		parsed = planner.ScaledObject{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace(client.ObjectKeyFromObject(u), parsed)
}

func (s *ScaledObjects) remove(obj any) {
	if tombstone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = tombstone.Obj
	}
	if u, ok := obj.(*unstructured.Unstructured); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.replace(client.ObjectKeyFromObject(u), planner.ScaledObject{})
	}
}

// replace stores a ScaledObject, or forgets one that reads no Forecast. The Forecasts that it read
// before, or reads now, are planned again, unless nothing that matters has changed: KEDA writes the
// status often. The caller holds the lock.
func (s *ScaledObjects) replace(key types.NamespacedName, now planner.ScaledObject) {
	before := s.objects[key]
	if before.Equal(now) {
		return
	}
	affected := map[types.NamespacedName]bool{}
	for _, name := range before.Forecasts() {
		fc := types.NamespacedName{Namespace: key.Namespace, Name: name}
		affected[fc] = true
		if delete(s.readers[fc], key); len(s.readers[fc]) == 0 {
			delete(s.readers, fc)
		}
	}
	delete(s.objects, key)
	for _, name := range now.Forecasts() {
		fc := types.NamespacedName{Namespace: key.Namespace, Name: name}
		affected[fc] = true
		if s.readers[fc] == nil {
			s.readers[fc] = map[types.NamespacedName]bool{}
		}
		s.readers[fc][key] = true
		s.objects[key] = now
	}
	for fc := range affected {
		s.send(fc)
	}
}

// send never blocks. A change that is dropped is seen at the Forecast's next step.
func (s *ScaledObjects) send(key types.NamespacedName) {
	fc := &v1alpha1.Forecast{}
	fc.Namespace, fc.Name = key.Namespace, key.Name
	select {
	case s.changes <- event.GenericEvent{Object: fc}:
	default:
	}
}

// of returns the ScaledObjects that read a Forecast, by name.
func (s *ScaledObjects) of(fc *v1alpha1.Forecast) []planner.ScaledObject {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(s.readers[client.ObjectKeyFromObject(fc)]), func(a, b types.NamespacedName) int {
		return strings.Compare(a.Name, b.Name)
	})
	var out []planner.ScaledObject
	for _, key := range keys {
		out = append(out, s.objects[key])
	}
	return out
}

// wait reports whether to plan later, because the ScaledObjects have not been read since the start:
// a plan without them would have to be written again soon.
func (s *ScaledObjects) wait() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.began.IsZero() && s.clock.Since(s.began) > kedaWait {
		return false
	}
	return !s.asked || (s.synced != nil && !s.synced())
}
