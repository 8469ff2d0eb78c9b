package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	genericoptions "k8s.io/apiserver/pkg/server/options"
)

// decisionKey is the SHA-256 of a question.
type decisionKey [sha256.Size]byte

// decision is the answer to a question.
type decision struct {
	decision authorizer.Decision
	reason   string
}

// reviewer authorises by SubjectAccessReview, within budgets, and caches the answers.
type reviewer struct {
	review  authorizer.UnconditionalAuthorizer
	observe func(kind, result string)

	proxied, direct     *cache.LRUExpireCache // from a decisionKey to its decision
	allowTTL, refuseTTL time.Duration
	proxiedOf, directOf *budget // by user, or by source address where that is the anonymous one
}

// Authorization returns what asks the API server by SubjectAccessReview. A caller who is over
// budget, or whose question is too long, is refused with a reason.
func Authorization(opts Options) (authorizer.Authorizer, error) {
	review, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: opts.Client.AuthorizationV1(),
		WebhookRetryBackoff:       genericoptions.DefaultAuthWebhookRetryBackoff(),
	}.New() // without a TTL it caches nothing
	if err != nil {
		return nil, fmt.Errorf("set up delegated authorisation: %w", err)
	}
	return authorizer.AuthorizerFunc(newReviewer(opts, review).authorize), nil
}

func newReviewer(opts Options, review authorizer.UnconditionalAuthorizer) *reviewer {
	return &reviewer{
		review: review, observe: opts.Observe,
		proxied:  cache.NewLRUExpireCacheWithClock(maxDecisions, opts.Clock),
		direct:   cache.NewLRUExpireCacheWithClock(maxDirectDecisions, opts.Clock),
		allowTTL: opts.TTL, refuseTTL: min(opts.TTL, maxRefusalTTL),
		proxiedOf: newBudget(frontProxyUserRate, rate{}, 0, opts.Clock),
		directOf:  newBudget(directUserRate, directRate, maxDirectOpen, opts.Clock),
	}
}

// authorize is an [authorizer.AuthorizerFunc].
func (r *reviewer) authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	who := a.GetUser()
	if who == nil {
		return authorizer.DecisionNoOpinion, "nobody asks", nil
	}
	key, size, err := keyOf(a)
	if err != nil {
		return authorizer.DecisionNoOpinion, "", err
	}
	if size > maxQuestion {
		r.observe(kindAccess, resultLimited)
		reason := fmt.Sprintf("path, names and selectors have %d bytes, more than %d", size, maxQuestion)
		return authorizer.DecisionNoOpinion, reason, nil
	}
	answers := r.direct
	if viaFrontProxy(who) {
		answers = r.proxied
	}
	if v, ok := answers.Get(key); ok {
		r.observe(kindAccess, resultCached)
		d := v.(decision)
		return d.decision, d.reason, nil
	}
	done, ok := r.take(ctx, who)
	if !ok {
		r.observe(kindAccess, resultLimited)
		return authorizer.DecisionNoOpinion, "too many access reviews for this caller, try again later", nil
	}
	defer done()
	d, reason, err := r.review.Authorize(ctx, a)
	if err != nil {
		r.observe(kindAccess, resultError)
		return d, reason, err
	}
	if d == authorizer.DecisionAllow {
		r.observe(kindAccess, resultAllowed)
		answers.Add(key, decision{d, reason}, r.allowTTL)
	} else {
		r.observe(kindAccess, resultRefused)
		answers.Add(key, decision{d, reason}, r.refuseTTL)
	}
	return d, reason, nil
}

// take takes a review from the caller's budget. A user behind the front proxy waits for a moment, a
// direct caller never does.
func (r *reviewer) take(ctx context.Context, who user.Info) (done func(), ok bool) {
	if viaFrontProxy(who) {
		return func() {}, r.proxiedOf.wait(ctx, who.GetName(), frontProxyWait)
	}
	return r.directOf.take(budgetName(who))
}

// keyOf returns the key of a question, which covers everything that an access review says, and the
// size of the part that the caller writes.
func keyOf(a authorizer.Attributes) (decisionKey, int, error) {
	selectors := make([]string, 0, 2)
	fieldReqs, _ := a.GetFieldSelector() // what cannot be parsed is not asked about either
	for _, req := range fieldReqs {
		selectors = append(selectors, fmt.Sprintf("%q %q %q", req.Field, req.Operator, req.Value))
	}
	selectors = append(selectors, "and labels")
	labelReqs, _ := a.GetLabelSelector()
	for _, req := range labelReqs {
		selectors = append(selectors, req.String())
	}
	what, err := json.Marshal([]any{
		a.IsResourceRequest(), a.GetVerb(), a.GetNamespace(), a.GetAPIGroup(), a.GetAPIVersion(),
		a.GetResource(), a.GetSubresource(), a.GetName(), a.GetPath(), selectors,
	})
	if err != nil {
		return decisionKey{}, 0, fmt.Errorf("describe the request: %w", err)
	}
	u := a.GetUser()
	who, err := json.Marshal([]any{u.GetName(), u.GetUID(), u.GetGroups(), u.GetExtra()})
	if err != nil {
		return decisionKey{}, 0, fmt.Errorf("describe the caller: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %d ", len(what), len(who))
	h.Write(what)
	h.Write(who)
	return decisionKey(h.Sum(nil)), len(what), nil
}
