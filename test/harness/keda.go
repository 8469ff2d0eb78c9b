package harness

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
)

const (
	// KEDANamespace is where KEDA runs, as the manifests have it.
	KEDANamespace = "keda"
	kedaModule    = "github.com/kedacore/keda/v2"
	kedaService   = "keda-metrics-apiserver"
)

// KEDA is a running KEDA: the operator, and the adapter that owns external.metrics.k8s.io.
type KEDA struct {
	Operator, Adapter *controlplane.Process
}

// StartKEDA installs KEDA's CRDs, and starts its operator and its metrics adapter as an
// administrator, with additions to their environment. It returns when the API server reaches the
// adapter.
func StartKEDA(
	ctx context.Context, c *controlplane.ControlPlane, layout binaries.Layout, environment ...string,
) (*KEDA, error) {
	k, err := startKEDA(ctx, c, layout, environment)
	if err != nil {
		return nil, fmt.Errorf("start KEDA: %w", err)
	}
	return k, nil
}

func startKEDA(
	ctx context.Context, c *controlplane.ControlPlane, layout binaries.Layout, environment []string,
) (*KEDA, error) {
	if err := InstallKEDACRDs(ctx, c, layout); err != nil {
		return nil, err
	}
	ports, err := controlplane.FreePorts(5)
	if err != nil {
		return nil, err
	}
	certs := filepath.Join(c.Dir, "keda-certs")
	ca, err := kedaCertificates(certs)
	if err != nil {
		return nil, err
	}
	err = c.ApplyLocalAPI(ctx, controlplane.LocalAPI{
		Namespace: KEDANamespace, Service: kedaService, GroupVersions: []string{"external.metrics.k8s.io/v1beta1"},
		Port: ports[0], CABundle: ca,
	})
	if err != nil {
		return nil, err
	}
	local := func(i int) string { return "127.0.0.1:" + strconv.Itoa(ports[i]) }
	env := append([]string{
		"KUBECONFIG=" + c.Kubeconfig, "POD_NAMESPACE=" + KEDANamespace,
		"KEDA_CLUSTER_OBJECT_NAMESPACE=" + KEDANamespace, "WATCH_NAMESPACE=",
	}, environment...)
	k := &KEDA{}
	k.Operator, err = c.RunWith(env, "keda-operator", filepath.Join(layout.Bin, "keda-operator"), []string{
		"--metrics-bind-address=" + local(1), "--health-probe-bind-address=" + local(2),
		"--metrics-service-bind-address=" + local(3), "--cert-dir=" + certs, "--ca-dir=" + certs,
		"--leader-elect=false", "--kube-api-qps=200", "--kube-api-burst=400", "--zap-time-encoding=rfc3339nano",
	}, 3*time.Second)
	if err != nil {
		return nil, err
	}
	k.Adapter, err = c.RunWith(env, "keda-adapter", filepath.Join(layout.Bin, "keda-adapter"), []string{
		"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(ports[0]), "--port=" + strconv.Itoa(ports[4]),
		"--cert-dir=" + certs, "--tls-cert-file=" + filepath.Join(certs, "tls.crt"),
		"--tls-private-key-file=" + filepath.Join(certs, "tls.key"),
		"--metrics-service-address=localhost:" + strconv.Itoa(ports[3]), "--kube-api-qps=200", "--kube-api-burst=400",
		"--lister-kubeconfig=" + c.Kubeconfig, "--authentication-kubeconfig=" + c.Kubeconfig,
		"--authorization-kubeconfig=" + c.Kubeconfig,
	}, 3*time.Second)
	if err != nil {
		return nil, err
	}
	if err := c.AwaitAPIService(ctx, "v1beta1.external.metrics.k8s.io", 3*time.Minute); err != nil {
		return nil, fmt.Errorf("%w; the end of the operator's log:\n%s\nand of the adapter's:\n%s", err, k.Operator.Tail(),
			k.Adapter.Tail())
	}
	return k, nil
}

// InstallKEDACRDs applies the CRDs of the version of KEDA that go.keda.mod pins.
func InstallKEDACRDs(ctx context.Context, c *controlplane.ControlPlane, layout binaries.Layout) error {
	cmd := exec.CommandContext(ctx, "go", "list", "-modfile=go.keda.mod", "-m", "-f", "{{.Dir}}", kedaModule)
	cmd.Dir = layout.Module
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("find the module of KEDA: %w", err)
	}
	crds := filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "bases")
	if _, err := c.Kubectl(ctx, nil, "apply", "--server-side", "-f", crds); err != nil {
		return fmt.Errorf("install the CRDs of KEDA: %w", err)
	}
	return c.AwaitCRDs(ctx, "scaledobjects.keda.sh", "triggerauthentications.keda.sh",
		"clustertriggerauthentications.keda.sh")
}

// kedaCertificates writes what KEDA's two programs authenticate each other with, and returns the CA.
// The adapter also serves with it.
func kedaCertificates(dir string) (ca []byte, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	authority := &x509.Certificate{
		Subject: pkix.Name{CommonName: "keda"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		Subject:  pkix.Name{CommonName: kedaService},
		DNSNames: []string{"localhost", kedaService + "." + KEDANamespace + ".svc"},
		KeyUsage: x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, c := range []struct {
		file     string
		template *x509.Certificate
		key      *ecdsa.PrivateKey
	}{{"ca.crt", authority, authorityKey}, {"tls.crt", leaf, leafKey}} {
		if c.template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
			return nil, err
		}
		c.template.NotBefore, c.template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c.template, authority, c.key.Public(), authorityKey)
		if err != nil {
			return nil, err
		}
		files[c.file] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	der, err := x509.MarshalECPrivateKey(leafKey)
	if err != nil {
		return nil, err
	}
	files["tls.key"] = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return files["ca.crt"], nil
}
