package adapter

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Bearer tokens of the fake API server. Each is also the name of its user.
const (
	goodToken      = "good"
	forbiddenToken = "known-but-not-allowed"
)

// cluster is a fake API server for delegated authentication and authorisation.
type cluster struct {
	server                      *httptest.Server
	tokenReviews, accessReviews atomic.Int64
	hang                        atomic.Bool // access reviews are not answered
	hangTokens                  atomic.Bool // token reviews are not answered

	mu         sync.Mutex
	lastAccess authorizationv1.SubjectAccessReviewSpec
	config     corev1.ConfigMap
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{config: corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: authConfigNamespace, Name: authConfigName, ResourceVersion: "1"},
		Data: map[string]string{
			"requestheader-username-headers":     `["X-Remote-User"]`,
			"requestheader-group-headers":        `["X-Remote-Group"]`,
			"requestheader-extra-headers-prefix": `["X-Remote-Extra-"]`,
			"requestheader-allowed-names":        `["front-proxy"]`,
		},
	}}
	c.server = httptest.NewServer(c)
	t.Cleanup(c.server.CloseClientConnections)
	return c
}

func (c *cluster) clientset(t *testing.T, timeout time.Duration) kubernetes.Interface {
	t.Helper()
	config := ReviewConfig(&rest.Config{Host: c.server.URL})
	config.Timeout, config.ContentType = timeout, "application/json" // cluster does not read protobuf
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// trustAggregator publishes the CA that signs the aggregator's client certificate.
func (c *cluster) trustAggregator(caPEM []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.config.Data["requestheader-client-ca-file"] = string(caPEM)
}

func (c *cluster) access() authorizationv1.SubjectAccessReviewSpec {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastAccess
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/tokenreviews"):
		c.reviewToken(w, r)
	case strings.HasSuffix(r.URL.Path, "/subjectaccessreviews"):
		c.reviewAccess(w, r)
	case strings.HasSuffix(r.URL.Path, "/configmaps"):
		c.serveConfig(w, r)
	case strings.HasSuffix(r.URL.Path, "/configmaps/"+authConfigName):
		c.mu.Lock()
		defer c.mu.Unlock()
		reply(w, http.StatusOK, &c.config)
	default:
		http.NotFound(w, r)
	}
}

func (c *cluster) reviewToken(w http.ResponseWriter, r *http.Request) {
	c.tokenReviews.Add(1)
	if c.hangTokens.Load() {
		<-r.Context().Done()
		return
	}
	var review authenticationv1.TokenReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if token := review.Spec.Token; token == goodToken || token == forbiddenToken {
		review.Status.Authenticated, review.Status.User.Username = true, token
	} else {
		review.Status.Error = "[invalid bearer token, token lookup failed]" // as the API server says it
	}
	reply(w, http.StatusCreated, &review)
}

func (c *cluster) reviewAccess(w http.ResponseWriter, r *http.Request) {
	c.accessReviews.Add(1)
	if c.hang.Load() {
		<-r.Context().Done()
		return
	}
	var review authorizationv1.SubjectAccessReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.lastAccess = review.Spec
	c.mu.Unlock()
	review.Status.Allowed = review.Spec.User == goodToken
	reply(w, http.StatusCreated, &review)
}

// serveConfig lists the ConfigMap; a watch of it never has an event.
func (c *cluster) serveConfig(w http.ResponseWriter, r *http.Request) {
	switch query := r.URL.Query(); {
	case query.Get("sendInitialEvents") == "true":
		http.Error(w, "list and watch instead", http.StatusUnprocessableEntity)
	case query.Get("watch") == "true":
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		reply(w, http.StatusOK, &corev1.ConfigMapList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"},
			ListMeta: metav1.ListMeta{ResourceVersion: "1"},
			Items:    []corev1.ConfigMap{c.config},
		})
	}
}

func reply(w http.ResponseWriter, code int, obj any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(obj)
}
