package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
)

// Namespace that Headstart runs in, and the name of its Service and ServiceAccount, as the
// manifests have them.
const (
	Namespace = "headstart-system"
	Name      = "headstart"
)

// CRDs are the names of Headstart's CustomResourceDefinitions.
func CRDs() []string {
	return []string{
		"calendars.headstart.dev", "forecasts.headstart.dev", "peakschedules.headstart.dev", "warmpools.headstart.dev",
	}
}

// kustomizationYAML points the Service at processes on this machine, since kwok's pods only pretend
// to run, and leaves the Deployment without pods. The API server trusts the certificate for the
// Service's name, so nothing about TLS is different.
const kustomizationYAML = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- %[1]s
components: [%[3]s]
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

// Install applies one of the overlays of the manifests (external-metrics, custom-metrics, both or keda),
// with some of the components. Only the place where the API server finds the process is changed: a
// port of this machine.
func Install(
	ctx context.Context, c *controlplane.ControlPlane, layout binaries.Layout, overlay string, port int,
	components ...string,
) error {
	if err := install(ctx, c, layout, overlay, port, components); err != nil {
		return fmt.Errorf("install headstart: %w", err)
	}
	return nil
}

func install(
	ctx context.Context, c *controlplane.ControlPlane, layout binaries.Layout, overlay string, port int,
	components []string,
) error {
	dir := filepath.Join(c.Dir, "overlay")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	base, err := relative(dir, filepath.Join(layout.Root, "manifests", "overlays", overlay))
	if err != nil {
		return err
	}
	var paths []string
	for _, name := range components {
		path, err := relative(dir, filepath.Join(layout.Root, "manifests", "components", name))
		if err != nil {
			return err
		}
		paths = append(paths, path)
	}
	kustomization := fmt.Appendf(nil, kustomizationYAML, base, port, strings.Join(paths, ", "))
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), kustomization, 0o644); err != nil {
		return err
	}
	if err := c.ApplyKustomization(ctx, dir); err != nil {
		return err
	}
	return c.AwaitCRDs(ctx, CRDs()...)
}

// relative is the path that kustomize needs: it takes no absolute one, and follows no link in
// between.
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
