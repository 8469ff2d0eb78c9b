package whatif

import (
	"fmt"
	"net/http"
	"strings"

	"k8s.io/client-go/rest"
)

// ThroughAPIServer returns how to reach NAMESPACE/SERVICE:PORT through the proxy of the API server.
func ThroughAPIServer(name string, config *rest.Config) (address string, transport http.RoundTripper, err error) {
	namespace, service, ok := strings.Cut(name, "/")
	host, port, hasPort := strings.Cut(service, ":")
	if !ok || !hasPort || namespace == "" || host == "" || port == "" || strings.ContainsAny(service, "/?#%") {
		return "", nil, fmt.Errorf("--prometheus %q is neither a URL nor NAMESPACE/SERVICE:PORT: "+
			"give for example http://localhost:9090 or monitoring/prometheus:9090", name)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return "", nil, fmt.Errorf("read the address of the API server: %w", err)
	}
	if transport, err = rest.TransportFor(config); err != nil {
		return "", nil, fmt.Errorf("connect to the API server: %w", err)
	}
	return base.JoinPath("api/v1/namespaces", namespace, "services", service, "proxy").String(), transport, nil
}
