// Package prometheus reaches the Prometheus that a command reads history from: at a URL, or at a
// Service in the cluster through the API server. Where a command names none, it looks for one.
package prometheus

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/prometheus/common/config"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"

	"headstart.dev/headstart/history"
)

// Flags say how to reach Prometheus.
type Flags struct {
	// At is a URL, or NAMESPACE/SERVICE:PORT where there is a cluster; "" if none is named.
	At string
	// HTTPConfig is a file with the configuration of the HTTP client, for a URL.
	HTTPConfig string
	// Cluster returns how to reach the cluster; nil where At must be a URL.
	Cluster func() (*rest.Config, error)
	// Found reports whether At is what Find has found.
	Found bool
}

// none is what --prometheus has where history must not be read.
const none = "none"

// AnyOf says what --prometheus takes where there is a cluster.
const AnyOf = "--prometheus with NAMESPACE/SERVICE:PORT, such as monitoring/prometheus:9090, " +
	"or with a URL that you can reach"

// Register registers the flags of a command that knows no cluster.
func (f *Flags) Register(flags *pflag.FlagSet) {
	flags.StringVar(&f.At, "prometheus", "", "read demand from the Prometheus at this `URL`")
	flags.StringVar(&f.HTTPConfig, "prometheus-http-config", "",
		"`FILE` with the HTTP client configuration for --prometheus, in Prometheus's own format: TLS, authentication, "+
			"headers")
}

// Through lets --prometheus name a Service in the cluster too.
func (f *Flags) Through(cluster func() (*rest.Config, error), flags *pflag.FlagSet) {
	f.Cluster = cluster
	flags.Lookup("prometheus").Usage = "read demand from the Prometheus at this `URL`, or at NAMESPACE/SERVICE:PORT in " +
		"the cluster, or from none (default the one Prometheus that is found in the cluster)"
}

// Given reports whether there is a Prometheus to read.
func (f *Flags) Given() bool { return f.At != "" && f.At != none }

// Source returns the Prometheus that the flags name. Its errors are in the words of the flags.
func (f *Flags) Source() (*history.Source, error) {
	options := history.SourceConfig{URL: f.At, Words: f.words()}
	if f.HTTPConfig != "" {
		loaded, _, err := config.LoadHTTPConfigFile(f.HTTPConfig)
		if err != nil {
			return nil, fmt.Errorf("read --prometheus-http-config: %w", err)
		}
		loaded.SetDirectory(filepath.Dir(f.HTTPConfig))
		options.HTTPClientConfig = loaded
	}
	switch {
	case f.isURL():
		return history.NewSource(options)
	case f.Cluster == nil:
		return nil, fmt.Errorf("--prometheus %q is not a URL: give for example http://localhost:9090", f.At)
	case f.HTTPConfig != "":
		return nil, errors.New("--prometheus-http-config is for a URL: the API server is reached as by kubectl")
	}
	cluster, err := f.Cluster()
	if err != nil {
		return nil, err
	}
	if options.URL, options.Transport, err = ThroughAPIServer(f.At, cluster); err != nil {
		return nil, err
	}
	return history.NewSource(options)
}

func (f *Flags) isURL() bool { return strings.Contains(f.At, "://") }

// words are those of the flags, which know neither sources nor their limits.
func (f *Flags) words() *history.Words {
	if !f.isURL() {
		return &history.Words{
			URL: "the Service of --prometheus", HTTPClientConfig: "--prometheus-http-config, with a URL for --prometheus",
			Reader: "the API server",
		}
	}
	out := &history.Words{
		URL: "the URL of --prometheus", HTTPClientConfig: "--prometheus-http-config", Reader: "this machine",
	}
	if f.Cluster != nil {
		out.OrReach = "; for a Prometheus inside the cluster give --prometheus NAMESPACE/SERVICE:PORT"
	}
	return out
}
