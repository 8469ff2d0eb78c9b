package warmer

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

// What a real client makes of a real server's answers, for an object that was asked for by name and for one that is made.
func TestAbsent(t *testing.T) {
	missing := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(rw, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"not found","details":{"name":"llama","kind":"localmodelcaches"}}`)
	}
	cases := map[string]struct {
		reason string
		answer http.HandlerFunc
		want   bool
	}{
		"Unserved": {"a path that is not served is answered in plain text", http.NotFound, true},
		"Missing":  {"the API is there, the object is not", missing, false},
		"Away":     {"an API server that does not answer says nothing about its APIs", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) }, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(tc.answer)
			defer srv.Close()
			mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{localModelCache.GroupVersion()})
			mapper.Add(localModelCache, meta.RESTScopeRoot)
			c, err := client.New(&rest.Config{Host: srv.URL}, client.Options{Mapper: mapper})
			if err != nil {
				t.Fatal(err)
			}
			u := newObject(localModelCache, "", "llama")
			for verb, err := range map[string]error{
				"get": c.Get(t.Context(), client.ObjectKeyFromObject(u), u), "update": c.Update(t.Context(), u.DeepCopy()), "delete": c.Delete(t.Context(), u.DeepCopy()),
				"create": c.Create(t.Context(), newObject(localModelCache, "", "llama")),
			} {
				if err == nil || (absent(err) != tc.want && (verb != "create" || name != "Missing")) {
					t.Errorf("\nReason: %s\n%s: absent is %t of %v, want %t", tc.reason, verb, absent(err), err, tc.want)
				}
			}
		})
	}
}

// discovery as a function.
type discoveryFunc func(string) (*metav1.APIResourceList, error)

func (f discoveryFunc) ServerResourcesForGroupVersion(gv string) (*metav1.APIResourceList, error) {
	return f(gv)
}

// What is there now counts, and not what was seen once; a cluster that does not answer is as it was.
func TestAPIsComeAndGo(t *testing.T) {
	serves := func(kinds ...string) discoveryFunc {
		return func(gv string) (*metav1.APIResourceList, error) {
			list := &metav1.APIResourceList{GroupVersion: gv}
			for _, k := range kinds {
				list.APIResources = append(list.APIResources, metav1.APIResource{Kind: k})
			}
			return list, nil
		}
	}
	fails := func(err error) discoveryFunc {
		return func(string) (*metav1.APIResourceList, error) { return nil, err }
	}
	steps := []struct {
		reason    string
		discovery discoveryFunc
		minutes   float64
		want      bool
	}{
		{"there is no such group", fails(unserved("")), 0, false},
		{"what was seen is taken to be so for a minute", serves("CapacityBuffer"), 0.9, false},
		{"it was installed", serves("CapacityQuota", "CapacityBuffer"), 1, true},
		{"the API server is away", fails(apierrors.NewServiceUnavailable("x")), 2, true},
		{"nothing is heard of it", fails(errors.New("connection refused")), 3, true},
		{"the group is left, with another kind", serves("CapacityQuota"), 4, false},
		{"and away again", fails(errors.New("connection refused")), 5, false},
		{"who does not answer is asked again soon", serves("CapacityBuffer"), 5.2, true},
	}
	a := &apis{seen: map[schema.GroupVersionKind]sighting{}}
	for _, s := range steps {
		a.discovery = s.discovery
		if got := a.has(capacityBuffer, start.Add(time.Duration(s.minutes*float64(time.Minute)))); got != s.want {
			t.Errorf("minute %v: %t, want %t, since %s", s.minutes, got, s.want, s.reason)
		}
	}
}

// An API can be gone while discovery still says otherwise. What was asked of it is done another way, or told, at that look; and nothing is written for it in vain for as long.
func TestAPIsThatVanishBetweenTwoLooks(t *testing.T) {
	atomic := func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesProvisioningRequest }
	cases := map[string]struct {
		kind string
		pool *v1alpha1.WarmPool
		cond string
		says string
	}{
		"CapacityBuffer":      {"CapacityBuffer", pool(noImages), v1alpha1.ConditionNodesWarm, "held for 0 of 2 replicas"},
		"ProvisioningRequest": {"ProvisioningRequest", pool(noImages, atomic), v1alpha1.ConditionNodesWarm, "no such API"},
		"ImagePullJob":        {"ImagePullJob", pool(noNodes), v1alpha1.ConditionImagesWarm, "0 of 1 nodes"},
		"DataLoad":            {"DataLoad", pool(noImages, loads(v1alpha1.WarmWeights{DataLoad: &v1alpha1.WarmDataLoad{Dataset: "x"}})), v1alpha1.ConditionWeightsWarm, "no such API"},
		"LocalModelCache":     {"LocalModelCache", pool(noImages, loads(v1alpha1.WarmWeights{LocalModelCache: "llama"})), v1alpha1.ConditionWeightsWarm, "no such API"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, tc.pool, node("a"))
			w.mapper.there[tc.kind] = true
			w.unread = func(kind string) error {
				if kind == tc.kind || kind == tc.kind+"List" {
					return unserved("x")
				}
				return nil
			}
			w.refuse = func(_ string, o client.Object) error {
				if kindOf(o) == tc.kind {
					return unserved("")
				}
				return nil
			}
			if s := w.look(0); !strings.Contains(messageOf(s, tc.cond), tc.says) {
				t.Errorf("%s: %s", reasonOf(s, tc.cond), messageOf(s, tc.cond))
			}
			for _, p := range w.ours(rolePull) {
				w.bind(&p, "a") // and is being pulled for long
			}
			writes := len(w.writes)
			for look := range 40 {
				if s := w.look(0.25 + float64(look)/4); !strings.Contains(messageOf(s, tc.cond), tc.says) {
					t.Fatalf("look %d: %s: %s", look, reasonOf(s, tc.cond), messageOf(s, tc.cond))
				}
			}
			if n := len(w.writes) - writes; n > 0 {
				t.Errorf("%d writes in ten minutes in which nothing changed: %v", n, w.writes[writes:])
			}
			if w.mapper.asked > 5*11 {
				t.Errorf("discovery was asked %d times in ten minutes, want once a minute for each API", w.mapper.asked)
			}
		})
	}
}
