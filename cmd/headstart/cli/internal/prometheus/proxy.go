package prometheus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"headstart.dev/headstart/history"
	"headstart.dev/headstart/report/render"
)

// ThroughAPIServer returns how to reach NAMESPACE/SERVICE:PORT through the proxy of the API server.
// Before the service there may be a scheme: NAMESPACE/https:SERVICE:PORT.
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
	if _, bare, ok := strings.Cut(port, ":"); ok { // host is the scheme
		host, port = strings.TrimSuffix(port, ":"+bare), bare
	}
	address = base.JoinPath("api/v1/namespaces", namespace, "services", service, "proxy").String()
	return address, proxied{transport, namespace, host, port}, nil
}

// proxied is a transport to a Service behind the API server. It explains the answers that the API
// server gives itself, where it does not reach the Service.
type proxied struct {
	next                     http.RoundTripper
	namespace, service, port string
}

// maxStatus bounds what is read of an error.
const maxStatus = 16 << 10

// RoundTrip sends a request. Where a POST is forbidden, the answer is left as it is: the caller
// then tries GET, which needs another right.
func (p proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.next.RoundTrip(r)
	if err != nil || resp.StatusCode < http.StatusBadRequest ||
		resp.StatusCode == http.StatusForbidden && r.Method != http.MethodGet {
		return resp, err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxStatus))
	if err != nil {
		_ = resp.Body.Close() // the error is that of the read
		return nil, err
	}
	var status metav1.Status
	if json.Unmarshal(text, &status) == nil && status.Kind == "Status" {
		_ = resp.Body.Close() // all of it is read
		return nil, p.explain(resp.StatusCode, status.Message)
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(text), resp.Body), resp.Body}
	return resp, nil
}

// explain says what an error of the API server means, and what to do.
func (p proxied) explain(code int, message string) error {
	where := fmt.Sprintf("service %s in namespace %s", p.service, p.namespace)
	forward := fmt.Sprintf("kubectl port-forward -n %s service/%s 9090:%s", p.namespace, p.service, p.port)
	switch code {
	case http.StatusForbidden:
		return &history.Error{Kind: history.ErrUnauthorized, Message: fmt.Sprintf("you may not reach %s through the API "+
			"server: that needs get on services/proxy; or run %q, and give --prometheus http://localhost:9090", where, forward)}
	case http.StatusNotFound:
		return &history.Error{Kind: history.ErrNotPrometheus, Message: fmt.Sprintf("there is no %s: %q lists those there "+
			"are", where, "kubectl get services -n "+p.namespace)}
	case http.StatusServiceUnavailable:
		return &history.Error{Kind: history.ErrUnavailable, Message: fmt.Sprintf("the API server does not reach %s at "+
			"port %s (%s): check the port, and that a pod of it is Ready", where, p.port, abridged(message))}
	}
	return &history.Error{Kind: history.ErrUnavailable, Message: fmt.Sprintf("the API server does not reach %s (HTTP %d: "+
		"%s)", where, code, abridged(message))}
}

// abridged is a text of a server that may be shown.
func abridged(text string) string {
	const most = 200
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return render.Printable(text)
}
