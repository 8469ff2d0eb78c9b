package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/webhook"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
)

var (
	errRefused    = errors.New("the token is not valid")
	errOverBudget = errors.New("too many reviews for this caller")
)

// tokenKey is the SHA-256 of a token. Tokens themselves are not kept.
type tokenKey [sha256.Size]byte

// reviewFunc asks whose token it is. retry allows further tries after an error that may pass.
type reviewFunc func(ctx context.Context, token string, retry bool) (authenticationv1.TokenReviewStatus, error)

// tokens authenticates bearer tokens by review, within budgets, and caches the answers.
type tokens struct {
	review  reviewFunc
	timeout time.Duration // of a review
	observe func(kind, result string)

	accepted  *cache.LRUExpireCache // from a tokenKey to its *authenticator.Response
	refused   *cache.LRUExpireCache // holds a tokenKey
	known     *cache.LRUExpireCache // holds a tokenKey that was accepted within the last hour
	acceptTTL time.Duration
	refuseTTL time.Duration
	unknownOf *budget // by source address
	knownOf   *budget // by token
	underway  singleflight.Group
}

func newTokens(opts Options, review reviewFunc) *tokens {
	return &tokens{
		review: review, timeout: opts.Timeout, observe: opts.Observe,
		accepted:  cache.NewLRUExpireCacheWithClock(maxTokens, opts.Clock),
		refused:   cache.NewLRUExpireCacheWithClock(maxTokens, opts.Clock),
		known:     cache.NewLRUExpireCacheWithClock(maxTokens, opts.Clock),
		acceptTTL: opts.TTL, refuseTTL: min(opts.TTL, maxRefusalTTL),
		unknownOf: newBudget(unknownAddressRate, unknownRate, maxUnknownOpen, opts.Clock),
		knownOf:   newBudget(knownTokenRate, rate{}, maxKnownOpen, opts.Clock),
	}
}

// AuthenticateToken implements [authenticator.Token]. The error is errRefused for a token that the
// API server does not know, and errOverBudget where there was no review.
func (t *tokens) AuthenticateToken(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	key := tokenKey(sha256.Sum256([]byte(token)))
	if resp, ok, refusal := t.cached(key); ok {
		t.observe(kindToken, resultCached)
		return resp, refusal == nil, refusal
	}
	// Requests with the same token share one review, and the first of them pays. So everybody who
	// knows a token can use its owner's budget.
	done := t.underway.DoChan(string(key[:]), func() (any, error) { return t.ask(ctx, key, token) })
	select {
	case r := <-done:
		resp, _ := r.Val.(*authenticator.Response)
		return resp, r.Err == nil, r.Err
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
}

// cached returns the answer of an earlier review. It is not ok where there is none.
func (t *tokens) cached(key tokenKey) (resp *authenticator.Response, ok bool, refusal error) {
	if v, hit := t.accepted.Get(key); hit {
		return v.(*authenticator.Response), true, nil
	}
	if _, hit := t.refused.Get(key); hit {
		return nil, true, errRefused
	}
	return nil, false, nil
}

// ask makes a review, unless the budget is used up.
func (t *tokens) ask(ctx context.Context, key tokenKey, token string) (*authenticator.Response, error) {
	if resp, ok, refusal := t.cached(key); ok { // since the caller looked
		return resp, refusal
	}
	done, ok := t.take(ctx, key)
	if !ok {
		t.observe(kindToken, resultLimited)
		return nil, errOverBudget
	}
	defer done()
	// Other requests may share the review, so it outlives the request that pays for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.timeout)
	defer cancel()
	_, known := t.known.Get(key)
	status, err := t.review(ctx, token, known)
	if err != nil {
		t.observe(kindToken, resultError)
		return nil, fmt.Errorf("review of a token: %w", err)
	}
	if !status.Authenticated {
		t.observe(kindToken, resultRefused)
		// The API server says the same for a token that is wrong and for one that it cannot check
		// at the moment. So a token that was good is asked about again soon.
		if !known || status.Error == "" {
			t.refused.Add(key, struct{}{}, t.refuseTTL)
		}
		return nil, errRefused
	}
	t.observe(kindToken, resultAllowed)
	resp := &authenticator.Response{User: userOf(status.User)}
	t.accepted.Add(key, resp, t.acceptTTL)
	t.known.Add(key, struct{}{}, knownFor)
	return resp, nil
}

// reviewByClient returns the review of a token by the API server. Only reviews of known tokens are
// tried again after an error: otherwise a flood would be multiplied while the API server has
// trouble.
func reviewByClient(client authenticationclient.TokenReviewsGetter) reviewFunc {
	return func(ctx context.Context, token string, retry bool) (authenticationv1.TokenReviewStatus, error) {
		backoff := *genericoptions.DefaultAuthWebhookRetryBackoff()
		if !retry {
			backoff.Steps = 1
		}
		var answer *authenticationv1.TokenReview
		err := webhook.WithExponentialBackoff(ctx, backoff, func() (err error) {
			review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
			answer, err = client.TokenReviews().Create(ctx, review, metav1.CreateOptions{})
			return err
		}, webhook.DefaultShouldRetry)
		if err != nil {
			return authenticationv1.TokenReviewStatus{}, err
		}
		return answer.Status, nil
	}
}

func userOf(u authenticationv1.UserInfo) user.Info {
	info := &user.DefaultInfo{Name: u.Username, UID: u.UID, Groups: u.Groups}
	if u.Extra != nil {
		info.Extra = make(map[string][]string, len(u.Extra))
		for k, v := range u.Extra {
			info.Extra[k] = v
		}
	}
	return info
}

// take takes a review from the budget of the token, once it is known, and else from that of the
// source address.
func (t *tokens) take(ctx context.Context, key tokenKey) (done func(), ok bool) {
	if _, known := t.known.Get(key); known {
		return t.knownOf.take(string(key[:]))
	}
	address, _ := ctx.Value(addressKey{}).(string)
	return t.unknownOf.take(address)
}
