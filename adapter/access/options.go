package access

import (
	"net"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

// Options say whom to ask and how long an answer counts.
type Options struct {
	// Client makes the reviews. It must have no rate limit of its own (see ClientConfig): requests
	// would wait there in one queue, those of the front proxy behind everybody else's.
	Client kubernetes.Interface
	// Timeout bounds one review.
	Timeout time.Duration
	// TTL is how long an accepted token or a permission counts. A refusal counts for ten seconds at
	// most.
	TTL time.Duration
	// Clock is the time by which budgets fill up and answers expire.
	Clock clock.Clock
	// Observe is called for each answer with its kind (token, access) and its result (allowed,
	// refused, cached, limited, error).
	Observe func(kind, result string)
}

const (
	kindToken  = "token"
	kindAccess = "access"

	resultAllowed = "allowed"
	resultRefused = "refused"
	resultCached  = "cached"
	resultLimited = "limited"
	resultError   = "error"
)

const (
	// maxRefusalTTL bounds how long a refusal counts: a permission that was just given should count
	// soon.
	maxRefusalTTL = 10 * time.Second
	// knownFor is how long after a review a token is one of a known caller, which others cannot use
	// up the budget of.
	knownFor = time.Hour
	// frontProxyWait bounds the wait of a front-proxy request for its user's own budget.
	frontProxyWait = 250 * time.Millisecond
)

// The sizes of caches, in entries. An entry takes a few hundred bytes.
const (
	maxTokens  = 4096
	maxCallers = 4096
	// maxDecisions is more than 10,000 autoscaled metrics for each of a few users.
	maxDecisions = 32768
	// maxDirectDecisions is far below, since direct callers are few.
	maxDirectDecisions = 4096
	// maxQuestion bounds what the caller writes into one access review, in bytes. Names in
	// Kubernetes have 253 at most.
	maxQuestion = 2048
)

// The most reviews of direct callers that wait for an answer at once. The API server's connection
// carries 100 or more requests.
const (
	maxUnknownOpen = 20
	maxKnownOpen   = 20
	maxDirectOpen  = 40
)

// The budgets of direct callers without and with an accepted token, and of users behind the front
// proxy. With answers cached for a minute, an honest direct caller, such as a Prometheus server,
// needs one or two reviews a minute; an autoscaler behind the front proxy needs one for each metric
// and minute, 167 a second for 10,000.
var (
	unknownAddressRate = rate{qps: 2, burst: 10}
	unknownRate        = rate{qps: 20, burst: 40}
	knownTokenRate     = rate{qps: 1, burst: 5}
	frontProxyUserRate = rate{qps: 400, burst: 800}
	directUserRate     = rate{qps: 10, burst: 100}
	directRate         = rate{qps: 50, burst: 200}
)

// ClientConfig returns config for the client that makes the reviews: without a rate limit, since
// the budgets of this package are the limit, with a connection of its own, so that a review never
// waits behind a list, and with a timeout.
func ClientConfig(config *rest.Config, timeout time.Duration) *rest.Config {
	c := rest.CopyConfig(config)
	c.QPS, c.Burst, c.RateLimiter, c.Timeout = -1, 0, nil, timeout
	if c.Dial == nil {
		// client-go shares connections between configurations that are alike, and a dialer makes
		// one unlike the others.
		c.Dial = (&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return c
}
