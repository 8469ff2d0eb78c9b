package adapter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/path"
	"k8s.io/apiserver/pkg/authorization/union"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"headstart.dev/headstart/adapter/access"
)

// reviewTimeout bounds one TokenReview or SubjectAccessReview. They are the only calls that a
// request can wait for, and it does so once a minute.
const reviewTimeout = 4 * time.Second

// The ConfigMap in which the API server publishes how it identifies itself and its users to
// aggregated servers.
const (
	authConfigNamespace = metav1.NamespaceSystem
	authConfigName      = "extension-apiserver-authentication"
)

// ReviewConfig returns a copy of config for the client that makes access reviews. The client has its
// own connection and timeout, and no rate limit: package access limits the reviews of each caller.
func ReviewConfig(config *rest.Config) *rest.Config {
	return access.ClientConfig(config, reviewTimeout)
}

// delegateAuthentication sets up authentication by client certificate, for the aggregator and
// others, and by TokenReview. It does what options.DelegatingAuthenticationOptions does, but with
// the given clients instead of a kubeconfig file, and with limits on the reviews. The returned check
// fails until the aggregator's CA is read.
func delegateAuthentication(info *genericapiserver.AuthenticationInfo, serving *genericapiserver.SecureServingInfo,
	opts Options, reviews access.Options,
) (healthz.HealthChecker, error) {
	clientCA, err := dynamiccertificates.NewDynamicCAFromConfigMapController("client-ca",
		authConfigNamespace, authConfigName, "client-ca-file", opts.Client)
	if err != nil {
		return nil, fmt.Errorf("read the client CA: %w", err)
	}
	header, err := newRequestHeader(opts.Client)
	if err != nil {
		return nil, err
	}
	info.RequestHeaderConfig = header.config()
	if err := errors.Join(info.ApplyClientCert(clientCA, serving), info.ApplyClientCert(header, serving)); err != nil {
		return nil, fmt.Errorf("use the client CAs: %w", err)
	}
	if info.Authenticator, err = access.Authentication(reviews, info.RequestHeaderConfig, clientCA); err != nil {
		return nil, err
	}
	return healthz.NamedCheck("aggregator-known", header.ready), nil
}

// delegateAuthorization sets up authorisation by SubjectAccessReview. The health endpoints are open
// to everybody.
func delegateAuthorization(reviews access.Options) (authorizer.Authorizer, error) {
	health, err := path.NewAuthorizer([]string{"/healthz", "/livez", "/readyz"})
	if err != nil {
		return nil, fmt.Errorf("set up authorisation: %w", err)
	}
	delegated, err := access.Authorization(reviews)
	if err != nil {
		return nil, err
	}
	return union.New(
		union.NamedAuthorizer{
			AuthorizerName: "privileged-groups", Authorizer: authorizerfactory.NewPrivilegedGroups("system:masters"),
		},
		union.NamedAuthorizer{AuthorizerName: "health", Authorizer: health},
		union.NamedAuthorizer{AuthorizerName: "delegated", Authorizer: delegated},
	)
}

// requestHeader holds how the aggregator is authenticated: its CA, and the headers in which it
// passes the user on. It follows the ConfigMap.
type requestHeader struct {
	*dynamiccertificates.ConfigMapCAController
	headers *headerrequest.RequestHeaderAuthRequestController
	hasCA   bool // the ConfigMap names the CA of an aggregator
}

var _ dynamiccertificates.ControllerRunner = (*requestHeader)(nil)

func newRequestHeader(client kubernetes.Interface) (*requestHeader, error) {
	ca, err := dynamiccertificates.NewDynamicCAFromConfigMapController("requestheader-client-ca",
		authConfigNamespace, authConfigName, "requestheader-client-ca-file", client)
	if err != nil {
		return nil, fmt.Errorf("read the aggregator's CA: %w", err)
	}
	r := &requestHeader{
		ConfigMapCAController: ca,
		headers: headerrequest.NewRequestHeaderAuthRequestController(authConfigName, authConfigNamespace, client,
			"requestheader-username-headers", "requestheader-uid-headers", "requestheader-group-headers",
			"requestheader-extra-headers-prefix", "requestheader-allowed-names"),
	}
	maps := client.CoreV1().ConfigMaps(authConfigNamespace)
	config, err := maps.Get(context.Background(), authConfigName, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read ConfigMap %s/%s (it needs the Role extension-apiserver-authentication-reader "+
			"of that namespace): %w", authConfigNamespace, authConfigName, err)
	}
	r.hasCA = config.Data["requestheader-client-ca-file"] != ""
	return r, nil
}

// ready fails until the aggregator can be authenticated. A server that became ready earlier would
// refuse its requests.
func (r *requestHeader) ready(*http.Request) error {
	if _, ok := r.VerifyOptions(); r.hasCA && !ok {
		return fmt.Errorf("the aggregator's CA was not read yet from ConfigMap %s/%s",
			authConfigNamespace, authConfigName)
	}
	return nil
}

// RunOnce implements [dynamiccertificates.ControllerRunner]: it reads the ConfigMap once.
func (r *requestHeader) RunOnce(ctx context.Context) error {
	return errors.Join(r.ConfigMapCAController.RunOnce(ctx), r.headers.RunOnce(ctx))
}

// Run implements [dynamiccertificates.ControllerRunner]: it follows the ConfigMap until ctx is
// done.
func (r *requestHeader) Run(ctx context.Context, workers int) {
	go r.ConfigMapCAController.Run(ctx, workers)
	go r.headers.Run(ctx, workers)
	<-ctx.Done()
}

func (r *requestHeader) config() *authenticatorfactory.RequestHeaderConfig {
	return &authenticatorfactory.RequestHeaderConfig{
		CAContentProvider:   r,
		UsernameHeaders:     headerrequest.StringSliceProviderFunc(r.headers.UsernameHeaders),
		UIDHeaders:          headerrequest.StringSliceProviderFunc(r.headers.UIDHeaders),
		GroupHeaders:        headerrequest.StringSliceProviderFunc(r.headers.GroupHeaders),
		ExtraHeaderPrefixes: headerrequest.StringSliceProviderFunc(r.headers.ExtraHeaderPrefixes),
		AllowedClientNames:  headerrequest.StringSliceProviderFunc(r.headers.AllowedClientNames),
	}
}
