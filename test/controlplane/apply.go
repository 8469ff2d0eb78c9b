package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ApplyKustomization applies a folder with a kustomization.yaml.
func (c *ControlPlane) ApplyKustomization(ctx context.Context, dir string) error {
	_, err := c.Kubectl(ctx, nil, "apply", "--server-side", "-k", dir)
	return err
}

// Apply applies objects given as YAML.
func (c *ControlPlane) Apply(ctx context.Context, yaml string) error {
	_, err := c.Kubectl(ctx, []byte(yaml), "apply", "--server-side", "-f", "-")
	return err
}

// Kubectl runs kubectl as the administrator and returns what it prints.
func (c *ControlPlane) Kubectl(ctx context.Context, stdin []byte, args ...string) (string, error) {
	args = append([]string{"--kubeconfig=" + c.Kubeconfig}, args...)
	cmd := exec.CommandContext(ctx, filepath.Join(c.opts.Bin, "kubectl"), args...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args[1:], " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
