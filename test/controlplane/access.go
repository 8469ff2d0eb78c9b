package controlplane

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func (c *ControlPlane) writeKubeconfig(path, server, token string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["local"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: c.creds.caPEM}
	config.AuthInfos["user"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["local"] = &clientcmdapi.Context{Cluster: "local", AuthInfo: "user"}
	config.CurrentContext = "local"
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write a kubeconfig: %w", err)
	}
	return nil
}

// Token returns a token of a ServiceAccount, as one of its pods would have, valid for a day.
func (c *ControlPlane) Token(ctx context.Context, namespace, serviceAccount string) (string, error) {
	seconds := int64(24 * 60 * 60)
	tr, err := c.Client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, serviceAccount,
		&authenticationv1.TokenRequest{
			Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds},
		}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("ask for a token of %s/%s: %w", namespace, serviceAccount, err)
	}
	return tr.Status.Token, nil
}

// ServiceAccountKubeconfig writes a kubeconfig that acts as a ServiceAccount, and returns its path.
func (c *ControlPlane) ServiceAccountKubeconfig(ctx context.Context, namespace, serviceAccount string) (string, error) {
	return c.ServiceAccountKubeconfigAt(ctx, namespace, serviceAccount, c.Config.Host)
}

// ServiceAccountKubeconfigAt is [ControlPlane.ServiceAccountKubeconfig] for an API server that is
// reached at another URL of this machine, such as that of a forwarder.
func (c *ControlPlane) ServiceAccountKubeconfigAt(
	ctx context.Context, namespace, serviceAccount, server string,
) (string, error) {
	token, err := c.Token(ctx, namespace, serviceAccount)
	if err != nil {
		return "", err
	}
	name := namespace + "-" + serviceAccount
	if server != c.Config.Host {
		name += "-" + server[strings.LastIndexByte(server, ':')+1:] // the port
	}
	path := filepath.Join(c.Dir, name+".kubeconfig")
	return path, c.writeKubeconfig(path, server, token)
}

// FrontProxy returns the client certificate by which aggregated API servers know the API server.
// They believe what its requests say about the user, in the headers X-Remote-User and
// X-Remote-Group.
func (c *ControlPlane) FrontProxy() (tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(c.creds.proxyClient, c.creds.proxyClientKey)
	if err != nil {
		return cert, fmt.Errorf("read the certificate of the front proxy: %w", err)
	}
	return cert, nil
}
