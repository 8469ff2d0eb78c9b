package manifests_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

const externalMetrics = "v1beta1.external.metrics.k8s.io"

// foreign is an APIService as another adapter leaves it behind.
const foreign = `
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.external.metrics.k8s.io}
spec:
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {namespace: keda, name: keda-operator-metrics-apiserver}
`

// TestOnRealAPIServer is one test of several steps, because a control plane takes a while to start
// and each step needs the one before.
func TestOnRealAPIServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	layout, err := binaries.ControlPlane(ctx, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	opts := controlplane.DefaultOptions(layout.Bin)
	opts.StateRoot = t.TempDir()
	c, err := controlplane.Start(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()

	if err := c.Apply(ctx, foreign); err != nil {
		t.Fatal(err)
	}
	apply(t, c, "manifests/prepare", "--server-side")
	awaitGuard(t, c)
	t.Run("a group with an owner is not taken", func(t *testing.T) { checkRefused(t, c) })
	t.Run("a free group is taken", func(t *testing.T) { checkTaken(t, c) })
	t.Run("nobody takes it back by overwriting", func(t *testing.T) { checkKept(t, c) })
	t.Run("examples", func(t *testing.T) { checkExamples(t, c, layout) })
	t.Run("rights of the server", func(t *testing.T) { checkRights(t, c) })
	t.Run("uninstall", func(t *testing.T) { checkUninstall(t, c) })
	t.Run("helm", func(t *testing.T) { checkHelm(t, c) })
}

// awaitGuard waits until the policy is in force, a moment after it was created.
func awaitGuard(t *testing.T, c *controlplane.ControlPlane) {
	t.Helper()
	var said error
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 3*time.Minute, true,
		func(ctx context.Context) (bool, error) {
			_, said = c.Kubectl(ctx, nil, "patch", "apiservice", externalMetrics, "--dry-run=server", "--type=merge",
				"-p", `{"spec":{"service":{"namespace":"headstart-system","name":"headstart"}}}`)
			return said != nil && strings.Contains(said.Error(), "is served by"), nil
		})
	if err != nil {
		t.Fatalf("the guard lets a group with an owner be taken, three minutes after it was applied: %v", said)
	}
}

func checkRefused(t *testing.T, c *controlplane.ControlPlane) {
	// All ways in which people and tools apply things. Each must leave the owner in place, and name it
	// in the error.
	for name, flags := range map[string][]string{
		"client side": nil,
		"server side": {"--server-side"},
		"by force":    {"--server-side", "--force-conflicts"},
	} {
		args := append(append([]string{"apply"}, flags...), "-k",
			filepath.Join(repository, "manifests/overlays/external-metrics"))
		_, err := c.Kubectl(t.Context(), nil, args...)
		if err == nil || !strings.Contains(err.Error(), "is served by keda/keda-operator-metrics-apiserver") {
			t.Errorf("%s: error %v, want one that names the owner", name, err)
		}
		if got, want := owner(t, c), "keda/keda-operator-metrics-apiserver"; got != want {
			t.Fatalf("%s: the group went to %q, want it left to %q", name, got, want)
		}
	}
	// An owner may change its own APIService.
	if _, err := c.Kubectl(t.Context(), nil, "patch", "apiservice", externalMetrics, "--type=merge", "-p",
		`{"spec":{"service":{"port":8443}}}`); err != nil {
		t.Errorf("the owner cannot change its own APIService: %v", err)
	}
}

func checkTaken(t *testing.T, c *controlplane.ControlPlane) {
	if _, err := c.Kubectl(t.Context(), nil, "delete", "apiservice", externalMetrics); err != nil {
		t.Fatal(err)
	}
	apply(t, c, "manifests/overlays/both", "--server-side")
	if err := c.AwaitCRDs(t.Context(), harness.CRDs()...); err != nil {
		t.Fatal(err)
	}
	if got, want := owner(t, c), "headstart-system/headstart"; got != want {
		t.Fatalf("the group is served by %q, want %q", got, want)
	}
	// What the server writes must survive another apply: the CA bundle, and the certificate.
	for _, args := range [][]string{
		{"patch", "apiservice", externalMetrics, "--type=merge", "-p", `{"spec":{"caBundle":"` + bundle(t) + `"}}`},
		{
			"patch", "secret", "headstart-serving-cert", "-n", "headstart-system", "--type=merge", "-p",
			`{"stringData":{"tls.crt":"x"}}`,
		},
	} {
		if _, err := c.Kubectl(t.Context(), nil, args...); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, c, "manifests/overlays/both", "--server-side")
	for _, args := range [][]string{
		{"get", "apiservice", externalMetrics, "-o", "jsonpath={.spec.caBundle}"},
		{"get", "secret", "headstart-serving-cert", "-n", "headstart-system", "-o", "jsonpath={.data.tls\\.crt}"},
	} {
		if out, err := c.Kubectl(t.Context(), nil, args...); err != nil || out == "" {
			t.Errorf("kubectl %v: %q, error %v; want what was there before the second apply", args, out, err)
		}
	}
}

