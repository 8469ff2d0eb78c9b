package overflow

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"headstart.dev/headstart/test/harness"
)

// oldCluster returns the kubeconfig of an API server that does not know Forecasts.
func oldCluster(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	config := clientcmdapi.NewConfig()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	config.Clusters["old"] = &clientcmdapi.Cluster{Server: server.URL, CertificateAuthorityData: ca}
	config.AuthInfos["user"] = &clientcmdapi.AuthInfo{Token: "x"}
	config.Contexts["old"] = &clientcmdapi.Context{Cluster: "old", AuthInfo: "user"}
	config.CurrentContext = "old"
	data, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.kubeconfig")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// testBadInput wants a condition with a remedy for everything that cannot be planned for.
func (p *pair) testBadInput(t *testing.T) {
	cases := map[string]struct {
		reason, namespace, cluster, forecast, unit string
		want, remedy                               string
	}{
		"unknown-cluster": {
			reason: "a cluster that the server does not know", cluster: "zz", forecast: "shop/web",
			want: "ClusterUnknown", remedy: "add the cluster",
		},
		"other-tenant": {
			reason: "a namespace of another tenant", cluster: "a", forecast: "chat/web",
			want: "NamespaceRefused", remedy: "remoteNamespaces",
		},
		"no-right": {
			reason: "the other cluster gives no right", namespace: "chat", cluster: "a", forecast: "chat/web",
			want: "ClusterForbidden", remedy: "overflow/reader.yaml",
		},
		"not-found": {
			reason: "a Forecast that does not exist", cluster: "a", forecast: "shop/nothing",
			want: "ForecastNotFound", remedy: "correct spec.overflowOf.forecast",
		},
		"cycle": {
			reason: "the overflow of itself", cluster: "self", forecast: "shop/cycle",
			want: "Cycle", remedy: "remove spec.overflowOf",
		},
		"old-version": {
			reason: "an API server without this version", cluster: "old", forecast: "shop/web",
			want: "OtherVersion", remedy: "the same version",
		},
		"other-unit": {
			reason: "a plan in another unit", cluster: "a", forecast: "shop/web", unit: "tokens/s",
			want: "UnitDiffers", remedy: "set spec.unit",
		},
	}
	in := func(namespace string) string {
		if namespace == "" {
			return "shop"
		}
		return namespace
	}
	for name, tc := range cases {
		err := p.b.Apply(t.Context(), fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: %[2]s, namespace: %[1]s}
spec: {overflowOf: {cluster: %[3]s, forecast: %[4]s}, unit: %[5]q, %[6]s}
`, in(tc.namespace), name, tc.cluster, tc.forecast, tc.unit, common(reactive)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name, tc := range cases {
		f, err := harness.AwaitForecast(t.Context(), p.b, in(tc.namespace), name, 2*time.Minute,
			func(f *harness.Forecast) bool { return f.Condition("OverflowRead").Reason == tc.want })
		if err != nil {
			t.Errorf("%s: %s: %v", name, tc.reason, err)
			continue
		}
		if c := f.Condition("OverflowRead"); !strings.Contains(c.Message, tc.remedy) {
			t.Errorf("%s: the message %q has no %q", name, c.Message, tc.remedy)
		}
		if f.Status.Plan != nil {
			t.Errorf("%s: it has a plan", name)
		}
	}
}
