package access

import (
	"errors"
	"fmt"
	"net/http"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/anonymous"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/request/union"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// Authentication returns what tells who a request comes from: the front proxy that header
// describes, a client certificate of clientCA, a bearer token by TokenReview, or else the anonymous
// user. It does what [authenticatorfactory.DelegatingAuthenticatorConfig] does, except that
// TokenReviews have the budgets of this package, and that tokens in WebSocket protocols are not
// read, since there are no WebSockets to serve.
func Authentication(opts Options, header *authenticatorfactory.RequestHeaderConfig,
	clientCA dynamiccertificates.CAContentProvider,
) (authenticator.Request, error) {
	proxy, _, err := authenticatorfactory.DelegatingAuthenticatorConfig{RequestHeaderConfig: header}.New()
	if err != nil {
		return nil, fmt.Errorf("set up authentication of the front proxy: %w", err)
	}
	certificates, _, err := authenticatorfactory.DelegatingAuthenticatorConfig{
		ClientCertificateCAContentProvider: clientCA,
	}.New()
	if err != nil {
		return nil, fmt.Errorf("set up authentication by certificate: %w", err)
	}
	byToken := newTokens(opts, reviewByClient(opts.Client.AuthenticationV1()))
	bearer := group.NewAuthenticatedGroupAdder(withAddress(bearertoken.New(byToken)))
	direct := union.New(certificates, bearer)
	nobody := anonymous.NewAuthenticator(nil)
	return union.NewFailOnError(union.New(mark(proxy, true), mark(direct, false)), mark(nobody, false)), nil
}

// Quiet answers a refused token with 401, as auth does, but without the error: the API machinery
// writes an error to the log for each one, and a flood of made-up tokens would fill it.
func Quiet(auth authenticator.Request) authenticator.Request {
	return authenticator.RequestFunc(func(req *http.Request) (*authenticator.Response, bool, error) {
		resp, ok, err := auth.AuthenticateRequest(req)
		if errors.Is(err, errRefused) || errors.Is(err, errOverBudget) {
			return nil, false, nil
		}
		return resp, ok, err
	})
}