func checkKept(t *testing.T, c *controlplane.ControlPlane) {
	// Without insecureSkipTLSVerify, which the API server would reject beside the caBundle that exists
	// by now.
	other := strings.ReplaceAll(foreign, "  insecureSkipTLSVerify: true\n", "")
	_, err := c.Kubectl(t.Context(), []byte(other), "apply", "--server-side", "--force-conflicts", "-f", "-")
	if err == nil || !strings.Contains(err.Error(), "is served by headstart-system/headstart") {
		t.Errorf("another adapter took the group: error %v, want one that names the owner", err)
	}
}

// checkRights asks the API server what the server's account may do.
func checkRights(t *testing.T, c *controlplane.ControlPlane) {
	if _, err := c.Kubectl(t.Context(), nil, "apply", "-f",
		repository+"/manifests/examples/target-leaderworkerset.yaml"); err != nil {
		t.Fatal(err)
	}
	token, err := c.Token(t.Context(), "headstart-system", "headstart")
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(c.Config)
	config.BearerToken = token
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	may := func(a authorizationv1.ResourceAttributes) bool {
		t.Helper()
		review := &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &a},
		}
		got, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return got.Status.Allowed
	}
	// kube-controller-manager adds the labelled role a moment after it was created.
	scale := authorizationv1.ResourceAttributes{
		Verb: "get", Group: "leaderworkerset.x-k8s.io",
		Resource: "leaderworkersets", Subresource: "scale", Namespace: "default",
	}
	err = wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 3*time.Minute, true,
		func(context.Context) (bool, error) { return may(scale), nil })
	if err != nil {
		t.Errorf("the labelled ClusterRole did not reach the server's account: %v", err)
	}
	for name, tc := range rights {
		if got := may(tc.attributes); got != tc.want {
			t.Errorf("%s: allowed %t, want %t", name, got, tc.want)
		}
	}
}

// attributes describes a resource of an API group, or one object of it if a name is given.
func attributes(verb, group, resource, subresource, namespace, name string) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{
		Verb: verb, Group: group, Resource: resource, Subresource: subresource,
		Namespace: namespace, Name: name,
	}
}

