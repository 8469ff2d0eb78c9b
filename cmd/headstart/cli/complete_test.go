package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The shell completes the names of Forecasts from the cluster, without those that are given already.
func TestNamesAreCompleted(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer, ok := map[string]string{
			"/apis": `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`,
			"/api":  `{"kind":"APIVersions","versions":["v1"]}`,
			"/apis/headstart.dev/v1alpha1": `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"headstart.dev/v1alpha1",
				"resources":[{"name":"forecasts","singularName":"forecast","namespaced":true,"kind":"Forecast","verbs":["list"]}]}`,
			"/apis/headstart.dev/v1alpha1/namespaces/shop/forecasts": forecastList,
			"/apis/headstart.dev/v1alpha1/forecasts":                 forecastList,
		}[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
		}
		_, _ = w.Write([]byte(answer))
	}))
	defer web.Close()
	config := kubeconfigOf(t, web.URL)
	for name, tc := range map[string]struct {
		reason, line string
		want         []string
	}{
		"status":   {"all of the namespace, sorted", "status -n shop", []string{"chat", "web"}},
		"another":  {"a name is given once", "status -n shop web", []string{"chat"}},
		"all":      {"with their namespaces", "status -A", []string{"shop/chat", "shop/web"}},
		"plot":     {"it takes one name", "plot -n shop web", nil},
		"ui":       {"it takes none", "ui -n shop", nil},
		"startup":  {"as status", "startup -n shop", []string{"chat", "web"}},
		"capacity": {"as status", "capacity -n shop", []string{"chat", "web"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, stderr, _ := headstart(t, "__complete "+tc.line+" --kubeconfig", config, "")
			want := strings.Join(append(tc.want, ":4"), "\n") + "\n"
			if out != want {
				t.Errorf("%s: completed\n%s\nwant\n%s\n%s", tc.reason, out, want, stderr)
			}
		})
	}
}

const forecastList = `{"kind":"ForecastList","apiVersion":"headstart.dev/v1alpha1","metadata":{},"items":[
	{"metadata":{"name":"web","namespace":"shop"},"spec":{}},{"metadata":{"name":"chat","namespace":"shop"},"spec":{}}]}`
