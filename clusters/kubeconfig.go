package clusters

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Requests a second to another cluster. A watch needs one every few minutes.
const (
	clientQPS   = 5
	clientBurst = 20
)

// load reads the kubeconfig. A kubeconfig may run programs, name files and trust anybody. None of it
// is wanted of a file that came with another cluster.
func (c Config) load(dir string) (*cluster, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(c.Kubeconfig) {
		c.Kubeconfig = filepath.Join(dir, c.Kubeconfig)
	}
	text, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config, err := parseKubeconfig(text, c.Kubeconfig, c.Context)
	if err != nil {
		return nil, err
	}
	config.UserAgent, config.QPS, config.Burst = "headstart-overflow", clientQPS, clientBurst
	return &cluster{Config: c, text: text, rest: config}, nil
}

// parseKubeconfig returns what a kubeconfig says, if that may be used. Nothing stands in for what it
// leaves out: neither the environment nor the cluster that this runs in.
func parseKubeconfig(text []byte, path, context string) (*rest.Config, error) {
	file, err := clientcmd.Load(text)
	if err != nil {
		return nil, unusable(err)
	}
	if err := checkProxies(file); err != nil {
		return nil, err
	}
	if err := resolveFiles(file, filepath.Dir(path)); err != nil {
		return nil, err
	}
	overrides := &clientcmd.ConfigOverrides{}
	config, err := clientcmd.NewNonInteractiveClientConfig(*file, context, overrides, nil).ClientConfig()
	if err != nil {
		return nil, unusable(err)
	}
	switch {
	case config.ExecProvider != nil || config.AuthProvider != nil:
		return nil, errors.New("the kubeconfig runs a program to log in, which is refused: " +
			"give it a token, a tokenFile or a client certificate")
	case config.Insecure:
		return nil, errors.New("the kubeconfig does not verify the cluster (insecure-skip-tls-verify): " +
			"give it certificate-authority-data")
	case !rest.IsConfigTransportTLS(*config):
		return nil, errors.New("the kubeconfig reaches the cluster without TLS: give it a server that begins with https://")
	}
	return config, nil
}

// unusable says why a kubeconfig cannot be used, without what it quotes of it.
func unusable(err error) error {
	text := strings.TrimPrefix(err.Error(), "invalid configuration: ")
	return fmt.Errorf("the kubeconfig cannot be used: %s", quoted.ReplaceAllString(text, "(value)"))
}

// checkProxies refuses a proxy-url that cannot be used. It repeats no part, which may be a password.
func checkProxies(file *clientcmdapi.Config) error {
	for name, cluster := range file.Clusters {
		if cluster.ProxyURL == "" {
			continue
		}
		u, err := url.Parse(cluster.ProxyURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" {
			return fmt.Errorf("the proxy-url of cluster %q in the kubeconfig cannot be used: "+
				"write it as http://, https:// or socks5:// and a host", name)
		}
	}
	return nil
}

// resolveFiles makes the names of files in a kubeconfig absolute. It refuses files outside the
// directory of the kubeconfig, such as the token of this server, which the other cluster would get.
func resolveFiles(file *clientcmdapi.Config, dir string) error {
	inside, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	var names []*string
	for _, cluster := range file.Clusters {
		names = append(names, &cluster.CertificateAuthority)
	}
	for _, user := range file.AuthInfos {
		names = append(names, &user.TokenFile, &user.ClientCertificate, &user.ClientKey)
	}
	for _, name := range names {
		if *name == "" {
			continue
		}
		full := *name
		if !filepath.IsAbs(full) {
			full = filepath.Join(dir, full)
		}
		actual, err := filepath.EvalSymlinks(full)
		if err != nil {
			return fmt.Errorf("a file that the kubeconfig names cannot be read: %w", err)
		}
		if relative, err := filepath.Rel(inside, actual); err != nil || !filepath.IsLocal(relative) {
			return fmt.Errorf("the kubeconfig names the file %s, which is outside its directory, and is refused: "+
				"put the file beside the kubeconfig, or its contents into it", *name)
		}
		*name = full
	}
	return nil
}
