package access

import (
	"context"
	"net"
	"net/http"
	"net/netip"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
)

// caller is a user together with how the request came. The API machinery passes it on from
// authentication to authorisation.
type caller struct {
	user.Info
	frontProxy bool
	address    string // of a direct caller
}

// budgetName names whose budget the reviews of a direct caller are taken from. Anonymous callers
// are one user, so their address counts.
func budgetName(u user.Info) string {
	if c, ok := u.(*caller); ok && u.GetName() == user.Anonymous {
		return "address/" + c.address
	}
	return "user/" + u.GetName()
}

// viaFrontProxy reports whether the front proxy sent the request. A user who is impersonated is not
// a *caller, and counts as direct.
func viaFrontProxy(u user.Info) bool {
	c, ok := u.(*caller)
	return ok && c.frontProxy
}

// mark notes on the user that auth finds how the request came.
func mark(auth authenticator.Request, frontProxy bool) authenticator.Request {
	return authenticator.RequestFunc(func(req *http.Request) (*authenticator.Response, bool, error) {
		resp, ok, err := auth.AuthenticateRequest(req)
		if err != nil || !ok {
			return resp, ok, err
		}
		marked := *resp
		marked.User = &caller{Info: resp.User, frontProxy: frontProxy, address: sourceAddress(req)}
		return &marked, true, nil
	})
}

// sourceAddress is the IP address that a request comes from. IPv6 addresses count by their /64
// network, since one machine can have all the addresses of such a network. Headers such as
// X-Forwarded-For are not read: the caller writes them.
func sourceAddress(req *http.Request) string {
	host, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		return req.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	prefix, _ := addr.Prefix(64) // fails for no IPv6 address
	return prefix.String()
}

// addressKey is the key of the source address in a request's context.
type addressKey struct{}

// withAddress gives the token authenticator the source address, which it cannot see otherwise.
func withAddress(auth authenticator.Request) authenticator.Request {
	return authenticator.RequestFunc(func(req *http.Request) (*authenticator.Response, bool, error) {
		// A shallow copy: the header map stays shared, and the authenticator removes the token from
		// it.
		ctx := context.WithValue(req.Context(), addressKey{}, sourceAddress(req))
		return auth.AuthenticateRequest(req.WithContext(ctx))
	})
}
