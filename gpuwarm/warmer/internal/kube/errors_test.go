package kube

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var errInternal = apierrors.NewInternalError(errors.New("a webhook is away"))

func forbid(verb, resource string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "x",
		fmt.Errorf("User \"headstart\" cannot %s resource %q", verb, resource))
}

// Each denial has a remedy, whatever code admission uses.
func TestRemedies(t *testing.T) {
	status := func(code int32, reason metav1.StatusReason, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: code, Reason: reason,
			Message: message,
		}}
	}
	const (
		policy = `pods "x" is forbidden: ValidatingAdmissionPolicy 'no-pause' with binding 'b' ` +
			`denied request: image not allowed`
		webhook = `admission webhook "validate.example" denied the request: you cannot have exceeded quota`
	)
	cases := map[string]struct {
		reason string
		err    error
		says   string // empty where time alone mends it
	}{
		"Policy": {
			"a policy denies with 422 unless it is told otherwise",
			status(422, metav1.StatusReasonInvalid, policy), "have that policy or webhook admit it",
		},
		"PolicyForbids": {
			"or with 403", status(403, metav1.StatusReasonForbidden, policy), "have that policy or webhook admit it",
		},
		"Webhook": {
			"a webhook that gives no code comes out as 400, and its words are its own",
			status(400, "", webhook), "have that policy or webhook admit it",
		},
		"WebhookBusy": {
			"one that says it has too much to do is asked again",
			status(429, metav1.StatusReasonTooManyRequests, webhook), "",
		},
		"WebhookAway": {"one that fails passes", errInternal, ""},
		"Template": {"what validation refuses is of the " +
			"template", status(422, metav1.StatusReasonInvalid,
			`Pod "x" is invalid: spec.tolerations[0]: Unsupported value`), "the target's template"},
		"Cluster": {
			"rights on what is of no namespace are no RoleBinding's to grant",
			status(403, metav1.StatusReasonForbidden,
				`localmodelcaches.serving.kserve.io "llama" is forbidden: User "headstart" cannot get `+
					`resource "localmodelcaches" in API group "serving.kserve.io" at the cluster scope`),
			"ClusterRole headstart-warm and its ClusterRoleBinding",
		},
		"Namespace": {"others are", forbid("create", "pods"), "RoleBinding to the ClusterRole headstart-warm-namespace"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, remedy, known := Remedy(fmt.Errorf("make it: %w", tc.err))
			if known != (tc.says != "") || !strings.Contains(remedy, tc.says) {
				t.Errorf("\nReason: %s\n%v: the remedy is %q, want %q", tc.reason, tc.err, remedy, tc.says)
			}
		})
	}
}
