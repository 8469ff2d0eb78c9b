package kube

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// unserved is the error of client-go for a path that the API server does not know, with the name of
// the requested object.
func unserved(name string) error {
	return apierrors.NewGenericServerResponse(http.StatusNotFound, "get",
		schema.GroupResource{Group: "example", Resource: "things"}, name, "404 page not found", 0, true)
}

// The errors of a real client for a server's answers, for an object that is read by name and for
// one that is created.
func TestAbsent(t *testing.T) {
	missing := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(rw, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,`+
			`"message":"not found","details":{"name":"llama","kind":"localmodelcaches"}}`)
	}
	cases := map[string]struct {
		reason string
		answer http.HandlerFunc
		want   bool
	}{
		"Unserved": {"a path that is not served is answered in plain text", http.NotFound, true},
		"Missing":  {"the API is there, the object is not", missing, false},
		"Away": {
			"an API server that does not answer says nothing about its APIs",
			func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) }, false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(tc.answer)
			defer srv.Close()
			mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{LocalModelCache.GroupVersion()})
			mapper.Add(LocalModelCache, meta.RESTScopeRoot)
			c, err := client.New(&rest.Config{Host: srv.URL}, client.Options{Mapper: mapper})
			if err != nil {
				t.Fatal(err)
			}
			u := NewObject(LocalModelCache, "", "llama")
			for verb, err := range map[string]error{
				"get": c.Get(t.Context(), client.ObjectKeyFromObject(u), u), "update": c.Update(t.Context(),
					u.DeepCopy()), "delete": c.Delete(t.Context(), u.DeepCopy()),
				"create": c.Create(t.Context(), NewObject(LocalModelCache, "", "llama")),
			} {
				if err == nil || (IsAbsent(err) != tc.want && (verb != "create" || name != "Missing")) {
					t.Errorf("\nReason: %s\n%s: absent is %t of %v, want %t", tc.reason, verb, IsAbsent(err), err, tc.want)
				}
			}
		})
	}
}

// discoveryFunc is discovery as a function.
type discoveryFunc func(string) (*metav1.APIResourceList, error)

func (f discoveryFunc) ServerResourcesForGroupVersion(gv string) (*metav1.APIResourceList, error) {
	return f(gv)
}

// What is served now counts, and not what was served once. While discovery does not answer, its
// last answer counts.
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
	c := clocktesting.NewFakeClock(start)
	a := NewAPIs(nil, c)
	for _, s := range steps {
		a.discovery = s.discovery
		c.SetTime(start.Add(time.Duration(s.minutes * float64(time.Minute))))
		if got, _ := a.Serves(CapacityBuffer); got != s.want {
			t.Errorf("minute %v: %t, want %t, since %s", s.minutes, got, s.want, s.reason)
		}
	}
}
