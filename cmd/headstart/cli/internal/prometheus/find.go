package prometheus

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

const (
	// findWithin bounds the search.
	findWithin = 5 * time.Second
	// mostListed bounds the Services of one answer, and mostShown those that are named.
	mostListed, mostShown = 100, 8
)

// Find looks for a Prometheus in the cluster, where the flags name none. It lists Services with the
// user's own permissions: in all namespaces, or else in the given one. If there is exactly one, the
// flags name it from then on. The note says which one is used, or why none is and what to give; it
// is empty where nothing was looked for.
//
// Nothing is sent to a Service before Source is read, and that goes through the API server.
func (f *Flags) Find(ctx context.Context, namespace string) (note string) {
	if f.At != "" || f.Cluster == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, findWithin)
	defer cancel()
	places, where, err := f.look(ctx, namespace)
	switch {
	case err != nil:
		return fmt.Sprintf("no Prometheus could be looked for (%v): give %s", err, AnyOf)
	case len(places) == 0:
		return fmt.Sprintf("no Prometheus was found in %s: give %s", where, AnyOf)
	case len(places) > 1:
		more := ""
		if n := len(places) - mostShown; n > 0 {
			places, more = places[:mostShown], fmt.Sprintf(", or one of %d more", n)
		}
		return fmt.Sprintf("several Prometheus servers were found in %s: choose --prometheus %s%s", where,
			strings.Join(places, ", or --prometheus "), more)
	}
	f.At, f.Found = places[0], true
	return fmt.Sprintf("history is from --prometheus %s, the only one that was found in %s", f.At, where)
}

// look returns the Prometheus servers that the user may see, as --prometheus takes them, and where
// they were looked for.
func (f *Flags) look(ctx context.Context, namespace string) (places []string, where string, err error) {
	config, err := f.Cluster()
	if err != nil {
		return nil, "", err
	}
	client, err := servicesClient(config)
	if err != nil {
		return nil, "", fmt.Errorf("connect to the cluster: %w", err)
	}
	where = "the cluster"
	found, err := list(ctx, client, "")
	if apierrors.IsForbidden(err) && namespace != "" {
		where = fmt.Sprintf("namespace %s, the only one in which you may list services", namespace)
		found, err = list(ctx, client, namespace)
	}
	if apierrors.IsForbidden(err) {
		return nil, "", fmt.Errorf("you may not list services in all namespaces nor in namespace %s", namespace)
	}
	return candidates(found), where, err
}

// servicesClient returns a client of the core API.
func servicesClient(config *rest.Config) (*rest.RESTClient, error) {
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	return rest.RESTClientFor(config)
}

// selections are those of the Services in front of Prometheus: of its charts, of the operator, of
// kube-prometheus, and of those that are made by hand.
func selections() []metav1.ListOptions {
	return []metav1.ListOptions{
		{LabelSelector: "app.kubernetes.io/name in (prometheus, kube-prometheus)"},
		{LabelSelector: "app in (kube-prometheus-stack-prometheus, prometheus)"},
		{LabelSelector: "operated-prometheus=true"},
		{FieldSelector: "metadata.name=prometheus"},
	}
}

// list returns the Services of all selections, in one namespace or in all of them.
func list(ctx context.Context, c *rest.RESTClient, namespace string) ([]corev1.Service, error) {
	var out []corev1.Service
	for _, o := range selections() {
		o.Limit = mostListed
		var found corev1.ServiceList
		err := c.Get().NamespaceIfScoped(namespace, namespace != "").Resource("services").
			VersionedParams(&o, scheme.ParameterCodec).Do(ctx).Into(&found)
		if err != nil {
			return nil, err
		}
		out = append(out, found.Items...)
	}
	return out, nil
}

// candidates returns the Services that may be a Prometheus, each one once, sorted. Of several in
// front of the same pods it takes one: not the headless one, which has no address of its own.
func candidates(all []corev1.Service) []string {
	slices.SortFunc(all, func(a, b corev1.Service) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), headless(a)-headless(b), strings.Compare(a.Name, b.Name))
	})
	pods := map[string]bool{}
	named := map[string]bool{} // namespaces with a Service that is not headless
	var out []string
	for _, s := range all {
		place, ok := placeOf(s)
		same := place // without a selector, somebody else says which pods they are
		if len(s.Spec.Selector) > 0 {
			same = fmt.Sprint(s.Namespace, s.Spec.Selector) // a map is printed in the order of its keys
		}
		if !ok || pods[same] || headless(s) > 0 && named[s.Namespace] {
			continue
		}
		pods[same] = true
		named[s.Namespace] = named[s.Namespace] || headless(s) == 0
		out = append(out, place)
	}
	return out
}

func headless(s corev1.Service) int {
	if s.Spec.ClusterIP == corev1.ClusterIPNone {
		return 1
	}
	return 0
}

// placeOf returns a Service as --prometheus takes it; false if it is no Prometheus.
func placeOf(s corev1.Service) (string, bool) {
	switch s.Labels["app.kubernetes.io/component"] {
	case "", "prometheus", "server":
	default: // such as a sidecar, or an exporter
		return "", false
	}
	port, ok := portOf(s.Spec.Ports)
	if !ok || s.Spec.Type == corev1.ServiceTypeExternalName { // the API server does not reach the latter
		return "", false
	}
	scheme := ""
	if strings.HasPrefix(port.Name, "https") || port.AppProtocol != nil && *port.AppProtocol == "https" {
		scheme = "https:"
	}
	return fmt.Sprintf("%s/%s%s:%d", s.Namespace, scheme, s.Name, port.Port), true
}

// portOf returns the port of the API: by its usual name or number, or the only one.
func portOf(ports []corev1.ServicePort) (corev1.ServicePort, bool) {
	for _, name := range []string{"http-web", "web", "http", "https-web", "https"} {
		for _, p := range ports {
			if p.Name == name {
				return p, true
			}
		}
	}
	for _, p := range ports {
		if p.Port == 9090 || len(ports) == 1 {
			return p, true
		}
	}
	return corev1.ServicePort{}, false
}
