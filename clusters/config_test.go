package clusters

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kubeconfig of a user, with what is wrong in the cases.
func kubeconfig(cluster, user string) string {
	return `apiVersion: v1
kind: Config
current-context: b
contexts: [{name: b, context: {cluster: b, user: b}}]
clusters: [{name: b, cluster: {server: "https://127.0.0.1:1"` + cluster + `}}]
users: [{name: b, user: {` + user + `}}]
`
}

func TestLoad(t *testing.T) {
	const one = "clusters:\n- {name: b, kubeconfig: b.yaml, namespaces: [shop]}\n"
	good := kubeconfig("", "token: secret-token")
	cases := map[string]struct {
		reason, text, kubeconfig string
		want                     string // in the error; empty for none
	}{
		"Good":         {reason: "a name relative to the file", text: one, kubeconfig: good},
		"None":         {reason: "a server may know no cluster", text: "clusters: []", kubeconfig: good},
		"UnknownField": {"a mistyped field is told", "clusters:\n- {name: b, kubeconf: x}", good, "unknown field"},
		"NoNamespaces": {
			"nobody could use it", "clusters:\n- {name: b, kubeconfig: b.yaml}", good, "namespaces is empty",
		},
		"BadName": {
			"names are those that the API takes", "clusters:\n- {name: B_, kubeconfig: b.yaml}", good,
			"lower case",
		},
		"NoKubeconfig": {"", "clusters:\n- {name: b, namespaces: [shop]}", good, "kubeconfig is missing"},
		"Twice":        {"", one + "- {name: b, kubeconfig: b.yaml, namespaces: [shop]}\n", good, "used twice"},
		"BadRemote": {
			"",
			"clusters:\n- {name: b, kubeconfig: b.yaml, namespaces: [shop], remoteNamespaces: {shop: [Shop]}}",
			good, "not the name of a namespace",
		},
		"Exec": {
			"a kubeconfig runs no program here", one,
			kubeconfig("", "exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never}"),
			"refused",
		},
		"Insecure": {
			"the other cluster is verified", one, kubeconfig(", insecure-skip-tls-verify: true", "token: x"),
			"does not verify",
		},
		"BadKubeconfig": {"", one, "contexts: [", "cannot be used"},
		"FileIsMissing": {
			"", "clusters:\n- {name: b, kubeconfig: c.yaml, namespaces: [shop]}", good, "no such file",
		},
		"NoSecretIsTold": {
			"a secret in the wrong place is not repeated", "clusters:\n- \"secret-token\"", good,
			"cannot unmarshal",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "clusters.yaml")
			for file, text := range map[string]string{path: tc.text, filepath.Join(dir, "b.yaml"): tc.kubeconfig} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := load(path)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("%s: %v", tc.reason, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%s: the error is %v, want %q in it", tc.reason, err, tc.want)
			case err != nil && strings.Contains(err.Error(), "secret-token"):
				t.Errorf("the error has the token: %v", err)
			}
		})
	}
}

// Tenants read what the configuration names, and by default the namespace of their own name.
func TestAllowed(t *testing.T) {
	c := &Clusters{clusters: map[string]*cluster{
		"b": {
			Config: Config{Namespaces: []string{"shop", "chat"}, RemoteNamespaces: map[string][]string{"chat": {"chat-eu"}}},
		},
		"any": {Config: Config{Namespaces: []string{"*"}}},
	}}
	cases := map[string]struct {
		reason, namespace string
		of                Reference
		want              Kind
	}{
		"Same":        {"the namespace of the same name", "shop", Reference{"b", "shop", "web"}, ""},
		"OtherThere":  {"not another tenant's", "shop", Reference{"b", "chat", "web"}, NamespaceRefused},
		"Named":       {"the one that is named instead", "chat", Reference{"b", "chat-eu", "web"}, ""},
		"NotNamed":    {"and then no longer the same one", "chat", Reference{"b", "chat", "web"}, NamespaceRefused},
		"OtherHere":   {"a namespace that is not listed", "other", Reference{"b", "other", "web"}, NamespaceRefused},
		"Any":         {"any namespace, the same there", "other", Reference{"any", "other", "web"}, ""},
		"AnyNotOther": {"any namespace is not any there", "other", Reference{"any", "shop", "web"}, NamespaceRefused},
		"Unknown":     {"a cluster without a name", "shop", Reference{"c", "shop", "web"}, ClusterUnknown},
	}
	for name, tc := range cases {
		if got := KindOf(c.allowed(tc.namespace, tc.of)); got != tc.want {
			t.Errorf("%s: %q, want %q: %s", name, got, tc.want, tc.reason)
		}
	}
}

// A namespace is not told which clusters others may name.
func TestUnknownTellsOnlyWhatIsOpen(t *testing.T) {
	c := &Clusters{clusters: map[string]*cluster{
		"shared": {Config: Config{Namespaces: []string{"*"}}}, "chats": {Config: Config{Namespaces: []string{"chat"}}},
	}}
	err := c.allowed("shop", Reference{"c", "shop", "web"})
	if text := err.Error(); !strings.Contains(text, "shared") || strings.Contains(text, "chats") {
		t.Errorf("namespace shop is told %q, want shared in it and not chats", text)
	}
}

// pemOf returns a certificate as a kubeconfig has it.
func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
