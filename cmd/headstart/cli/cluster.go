package cli

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/controller"
)

// clusterFlags are kubectl's own flags for reaching a cluster.
type clusterFlags struct {
	config        *genericclioptions.ConfigFlags
	allNamespaces bool
}

func newClusterFlags(f *pflag.FlagSet) *clusterFlags {
	c := newNamespacedFlags(f)
	f.BoolVarP(&c.allNamespaces, "all-namespaces", "A", false, "look at every namespace")
	return c
}

// newNamespacedFlags are those of a command that looks at one namespace.
func newNamespacedFlags(f *pflag.FlagSet) *clusterFlags {
	c := &clusterFlags{config: genericclioptions.NewConfigFlags(true)}
	c.config.AddFlags(f)
	return c
}

// clusterTimeout ends a request to an API server that does not answer.
const clusterTimeout = 30 * time.Second

// client reads the cluster with the user's own permissions.
func (c *clusterFlags) client() (client.Client, error) {
	config, err := c.restConfig()
	if err != nil {
		return nil, err
	}
	reader, err := client.New(config, client.Options{Scheme: controller.NewScheme()})
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	return reader, nil
}

// restConfig bounds how often the cluster is asked, and for how long an answer is waited for.
func (c *clusterFlags) restConfig() (*rest.Config, error) {
	config, err := c.config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to ask: give --kubeconfig or --context: %w", err)
	}
	config.QPS, config.Burst = 50, 100
	if config.Timeout == 0 {
		config.Timeout = clusterTimeout // --request-timeout says otherwise
	}
	return config, nil
}

// namespace is the one to look at; "" for all of them.
func (c *clusterFlags) namespace() (string, error) {
	if c.allNamespaces {
		return "", nil
	}
	ns, _, err := c.config.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig's namespace: %w", err)
	}
	return ns, nil
}