var rights = map[string]struct {
	attributes authorizationv1.ResourceAttributes
	want       bool
}{
	"watch Forecasts":             {attributes("watch", "headstart.dev", "forecasts", "", "", ""), true},
	"write a Forecast's status":   {attributes("patch", "headstart.dev", "forecasts", "status", "shop", "a"), true},
	"replace a Forecast's status": {attributes("update", "headstart.dev", "forecasts", "status", "shop", "a"), false},
	"replace a PeakSchedule's":    {attributes("update", "headstart.dev", "peakschedules", "status", "shop", "a"), false},
	"replace a Calendar's":        {attributes("update", "headstart.dev", "calendars", "status", "", "a"), false},
	"read a status alone":         {attributes("get", "headstart.dev", "forecasts", "status", "shop", "a"), false},
	"write a WarmPool's status":   {attributes("update", "headstart.dev", "warmpools", "status", "shop", "a"), true},
	"patch a WarmPool's status":   {attributes("patch", "headstart.dev", "warmpools", "status", "shop", "a"), false},
	"write a Forecast's spec":     {attributes("update", "headstart.dev", "forecasts", "", "shop", "a"), false},
	"delete a Forecast":           {attributes("delete", "headstart.dev", "forecasts", "", "shop", "a"), false},
	"watch HPAs":                  {attributes("watch", "autoscaling", "horizontalpodautoscalers", "", "", ""), true},
	"change an HPA": {
		attributes("update", "autoscaling", "horizontalpodautoscalers", "", "shop", "a"),
		false,
	},
	"read a Deployment's scale": {attributes("get", "apps", "deployments", "scale", "shop", "a"), true},
	"read a Deployment":         {attributes("get", "apps", "deployments", "", "shop", "a"), true},
	"watch Deployments":         {attributes("watch", "apps", "deployments", "", "", ""), false},
	"list StatefulSets":         {attributes("list", "apps", "statefulsets", "", "", ""), false},
	"scale a Deployment":        {attributes("update", "apps", "deployments", "scale", "shop", "a"), false},
	"watch pods":                {attributes("watch", "", "pods", "", "", ""), true},
	"delete a pod":              {attributes("delete", "", "pods", "", "shop", "a"), false},
	"write events":              {attributes("create", "events.k8s.io", "events", "", "shop", ""), true},
	"inject its caBundle": {
		attributes("patch", "apiregistration.k8s.io", "apiservices", "", "", externalMetrics),
		true,
	},
	"replace its APIService": {attributes("update", "apiregistration.k8s.io", "apiservices", "", "",
		externalMetrics), false},
	"watch its APIService": {
		attributes("watch", "apiregistration.k8s.io", "apiservices", "", "", externalMetrics),
		false,
	},
	"change another APIService": {attributes("patch", "apiregistration.k8s.io", "apiservices", "", "",
		"v1beta1.metrics.k8s.io"), false},
	"claim an API group": {attributes("create", "apiregistration.k8s.io", "apiservices", "", "",
		externalMetrics), false},
	"keep its certificate": {
		attributes("update", "", "secrets", "", "headstart-system", "headstart-serving-cert"),
		true,
	},
	"patch its certificate": {
		attributes("patch", "", "secrets", "", "headstart-system", "headstart-serving-cert"),
		false,
	},
	"watch its certificate": {
		attributes("watch", "", "secrets", "", "headstart-system", "headstart-serving-cert"),
		false,
	},
	"read another Secret":    {attributes("get", "", "secrets", "", "headstart-system", "other"), false},
	"read Secrets elsewhere": {attributes("get", "", "secrets", "", "shop", "headstart-serving-cert"), false},
	"hold its lease": {attributes("update", "coordination.k8s.io", "leases", "", "headstart-system",
		"headstart-leader"), true},
	"read the leases of all replicas": {attributes("list", "coordination.k8s.io", "leases", "", "headstart-system",
		""), true},
	"patch its lease": {attributes("patch", "coordination.k8s.io", "leases", "", "headstart-system",
		"headstart-leader"), false},
	"watch its lease": {attributes("watch", "coordination.k8s.io", "leases", "", "headstart-system",
		"headstart-leader"), false},
	"take another lease": {attributes("update", "coordination.k8s.io", "leases", "", "kube-system",
		"kube-scheduler"), false},
	"ask who calls": {attributes("create", "authentication.k8s.io", "tokenreviews", "", "", ""), true},
	"ask what the caller may do": {
		attributes("create", "authorization.k8s.io", "subjectaccessreviews", "", "", ""),
		true,
	},
	"read the requestheader's CAs": {attributes("get", "", "configmaps", "", "kube-system",
		"extension-apiserver-authentication"), true},
}

// checkUninstall follows docs/install.md: the claim first, and by name.
func checkUninstall(t *testing.T, c *controlplane.ControlPlane) {
	for _, args := range [][]string{
		{"delete", "apiservice", externalMetrics, "v1beta1.custom.metrics.k8s.io"},
		{"delete", "-k", filepath.Join(repository, "manifests/overlays/both"), "--ignore-not-found", "--wait=false"},
	} {
		if _, err := c.Kubectl(t.Context(), nil, args...); err != nil {
			t.Errorf("kubectl %v: %v", args, err)
		}
	}
	if out, err := c.Kubectl(t.Context(), nil, "get", "clusterroles,validatingadmissionpolicies,apiservices", "-l",
		"app.kubernetes.io/name=headstart", "-o", "name"); err != nil || out != "" {
		t.Errorf("left behind: %q, error %v", out, err)
	}
}

func apply(t *testing.T, c *controlplane.ControlPlane, dir string, flags ...string) {
	t.Helper()
	args := append(append([]string{"apply"}, flags...), "-k", filepath.Join(repository, dir))
	if _, err := c.Kubectl(t.Context(), nil, args...); err != nil {
		t.Fatal(err)
	}
}

func owner(t *testing.T, c *controlplane.ControlPlane) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), nil, "get", "apiservice", externalMetrics, "-o",
		"jsonpath={.spec.service.namespace}/{.spec.service.name}")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// bundle returns a certificate, because an APIService accepts nothing else as caBundle.
func bundle(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
