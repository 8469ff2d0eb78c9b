package clusters

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write writes files below a directory. A text that begins with "-> " makes a symbolic link.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A kubeconfig came from the owner of another cluster. It must not send that cluster files of this
// server, nor reach anything else than that cluster.
func TestKubeconfigIsNotTrusted(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, map[string]string{"token": "own-token"})
	proxied := func(proxy string) string {
		return kubeconfig(`, proxy-url: "`+proxy+`"`, "token: x")
	}
	cases := map[string]struct {
		reason string
		files  map[string]string // b.yaml is the kubeconfig
		want   string            // in the error; empty for none
	}{
		"TokenOutside": {
			"the token of this server",
			map[string]string{"b.yaml": kubeconfig("", "tokenFile: "+outside+"/token")},
			"outside its directory",
		},
		"TokenAbove": {
			"a name that leads out",
			map[string]string{"b.yaml": kubeconfig("", "tokenFile: ../token"), "../token": "x"},
			"outside its directory",
		},
		"LinkOutside": {
			"a link that leads out",
			map[string]string{"b.yaml": kubeconfig("", "tokenFile: token"), "token": "-> " + outside + "/token"},
			"outside its directory",
		},
		"CertificateOutside": {
			"a client certificate is a file, too",
			map[string]string{"b.yaml": kubeconfig("", "client-certificate: "+outside+"/token, client-key: k"), "k": "x"},
			"outside its directory",
		},
		"KeyOutside": {
			"and its key",
			map[string]string{"b.yaml": kubeconfig("", "client-certificate: c, client-key: "+outside+"/token"), "c": ""},
			"outside its directory",
		},
		"AuthorityOutside": {
			"and the authority",
			map[string]string{"b.yaml": kubeconfig(", certificate-authority: "+outside+"/token", "token: x")},
			"outside its directory",
		},
		"Inside": {
			"a file beside it", map[string]string{"b.yaml": kubeconfig("", "tokenFile: token"), "token": "t"}, "",
		},
		"MountedSecret": {
			"the links of a mounted Secret stay inside", map[string]string{
				"b.yaml": "-> ..data/b.yaml", "token": "-> ..data/token", "..data": "-> ..2026_03_02",
				"..2026_03_02/b.yaml": kubeconfig("", "tokenFile: token"), "..2026_03_02/token": "t",
			}, "",
		},
		"Missing": {
			"a file that does not exist", map[string]string{"b.yaml": kubeconfig("", "tokenFile: token")}, "cannot be read",
		},
		"Empty": {"it does not become the cluster that this runs in", map[string]string{"b.yaml": ""}, "cannot be used"},
		"ClearText": {
			"the token is sent by TLS only",
			map[string]string{"b.yaml": strings.Replace(kubeconfig("", "token: x"), "https://", "http://", 1)},
			"without TLS",
		},
		"Proxy": {"a proxy may be named", map[string]string{"b.yaml": proxied("http://proxy:3128")}, ""},
		"BadProxy": {
			"its password is not repeated",
			map[string]string{"b.yaml": proxied("ftp://user:own-token@proxy")},
			"proxy-url",
		},
		"NoProxy": {
			"nor where it is no URL at all",
			map[string]string{"b.yaml": proxied("http://user:own-token@proxy:port")},
			"proxy-url",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
			t.Setenv("KUBERNETES_SERVICE_PORT", "443")
			dir := filepath.Join(t.TempDir(), "b")
			write(t, dir, tc.files)
			_, err := Config{Name: "b", Kubeconfig: "b.yaml", Namespaces: []string{"shop"}}.load(dir)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("%s: %v", tc.reason, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%s: the error is %v, want %q in it", tc.reason, err, tc.want)
			case err != nil && strings.Contains(err.Error(), "own-token"):
				t.Errorf("%s: the error has the secret: %v", tc.reason, err)
			}
		})
	}
}
