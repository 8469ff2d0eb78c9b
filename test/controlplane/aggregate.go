package controlplane

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LocalAPI is an aggregated API that a process on this machine serves.
type LocalAPI struct {
	// Namespace and Service name a Service of type ExternalName that stands for the process.
	Namespace, Service string
	// GroupVersions that it serves, such as external.metrics.k8s.io/v1beta1.
	GroupVersions []string
	// Port on localhost.
	Port int
	// CABundle is PEM that verifies the certificate of the process. Without it the certificate is not
	// verified.
	CABundle []byte
	// KeepCABundle leaves the bundle of the APIServices as it is: the process writes it itself.
	KeepCABundle bool
}

// ApplyLocalAPI applies the namespace, the Service and the APIServices through which the API server
// reaches a process on this machine. It works because the aggregator resolves the Service by name,
// which it does without --enable-aggregator-routing.
func (c *ControlPlane) ApplyLocalAPI(ctx context.Context, api LocalAPI) error {
	var y strings.Builder
	fmt.Fprintf(&y, "{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n", api.Namespace)
	fmt.Fprintf(&y, "{apiVersion: v1, kind: Service, metadata: {name: %s, namespace: %s}, "+
		"spec: {type: ExternalName, externalName: localhost, ports: [{port: %d}]}}\n", api.Service, api.Namespace, api.Port)
	for _, gv := range api.GroupVersions {
		group, version, _ := strings.Cut(gv, "/")
		trust := "insecureSkipTLSVerify: true"
		switch {
		case api.KeepCABundle:
			trust = "insecureSkipTLSVerify: false"
		case len(api.CABundle) > 0:
			trust = "caBundle: " + base64.StdEncoding.EncodeToString(api.CABundle)
		}
		fmt.Fprintf(&y, "---\n{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: %s.%s}, "+
			"spec: {group: %s, version: %s, groupPriorityMinimum: 100, versionPriority: 100, "+
			"service: {name: %s, namespace: %s, port: %d}, %s}}\n", version, group, group, version, api.Service, api.Namespace,
			api.Port, trust)
	}
	return c.Apply(ctx, y.String())
}

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// AwaitAPIService waits until an aggregated API such as v1beta1.external.metrics.k8s.io is
// Available, for at most the deadline.
func (c *ControlPlane) AwaitAPIService(ctx context.Context, name string, deadline time.Duration) error {
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		return fmt.Errorf("wait for %s: %w", name, err)
	}
	why := "no condition Available"
	err = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, deadline, true, func(ctx context.Context) (bool, error) {
		obj, err := client.Resource(apiServices).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			if ctx.Err() == nil {
				why = err.Error()
			}
			return false, nil
		}
		conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
		for _, raw := range conditions {
			cond, _ := raw.(map[string]any)
			if cond["type"] == "Available" {
				why = fmt.Sprint(cond["reason"], ": ", cond["message"])
				return cond["status"] == "True", nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("wait for APIService %s: %w (%s)", name, err, why)
	}
	return nil
}
