package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	clocktesting "k8s.io/utils/clock/testing"
)

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// apiServer answers reviews: it knows the tokens that begin with "good".
type apiServer struct {
	reviews atomic.Int64
	hang    chan struct{} // if not nil, answers about other tokens wait for it to close
	err     error
}

func (a *apiServer) review(ctx context.Context, token string, _ bool) (authenticationv1.TokenReviewStatus, error) {
	a.reviews.Add(1)
	if strings.HasPrefix(token, "good") {
		who := authenticationv1.UserInfo{Username: token}
		return authenticationv1.TokenReviewStatus{Authenticated: true, User: who}, a.err
	}
	if a.hang != nil {
		select {
		case <-a.hang:
		case <-ctx.Done():
			return authenticationv1.TokenReviewStatus{}, ctx.Err()
		}
	}
	return authenticationv1.TokenReviewStatus{Error: "[invalid bearer token]"}, a.err
}

// tokenTest is a token authenticator on a clock that is moved by hand.
type tokenTest struct {
	*tokens
	server *apiServer
	clock  *clocktesting.FakeClock
}

func newTokenTest() *tokenTest {
	server, c := &apiServer{}, clocktesting.NewFakeClock(epoch)
	opts := Options{Clock: c, TTL: time.Minute, Timeout: time.Minute, Observe: func(string, string) {}}
	return &tokenTest{tokens: newTokens(opts, server.review), server: server, clock: c}
}

// send authenticates a token that comes from an address.
func (t *tokenTest) send(address, token string) error {
	resp, ok, err := t.AuthenticateToken(context.WithValue(context.Background(), addressKey{}, address), token)
	if ok != (err == nil) || ok && resp.User.GetName() != token {
		return fmt.Errorf("answer %+v, %v, %w", resp, ok, err)
	}
	return err
}

// flood sends made-up tokens for a minute, 1,000 a second, from so many addresses in turn.
func (t *tokenTest) flood(addresses int) {
	for i := range 60_000 {
		_ = t.send(fmt.Sprint("attacker", i%addresses), fmt.Sprint("made-up", i))
		if i%10 == 9 {
			t.clock.Step(10 * time.Millisecond)
		}
	}
}

func TestMadeUpTokensOfOneAddressAreBounded(t *testing.T) {
	test := newTokenTest()
	test.flood(1)
	if n := test.server.reviews.Load(); n > 10+2*60+1 {
		t.Errorf("%d reviews for 60,000 made-up tokens within a minute, want at most 131", n)
	}
	if err := test.send("honest", "good-new"); err != nil {
		t.Errorf("a new token from another address: %v", err)
	}
}

func TestMadeUpTokensOfManyAddressesAreBounded(t *testing.T) {
	test := newTokenTest()
	if err := test.send("honest", "good"); err != nil {
		t.Fatal(err)
	}
	test.flood(5000)
	if n := test.server.reviews.Load(); n > 40+20*60+2 {
		t.Errorf("%d reviews for 60,000 made-up tokens from 5,000 addresses within a minute, want at most 1,242", n)
	}
	if n := len(test.refused.Keys()); n > 40+20*60+1 || n > maxTokens {
		t.Errorf("%d refused tokens are kept", n)
	}
	before := test.server.reviews.Load()
	test.clock.Step(time.Millisecond) // a little more than a minute since the last review
	if err := test.send("honest", "good"); err != nil {
		t.Errorf("a token that was accepted a minute ago: %v", err)
	}
	if test.server.reviews.Load() != before+1 {
		t.Error("the token was not reviewed again after a minute")
	}
}

// Reviews that get no answer hold neither requests beyond a bound nor a token that is known.
func TestHangingReviewsAreBounded(t *testing.T) {
	test := newTokenTest()
	if err := test.send("honest", "good"); err != nil {
		t.Fatal(err)
	}
	test.clock.Step(2 * time.Minute)
	test.server.hang = make(chan struct{})
	var waiting sync.WaitGroup
	var refused atomic.Int64
	for i := range 500 {
		waiting.Go(func() {
			if err := test.send(fmt.Sprint("attacker", i), fmt.Sprint("made-up", i)); errors.Is(err, errOverBudget) {
				refused.Add(1)
			}
		})
	}
	deadline := time.Now().Add(20 * time.Second)
	for ; refused.Load() < 500-maxUnknownOpen; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d of 500 requests were refused at once", refused.Load())
		}
	}
	if err := test.send("honest", "good"); err != nil {
		t.Errorf("a known token, while the reviews of others hang: %v", err)
	}
	close(test.server.hang)
	waiting.Wait()
	if n := refused.Load(); n != 500-maxUnknownOpen {
		t.Errorf("%d of 500 requests were refused, want all but %d", n, maxUnknownOpen)
	}
}

func TestTokenAnswersAreCached(t *testing.T) {
	test := newTokenTest()
	asked := func(token string) int64 {
		before := test.server.reviews.Load()
		_ = test.send("a", token)
		return test.server.reviews.Load() - before
	}
	for _, tc := range []struct {
		reason string
		after  time.Duration
		token  string
		want   int64
	}{
		{"never seen", 0, "good", 1},
		{"accepted", 59 * time.Second, "good", 0},
		{"accepted over a minute ago", 2 * time.Second, "good", 1},
		{"never seen", 0, "bad", 1},
		{"refused", 9 * time.Second, "bad", 0},
		{"refused over 10 s ago", 2 * time.Second, "bad", 1},
	} {
		test.clock.Step(tc.after)
		if got := asked(tc.token); got != tc.want {
			t.Errorf("%s token %s: %d reviews, want %d", tc.reason, tc.token, got, tc.want)
		}
	}
	test.clock.Step(time.Minute)
	test.server.err = errors.New("no connection")
	if err := test.send("a", "good"); err == nil || errors.Is(err, errRefused) {
		t.Errorf("error = %v, want the one of the review", err)
	}
	test.server.err = nil
	if err := test.send("a", "good"); err != nil {
		t.Errorf("an error of a review was cached: %v", err)
	}
}

// A burst with one new token, as of a client with many connections, is one review.
func TestSameTokenIsReviewedOnce(t *testing.T) {
	test := newTokenTest()
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if err := test.send("a", "good"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := test.server.reviews.Load(); n != 1 {
		t.Errorf("%d reviews of one token, want 1", n)
	}
}
