package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func (c *ControlPlane) startEtcd(ctx context.Context) error {
	ports, err := FreePorts(2)
	if err != nil {
		return err
	}
	client, peer := httpURL(ports[0]), httpURL(ports[1])
	p, err := c.run(program{name: "etcd", args: []string{
		"--data-dir=" + filepath.Join(c.Dir, "etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
		"--unsafe-no-fsync", // the state is temporary
		"--log-level=warn",
	}}, 3*time.Second)
	if err != nil {
		return err
	}
	c.etcd = client
	return p.await(ctx, c.opts.ReadyWithin, get(http.DefaultClient, client+"/health", ""))
}

// apiServerGrace is short: a watch that is open delays a graceful shutdown by a minute, and so
// holds the port. The state is temporary.
const apiServerGrace = time.Second

func (c *ControlPlane) startAPIServer(ctx context.Context) error {
	ports, err := FreePorts(1)
	if err != nil {
		return err
	}
	url := "https://127.0.0.1:" + strconv.Itoa(ports[0])
	args := append([]string{
		"--etcd-servers=" + c.etcd,
		"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(ports[0]),
		"--endpoint-reconciler-type=none", // the API server rejects a loopback address as an endpoint
		"--service-cluster-ip-range=10.96.0.0/16",
		"--tls-cert-file=" + c.creds.serving, "--tls-private-key-file=" + c.creds.servingKey,
		"--token-auth-file=" + c.creds.tokens, "--authorization-mode=RBAC",
		"--client-ca-file=" + c.creds.ca, // without it an aggregated API never finds its authentication configuration
		"--requestheader-client-ca-file=" + c.creds.ca, "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.creds.proxyClient, "--proxy-client-key-file=" + c.creds.proxyClientKey,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.creds.serviceAccountKey,
		"--service-account-signing-key-file=" + c.creds.serviceAccountKey,
		"--profiling=false",
	}, c.opts.APIServerArgs...)
	c.apiServer = program{name: "kube-apiserver", args: args}
	p, err := c.run(c.apiServer, apiServerGrace)
	if err != nil {
		return err
	}
	c.Config = &rest.Config{
		Host: url, BearerToken: c.creds.adminToken, TLSClientConfig: rest.TLSClientConfig{CAData: c.creds.caPEM},
		QPS: 200, Burst: 400,
	}
	c.Kubeconfig = filepath.Join(c.Dir, "admin.kubeconfig")
	if err := c.writeKubeconfig(c.Kubeconfig, url, c.creds.adminToken); err != nil {
		return err
	}
	if c.Client, err = kubernetes.NewForConfig(c.Config); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	return c.awaitAPIServer(ctx, p)
}

func (c *ControlPlane) awaitAPIServer(ctx context.Context, p *Process) error {
	return p.await(ctx, c.opts.ReadyWithin, get(c.httpClient(), c.Config.Host+"/readyz", c.creds.adminToken))
}

// startControllers starts all processes that act on the API server, and waits until they are
// healthy.
func (c *ControlPlane) startControllers(ctx context.Context) error {
	ports, err := FreePorts(3)
	if err != nil {
		return err
	}
	stages := filepath.Join(c.Dir, "stages.yaml")
	if err := os.WriteFile(stages, c.opts.Stages, 0o644); err != nil {
		return fmt.Errorf("write the stages of kwok: %w", err)
	}
	secure := func(port int) []string {
		return []string{
			"--kubeconfig=" + c.Kubeconfig, "--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(port),
			"--leader-elect=false", "--profiling=false",
		}
	}
	manager := append(secure(ports[0]),
		"--horizontal-pod-autoscaler-sync-period="+c.opts.HPASyncPeriod.String(),
		"--horizontal-pod-autoscaler-downscale-stabilization="+c.opts.HPADownscaleStabilization.String(),
		"--service-account-private-key-file="+c.creds.serviceAccountKey, "--root-ca-file="+c.creds.ca,
		"--node-monitor-grace-period=10m", // a busy machine is not a dead node
		"--kube-api-qps=200", "--kube-api-burst=400",
	)
	parts := []struct {
		program
		health string
		client *http.Client
	}{
		{
			program{name: "kube-controller-manager", args: append(manager, c.opts.ControllerManagerArgs...)},
			"https://127.0.0.1:" + strconv.Itoa(ports[0]) + "/healthz", insecureClient(),
		},
		{
			program{name: "kube-scheduler", args: append(secure(ports[1]), "--kube-api-qps=200", "--kube-api-burst=400")},
			"https://127.0.0.1:" + strconv.Itoa(ports[1]) + "/healthz", insecureClient(),
		},
		{
			program{name: "kwok", args: []string{
				"--kubeconfig=" + c.Kubeconfig, "--manage-all-nodes=true", "--config=" + stages,
				"--node-lease-duration-seconds=40", "--server-address=127.0.0.1:" + strconv.Itoa(ports[2]),
			}},
			httpURL(ports[2]) + "/healthz", http.DefaultClient,
		},
	}
	procs := make([]*Process, len(parts))
	for i, part := range parts {
		if procs[i], err = c.run(part.program, 2*time.Second); err != nil {
			return err
		}
	}
	for i, p := range procs {
		if err := p.await(ctx, c.opts.ReadyWithin, get(parts[i].client, parts[i].health, "")); err != nil {
			return err
		}
	}
	return nil
}

func (c *ControlPlane) httpClient() *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.creds.caPEM)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
}

// insecureClient is for health endpoints that have a self-signed certificate.
func insecureClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
}

// get returns a check that succeeds once the URL answers 200.
func get(client *http.Client, url, token string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s: %s", url, resp.Status, strings.TrimSpace(string(body)))
		}
		return nil
	}
}

func httpURL(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }
