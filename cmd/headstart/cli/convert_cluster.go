package cli

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/cmd/headstart/cli/internal/preflight"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/scheduler/convert"
	"headstart.dev/headstart/scheduler/door"
)

// askTimeout bounds what a command does to ask a cluster that it does not need.
const askTimeout = 3 * time.Second

// finding is what a cluster says about new autoscalers.
type finding struct {
	door       door.Door
	why        string
	kubernetes door.Kubernetes
}

// askCluster lets the cluster of the kubeconfig decide what the options leave open. It returns a note
// about that; "" where there is no kubeconfig. A cluster that does not answer changes nothing.
func askCluster(ctx context.Context, cluster *clusterFlags, options *convert.Options) string {
	raw, err := cluster.config.loader().RawConfig()
	if err == nil && cluster.config.overrides.CurrentContext == "" && raw.Contexts[raw.CurrentContext] == nil {
		return ""
	}
	found, err := cluster.findDoor(ctx)
	if err != nil {
		return fmt.Sprintf("the cluster of the kubeconfig does not say which door is free: %v; "+
			"new HPAs get an External metric, and --door chooses another way", err)
	}
	options.Unasked = found.door
	if options.Kubernetes == 0 {
		options.Kubernetes = found.kubernetes
	}
	return fmt.Sprintf("in the cluster of the kubeconfig %s, so the door is %s; --door chooses another",
		found.why, found.door)
}

// findDoor asks the cluster, for [askTimeout] at most.
func (c *clusterFlags) findDoor(ctx context.Context) (finding, error) {
	config, err := c.config.restConfig()
	if err != nil {
		return finding{}, err
	}
	config = rest.CopyConfig(config)
	config.Timeout = 2 * askTimeout // so that the context below ends first
	if config.ExecProvider != nil {
		// Standard input may be the manifests, and nobody expects a question.
		config.ExecProvider.StdinUnavailable = true
		config.ExecProvider.StdinUnavailableMessage = "the cluster is asked in passing"
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	type answer struct {
		found finding
		err   error
	}
	// Not all of the client's requests follow the context, and neither does a plugin that gets
	// credentials. What is left behind ends with the process.
	answers := make(chan answer, 1)
	go func() {
		found, err := findDoor(ctx, config)
		answers <- answer{found, err}
	}()
	select {
	case a := <-answers:
		return a.found, a.err
	case <-ctx.Done():
		return finding{}, fmt.Errorf("no answer within %s", askTimeout)
	}
}

func findDoor(ctx context.Context, config *rest.Config) (finding, error) {
	reader, err := client.New(config, client.Options{Scheme: controller.NewScheme()})
	if err != nil {
		return finding{}, err
	}
	var f finding
	if f.door, f.why, err = preflight.Choose(ctx, reader); err != nil {
		return finding{}, err
	}
	versions, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return finding{}, err
	}
	version, err := versions.ServerVersion()
	if err != nil {
		return finding{}, fmt.Errorf("read its version: %w", err)
	}
	f.kubernetes, err = door.ParseKubernetes(version.Major + "." + version.Minor)
	return f, err
}
