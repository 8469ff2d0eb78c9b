package certs

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var apiServiceKind = schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"}

// announce puts the bundle into every APIService that is ours, and turns verification on.
func (m *Manager) announce(ctx context.Context, bundle []byte) error {
	if len(bundle) == 0 {
		return nil
	}
	var errs []error
	for _, name := range m.options.APIServices {
		if err := m.inject(ctx, name, bundle); err != nil {
			errs = append(errs, fmt.Errorf("put the CA into APIService %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) inject(ctx context.Context, name string, bundle []byte) error {
	var service unstructured.Unstructured
	service.SetGroupVersionKind(apiServiceKind)
	if err := m.client.Get(ctx, client.ObjectKey{Name: name}, &service); err != nil {
		return client.IgnoreNotFound(err) // the group is not installed
	}
	if !m.ours(&service) || has(&service, bundle) {
		return nil
	}
	before := service.DeepCopy()
	if err := unstructured.SetNestedField(service.Object, base64.StdEncoding.EncodeToString(bundle), "spec", "caBundle"); err != nil {
		return err
	}
	// The API server refuses a bundle beside it.
	unstructured.RemoveNestedField(service.Object, "spec", "insecureSkipTLSVerify")
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := m.client.Patch(ctx, &service, patch); err != nil {
		if apierrors.IsConflict(err) {
			return m.injected(ctx, name, bundle)
		}
		return err
	}
	m.options.Logger.Info("announced the CA", "api_service", name)
	return nil
}

// injected is nil if another replica announced the same bundle in the meantime. The conflict is not handed on as one: what is
// to be read again is the APIService, not the Secret.
func (m *Manager) injected(ctx context.Context, name string, bundle []byte) error {
	var service unstructured.Unstructured
	service.SetGroupVersionKind(apiServiceKind)
	if err := m.client.Get(ctx, client.ObjectKey{Name: name}, &service); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !m.ours(&service) || has(&service, bundle) {
		return nil
	}
	return errors.New("it changed in the meantime; trying again")
}

// ours is true if the APIService points at our Service. Everybody else's is left alone.
func (m *Manager) ours(service *unstructured.Unstructured) bool {
	namespace, _, _ := unstructured.NestedString(service.Object, "spec", "service", "namespace")
	name, _, _ := unstructured.NestedString(service.Object, "spec", "service", "name")
	return namespace == m.options.Namespace && name == m.options.Service
}

func has(service *unstructured.Unstructured, bundle []byte) bool {
	encoded, _, _ := unstructured.NestedString(service.Object, "spec", "caBundle")
	insecure, _, _ := unstructured.NestedBool(service.Object, "spec", "insecureSkipTLSVerify")
	got, err := base64.StdEncoding.DecodeString(encoded)
	return err == nil && !insecure && bytes.Equal(got, bundle)
}
