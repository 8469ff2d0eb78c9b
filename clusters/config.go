package clusters

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// anyNamespace in [Config.Namespaces] opens a cluster to all of them.
const anyNamespace = "*"

// maxClusters bounds the connections of one replica.
const maxClusters = 64

// Config is one cluster, as the configuration file describes it.
type Config struct {
	// Name is what a Forecast calls it.
	Name string `json:"name"`
	// Kubeconfig is the file that says how to reach it. A relative name is relative to the
	// configuration file.
	Kubeconfig string `json:"kubeconfig"`
	// Context of the kubeconfig; its current one when it is empty.
	Context string `json:"context,omitempty"`
	// Namespaces are those whose Forecasts may name the cluster; "*" is any.
	Namespaces []string `json:"namespaces"`
	// RemoteNamespaces lists, for a namespace here, the namespaces there that it may read. Without an
	// entry, that is the namespace of the same name.
	RemoteNamespaces map[string][]string `json:"remoteNamespaces,omitempty"`
}

// admits reports whether a namespace may name the cluster at all.
func (c *Config) admits(namespace string) bool {
	return slices.Contains(c.Namespaces, namespace) || slices.Contains(c.Namespaces, anyNamespace)
}

// reads reports whether a namespace here may read a namespace there.
func (c *Config) reads(namespace, remote string) bool {
	if list, ok := c.RemoteNamespaces[namespace]; ok {
		return slices.Contains(list, remote)
	}
	return namespace == remote
}

func (c *Config) validate() error {
	switch {
	case len(validation.IsDNS1123Label(c.Name)) > 0:
		return fmt.Errorf("name %q must be lower case letters, digits and dashes, at most 63", c.Name)
	case c.Kubeconfig == "":
		return errors.New("kubeconfig is missing: name the file that says how to reach the cluster")
	case len(c.Namespaces) == 0:
		return errors.New(`namespaces is empty, so that no Forecast could use the cluster: name them, or "*" for any`)
	}
	for namespace, list := range c.RemoteNamespaces {
		for _, remote := range append([]string{namespace}, list...) {
			if len(validation.IsDNS1123Label(remote)) > 0 {
				return fmt.Errorf("remoteNamespaces: %q is not the name of a namespace", remote)
			}
		}
	}
	return nil
}

// cluster is a Config with what its kubeconfig says.
type cluster struct {
	Config
	text []byte // of the kubeconfig
	rest *rest.Config
}

// same reports whether nothing about how the cluster is reached has changed.
func (c *cluster) same(other *cluster) bool {
	return other != nil && c.Kubeconfig == other.Kubeconfig && c.Context == other.Context &&
		bytes.Equal(c.text, other.text)
}

// quoted matches a part of the file in a message of the YAML library. The part may be a secret in
// the wrong place.
var quoted = regexp.MustCompile("[`\"][^`\"]*[`\"]")

// load reads the configuration file and the kubeconfigs that it names.
func load(path string) (map[string]*cluster, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the clusters: %w", err)
	}
	var file struct {
		Clusters []Config `json:"clusters"`
	}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return nil, fmt.Errorf("reading the clusters from %s: %s", path, quoted.ReplaceAllString(err.Error(), "(value)"))
	}
	if len(file.Clusters) > maxClusters {
		return nil, fmt.Errorf("reading the clusters from %s: %d are more than %d", path, len(file.Clusters), maxClusters)
	}
	out := map[string]*cluster{}
	for i, c := range file.Clusters {
		loaded, err := c.load(filepath.Dir(path))
		switch {
		case err != nil:
			return nil, fmt.Errorf("reading the clusters from %s: clusters[%d] (%q): %w", path, i, c.Name, err)
		case out[c.Name] != nil:
			return nil, fmt.Errorf("reading the clusters from %s: clusters[%d]: the name %q is used twice", path, i, c.Name)
		}
		out[c.Name] = loaded
	}
	return out, nil
}
