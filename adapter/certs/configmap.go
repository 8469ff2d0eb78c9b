package certs

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// BundleKey is the key of a ConfigMap that holds the CA bundle.
const BundleKey = "ca.crt"

// publish puts the bundle into a ConfigMap, where it differs. A ConfigMap that does not exist, or that
// the server has no right to, is no error, because the other clients must not wait for it: the
// manifests create it and give the right.
func (m *Manager) publish(ctx context.Context, name types.NamespacedName, bundle []byte) error {
	err := m.patchBundle(ctx, name, bundle)
	if apierrors.IsForbidden(err) {
		m.instruments.failures.Inc()
		m.options.Logger.Warn("no right to publish the CA: apply the manifests again",
			"config_map", name.String(), "error", err)
		return nil
	}
	return err
}

func (m *Manager) patchBundle(ctx context.Context, name types.NamespacedName, bundle []byte) error {
	var found corev1.ConfigMap
	switch err := m.client.Get(ctx, name, &found); {
	case apierrors.IsNotFound(err):
		m.options.Logger.Warn("cannot publish the CA, because the ConfigMap does not exist: apply the manifests again",
			"config_map", name.String())
		return nil
	case err != nil:
		return err
	case found.Data[BundleKey] == string(bundle):
		return nil
	}
	before := found.DeepCopy()
	if found.Data == nil {
		found.Data = map[string]string{}
	}
	found.Data[BundleKey] = string(bundle)
	if err := m.client.Patch(ctx, &found, client.MergeFrom(before)); err != nil {
		return err
	}
	m.options.Logger.Info("wrote the CA bundle", "config_map", name.String())
	return nil
}
