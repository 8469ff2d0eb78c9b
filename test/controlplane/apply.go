package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// ApplyKustomization applies a folder that has a kustomization.yaml.
func (c *ControlPlane) ApplyKustomization(ctx context.Context, dir string) error {
	_, err := c.Kubectl(ctx, nil, "apply", "--server-side", "-k", dir)
	return err
}

// Apply applies objects given as YAML.
func (c *ControlPlane) Apply(ctx context.Context, yaml string) error {
	_, err := c.Kubectl(ctx, []byte(yaml), "apply", "--server-side", "-f", "-")
	return err
}

// Kubectl runs kubectl as the administrator and returns its output. An error has what kubectl wrote
// to stderr.
func (c *ControlPlane) Kubectl(ctx context.Context, stdin []byte, args ...string) (string, error) {
	// The cache is this control plane's own. That in the user's home may have discovery data of an
	// earlier control plane with the same address.
	args = append([]string{"--kubeconfig=" + c.Kubeconfig, "--cache-dir=" + filepath.Join(c.Dir, "kubectl")}, args...)
	cmd := exec.CommandContext(ctx, filepath.Join(c.opts.Bin, "kubectl"), args...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args[2:], " "), err,
			strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// AwaitCRDs waits until objects of CustomResourceDefinitions, such as forecasts.headstart.dev, can
// be applied. The API server reports them as established a moment before it serves them and kubectl
// finds them.
func (c *ControlPlane) AwaitCRDs(ctx context.Context, names ...string) error {
	args := []string{"wait", "--for=condition=Established", "--timeout=3m"}
	for _, name := range names {
		args = append(args, "crd/"+name)
	}
	var last error
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 3*time.Minute, true,
		func(ctx context.Context) (bool, error) {
			// kubectl wait ends with an error for an object that has no conditions yet.
			if _, last = c.Kubectl(ctx, nil, args...); last != nil {
				return false, nil
			}
			_, last = c.Kubectl(ctx, nil, "get", strings.Join(names, ","), "--all-namespaces", "--output=name")
			return last == nil, nil
		})
	if err != nil {
		return fmt.Errorf("wait until %s can be applied: %w (%w)", strings.Join(names, ", "), err, last)
	}
	return nil
}
