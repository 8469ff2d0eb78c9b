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

// injectBundle writes the CA bundle into the ConfigMaps, and into every APIService that points at
// our Service. It turns the verification of those APIServices on.
func (m *Manager) injectBundle(ctx context.Context, bundle []byte) error {
	if len(bundle) == 0 {
		return nil
	}
	var errs []error
	for _, name := range m.options.APIServices {
		if err := m.injectInto(ctx, name, bundle); err != nil {
			errs = append(errs, fmt.Errorf("put the CA into APIService %s: %w", name, err))
		}
	}
	for _, name := range m.options.ConfigMaps {
		if err := m.publish(ctx, name, bundle); err != nil {
			errs = append(errs, fmt.Errorf("put the CA into ConfigMap %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) injectInto(ctx context.Context, name string, bundle []byte) error {
	var service unstructured.Unstructured
	service.SetGroupVersionKind(apiServiceKind)
	if err := m.client.Get(ctx, client.ObjectKey{Name: name}, &service); err != nil {
		return client.IgnoreNotFound(err) // the group is not installed
	}
	if !m.ownsAPIService(&service) || verifiesWith(&service, bundle) {
		return nil
	}
	before := service.DeepCopy()
	encoded := base64.StdEncoding.EncodeToString(bundle)
	if err := unstructured.SetNestedField(service.Object, encoded, "spec", "caBundle"); err != nil {
		return err
	}
	// The API server refuses both fields together.
	unstructured.RemoveNestedField(service.Object, "spec", "insecureSkipTLSVerify")
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := m.client.Patch(ctx, &service, patch); err != nil {
		if apierrors.IsConflict(err) {
			return m.checkBundle(ctx, name, bundle)
		}
		return err
	}
	m.options.Logger.Info("wrote the CA bundle", "api_service", name)
	return nil
}

// checkBundle is called after a conflict. It returns nil when another replica wrote the same
// bundle. Its error is no conflict, because the caller would read the Secret again, and that has
// not changed.
func (m *Manager) checkBundle(ctx context.Context, name string, bundle []byte) error {
	var service unstructured.Unstructured
	service.SetGroupVersionKind(apiServiceKind)
	if err := m.client.Get(ctx, client.ObjectKey{Name: name}, &service); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !m.ownsAPIService(&service) || verifiesWith(&service, bundle) {
		return nil
	}
	return errors.New("it has changed since it was read; trying again")
}

// ownsAPIService reports whether an APIService points at our Service. Others are never changed.
func (m *Manager) ownsAPIService(service *unstructured.Unstructured) bool {
	namespace, _, _ := unstructured.NestedString(service.Object, "spec", "service", "namespace")
	name, _, _ := unstructured.NestedString(service.Object, "spec", "service", "name")
	return namespace == m.options.Namespace && name == m.options.Service
}

// verifiesWith reports whether the API server verifies an APIService with exactly this bundle.
func verifiesWith(service *unstructured.Unstructured, bundle []byte) bool {
	encoded, _, _ := unstructured.NestedString(service.Object, "spec", "caBundle")
	insecure, _, _ := unstructured.NestedBool(service.Object, "spec", "insecureSkipTLSVerify")
	got, err := base64.StdEncoding.DecodeString(encoded)
	return err == nil && !insecure && bytes.Equal(got, bundle)
}
