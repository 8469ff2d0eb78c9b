package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"headstart.dev/headstart/test/controlplane"
)

// Namespace that Headstart runs in, and the name of its Service and ServiceAccount, as the manifests have them.
const (
	Namespace = "headstart-system"
	Name      = "headstart"
)

// CRDs are the names of Headstart's CustomResourceDefinitions.
func CRDs() []string {
	return []string{"calendars.headstart.dev", "forecasts.headstart.dev", "peakschedules.headstart.dev", "warmpools.headstart.dev"}
}

// overlay points the Service at processes on this machine, for the pods of kwok only pretend to run, and leaves the Deployment
// without pods. The API server trusts the certificate for the Service's name, so nothing about TLS is different.
const overlay = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- %[1]s
patches:
- target: {kind: Service, name: headstart}
  patch: |-
    apiVersion: v1
    kind: Service
    metadata: {name: headstart, namespace: headstart-system}
    spec:
      $patch: replace
      type: ExternalName
      externalName: localhost
      ports: [{name: https, port: %[2]d}]
- target: {kind: APIService}
  patch: |-
    - {op: replace, path: /spec/service/port, value: %[2]d}
- target: {kind: Deployment, name: headstart}
  patch: |-
    - {op: replace, path: /spec/replicas, value: 0}
`

// Install applies one of the overlays of the manifests (external-metrics, custom-metrics or both), changed only in where the API
// server finds the process: on a port of this machine.
func Install(ctx context.Context, c *controlplane.ControlPlane, layout controlplane.Layout, overlayName string, port int) error {
	dir := filepath.Join(c.Dir, "overlay")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("install headstart: %w", err)
	}
	base, err := relative(dir, filepath.Join(layout.Root, "manifests", "overlays", overlayName))
	if err != nil {
		return fmt.Errorf("install headstart: %w", err)
	}
	err = os.WriteFile(filepath.Join(dir, "kustomization.yaml"), fmt.Appendf(nil, overlay, base, port), 0o644)
	if err != nil {
		return fmt.Errorf("install headstart: %w", err)
	}
	if err := c.ApplyKustomization(ctx, dir); err != nil {
		return fmt.Errorf("install headstart: %w", err)
	}
	if err := c.AwaitCRDs(ctx, CRDs()...); err != nil {
		return fmt.Errorf("install headstart: %w", err)
	}
	return nil
}

// relative is the path that kustomize needs: it takes no absolute one, and follows no link in between.
func relative(from, to string) (string, error) {
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		return "", err
	}
	if to, err = filepath.EvalSymlinks(to); err != nil {
		return "", err
	}
	return filepath.Rel(from, to)
}
