package access

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	clocktesting "k8s.io/utils/clock/testing"
)

// accessTest is a reviewer whose API server allows everything.
type accessTest struct {
	*reviewer
	clock   *clocktesting.FakeClock
	reviews atomic.Int64
}

func newAccessTest() *accessTest {
	a := &accessTest{clock: clocktesting.NewFakeClock(epoch)}
	allow := func(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
		a.reviews.Add(1)
		return authorizer.DecisionAllow, "", nil
	}
	opts := Options{Clock: a.clock, TTL: time.Minute, Observe: func(string, string) {}}
	a.reviewer = newReviewer(opts, authorizer.AuthorizerFunc(allow))
	return a
}

func (a *accessTest) allowed(u user.Info, path string) bool {
	d, _, err := a.authorize(context.Background(), authorizer.AttributesRecord{User: u, Verb: "get", Path: path})
	return d == authorizer.DecisionAllow && err == nil
}

func anonymousFrom(address string) user.Info {
	return &caller{Info: &user.DefaultInfo{Name: user.Anonymous}, address: address}
}

func directUser(name string) user.Info {
	return &caller{Info: &user.DefaultInfo{Name: name}, address: "10.0.0.1"}
}

func proxiedUser(name string) user.Info {
	return &caller{Info: &user.DefaultInfo{Name: name}, frontProxy: true}
}

func TestAccessReviewsOfDirectCallersAreBounded(t *testing.T) {
	impersonated := &user.DefaultInfo{Name: "impersonated"}
	cases := map[string]struct {
		reason string
		caller func(i int) user.Info
		most   int64 // the burst, a minute of the rate, and one
	}{
		"anonymous":           {"10 a second", func(int) user.Info { return anonymousFrom("10.0.0.9") }, 701},
		"one ServiceAccount":  {"10 a second", func(int) user.Info { return directUser("a") }, 701},
		"impersonated":        {"10 a second", func(int) user.Info { return impersonated }, 701},
		"many addresses":      {"50 a second in all", func(i int) user.Info { return anonymousFrom(fmt.Sprint(i)) }, 3201},
		"many ServiceAccount": {"50 a second in all", func(i int) user.Info { return directUser(fmt.Sprint(i)) }, 3201},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := newAccessTest()
			hpa := proxiedUser("hpa")
			if !a.allowed(hpa, "/metric") {
				t.Fatal("the autoscaler is refused")
			}
			for i := range 60_000 { // 1,000 a second, each for another path
				a.allowed(tc.caller(i), fmt.Sprint("/", i))
				if i%10 == 9 {
					a.clock.Step(10 * time.Millisecond)
				}
				if i == 30_000 {
					before := a.reviews.Load()
					if !a.allowed(hpa, "/metric") || a.reviews.Load() != before {
						t.Error("the flood pushed the autoscaler's permission out of the cache")
					}
				}
			}
			if n := a.reviews.Load() - 1; n > tc.most {
				t.Errorf("%d reviews within a minute, want at most %d: %s", n, tc.most, tc.reason)
			}
			for i := range 500 {
				if !a.allowed(hpa, fmt.Sprint("/other", i)) {
					t.Fatalf("the autoscaler is refused at its review %d after the flood", i)
				}
			}
		})
	}
}

func TestDirectCallersDoNotUseUpEachOther(t *testing.T) {
	a := newAccessTest()
	for i := range 1000 {
		a.allowed(directUser("greedy"), fmt.Sprint("/", i))
	}
	if !a.allowed(directUser("modest"), "/metrics") {
		t.Error("one user's requests use up the budget of another")
	}
}

func TestLongQuestionIsRefused(t *testing.T) {
	a := newAccessTest()
	if a.allowed(directUser("a"), "/"+strings.Repeat("x", maxQuestion)) || a.reviews.Load() != 0 {
		t.Error("a path of 2 KiB was reviewed, and would be kept")
	}
}

// Whatever an access review says counts for its answer in the cache.
func TestDecisionsAreKeptApart(t *testing.T) {
	base := authorizer.AttributesRecord{User: &user.DefaultInfo{Name: "u"}, Verb: "get", ResourceRequest: true}
	parse := func(s string) labels.Requirements {
		r, err := labels.ParseToRequirements(s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	changes := map[string]func(*authorizer.AttributesRecord){
		"nothing": func(*authorizer.AttributesRecord) {},
		"name":    func(a *authorizer.AttributesRecord) { a.User = &user.DefaultInfo{Name: "v"} },
		"uid":     func(a *authorizer.AttributesRecord) { a.User = &user.DefaultInfo{Name: "u", UID: "1"} },
		"groups": func(a *authorizer.AttributesRecord) {
			a.User = &user.DefaultInfo{Name: "u", Groups: []string{"g", "h"}}
		},
		"joined groups": func(a *authorizer.AttributesRecord) {
			a.User = &user.DefaultInfo{
				Name: "u", Groups: []string{"g,h"},
			}
		},
		"extra": func(a *authorizer.AttributesRecord) {
			a.User = &user.DefaultInfo{Name: "u", Extra: map[string][]string{"k": {"v"}}}
		},
		"verb":           func(a *authorizer.AttributesRecord) { a.Verb = "list" },
		"namespace":      func(a *authorizer.AttributesRecord) { a.Namespace = "x" },
		"group":          func(a *authorizer.AttributesRecord) { a.APIGroup = "x" },
		"version":        func(a *authorizer.AttributesRecord) { a.APIVersion = "x" },
		"resource":       func(a *authorizer.AttributesRecord) { a.Resource = "x" },
		"subresource":    func(a *authorizer.AttributesRecord) { a.Subresource = "x" },
		"object":         func(a *authorizer.AttributesRecord) { a.Name = "x" },
		"path":           func(a *authorizer.AttributesRecord) { a.Path = "x" },
		"no resource":    func(a *authorizer.AttributesRecord) { a.ResourceRequest = false },
		"label selector": func(a *authorizer.AttributesRecord) { a.LabelSelectorRequirements = parse("a=b") },
		"label operator": func(a *authorizer.AttributesRecord) { a.LabelSelectorRequirements = parse("a!=b") },
		"field selector": func(a *authorizer.AttributesRecord) {
			a.FieldSelectorRequirements = fields.OneTermEqualSelector("a", "b").Requirements()
		},
	}
	seen := map[decisionKey]string{}
	for name, change := range changes {
		record := base
		change(&record)
		key, _, err := keyOf(record)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s have one answer in the cache", name, other)
		}
		seen[key] = name
	}
}

func TestSourceAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"10.0.0.1:4711":          "10.0.0.1",
		"[::ffff:10.0.0.1]:4711": "10.0.0.1",
		"[2001:db8::1:2]:1":      "2001:db8::/64",
		"[2001:db8::ffff:3]:1":   "2001:db8::/64",
		"[fe80::1%eth0]:1":       "fe80::/64",
		"something else":         "something else",
	} {
		req := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {"1.2.3.4"}}}
		if got := sourceAddress(req); got != want {
			t.Errorf("the address of %s is %s, want %s", remote, got, want)
		}
	}
}
