package preflight

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/scheduler/door"
)

// askTimeout bounds what a command does to ask a cluster that it does not need.
const askTimeout = 3 * time.Second

// Found is what a cluster says about new autoscalers.
type Found struct {
	// Door is the one to use, and Why says what the cluster has.
	Door door.Door
	Why  string
	// Kubernetes is the version of the cluster.
	Kubernetes door.Kubernetes
}

// Ask asks a cluster what a new autoscaler should be like. It takes three seconds at most.
func Ask(ctx context.Context, config *rest.Config) (Found, error) {
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
		found Found
		err   error
	}
	// Not all of the client's requests follow the context, and neither does a plugin that gets
	// credentials. What is left behind ends with the process.
	answers := make(chan answer, 1)
	go func() {
		found, err := ask(ctx, config)
		answers <- answer{found, err}
	}()
	select {
	case a := <-answers:
		return a.found, a.err
	case <-ctx.Done():
		return Found{}, fmt.Errorf("no answer within %s", askTimeout)
	}
}

func ask(ctx context.Context, config *rest.Config) (Found, error) {
	reader, err := client.New(config, client.Options{Scheme: controller.NewScheme()})
	if err != nil {
		return Found{}, err
	}
	var f Found
	if f.Door, f.Why, err = Choose(ctx, reader); err != nil {
		return Found{}, err
	}
	versions, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return Found{}, err
	}
	version, err := versions.ServerVersion()
	if err != nil {
		return Found{}, fmt.Errorf("read its version: %w", err)
	}
	f.Kubernetes, err = door.ParseKubernetes(version.Major + "." + version.Minor)
	return f, err
}
