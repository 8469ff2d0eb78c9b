package certs

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var published = types.NamespacedName{Namespace: "keda", Name: "headstart-ca"}

func (s *testCluster) configMap() map[string]string {
	s.t.Helper()
	var found corev1.ConfigMap
	if err := s.client.Get(s.t.Context(), published, &found); err != nil {
		s.t.Fatal(err)
	}
	return found.Data
}

// The ConfigMap has the bundle of the APIServices through every rotation. Its other keys stay.
func TestConfigMapFollowsBundle(t *testing.T) {
	s := newTestCluster(t)
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: published.Namespace, Name: published.Name},
		Data:       map[string]string{"note": "keep"},
	}
	if err := s.client.Create(t.Context(), cm); err != nil {
		t.Fatal(err)
	}
	m := s.replica(func(o *Options) { o.ConfigMaps = []types.NamespacedName{published} })
	seen := map[string]bool{}
	for range 8 * 24 { // eight days: the CAs live for four
		s.sync(m)
		data := s.configMap()
		if data[BundleKey] != string(s.bundle(oursName)) || data["note"] != "keep" {
			t.Fatalf("the ConfigMap has %q", data)
		}
		seen[data[BundleKey]] = true
		if err := s.accepted(m, []byte(data[BundleKey])); err != nil {
			t.Fatal(err)
		}
		s.advance(time.Hour)
	}
	if len(seen) < 3 {
		t.Errorf("%d bundles in eight days: nothing was rotated", len(seen))
	}
	writes := s.writes
	if s.sync(m); s.writes != writes {
		t.Error("a ConfigMap that is current is written again")
	}
}

// Without the right to a ConfigMap the CA is still rotated, for the other clients. It is counted.
func TestConfigMapThatIsForbidden(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, published.Name, errors.New("no"))
	s := newTestCluster(t)
	m := s.replica(func(o *Options) { o.ConfigMaps = []types.NamespacedName{published} })
	s.hooks.Get = func(
		ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption,
	) error {
		if _, ok := obj.(*corev1.ConfigMap); ok {
			return forbidden
		}
		return c.Get(ctx, key, obj, opts...)
	}
	bundles := map[string]bool{}
	for range 8 * 24 { // eight days: the CAs live for four
		s.sync(m)
		bundles[string(s.bundle(oursName))] = true
		s.advance(time.Hour)
	}
	if len(bundles) < 3 {
		t.Errorf("%d bundles in eight days: nothing was rotated", len(bundles))
	}
	if got := testutil.ToFloat64(m.instruments.failures); got < 8*24 {
		t.Errorf("%v failures are counted, want one for each sync", got)
	}
}

// One that does not exist holds nobody up. One that cannot be written keeps the next CA from signing,
// as an APIService does, and is an error.
func TestConfigMapThatFails(t *testing.T) {
	s := newTestCluster(t)
	m := s.replica(func(o *Options) { o.ConfigMaps = []types.NamespacedName{published} })
	s.sync(m)
	if err := s.accepted(m, s.bundle(oursName)); err != nil {
		t.Error(err)
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: published.Namespace, Name: published.Name}}
	if err := s.client.Create(t.Context(), cm); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("no right to patch it")
	s.hooks.Patch = func(
		ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption,
	) error {
		if _, ok := obj.(*corev1.ConfigMap); ok {
			return refused
		}
		return c.Patch(ctx, obj, patch, opts...)
	}
	if err := m.Sync(t.Context()); !errors.Is(err, refused) {
		t.Errorf("error %v, want %v", err, refused)
	}
}
