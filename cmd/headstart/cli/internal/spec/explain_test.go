package spec_test

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
)

func TestExplain(t *testing.T) {
	forecasts := schema.GroupResource{Group: "headstart.dev", Resource: "forecasts"}
	for name, tc := range map[string]struct {
		reason string
		err    error
		says   string
	}{
		"forbidden": {"which role is missing", apierrors.NewForbidden(forecasts, "", errors.New("no")), "the role view"},
		"not found": {"where to look", apierrors.NewNotFound(forecasts, "chat"), "status -A"},
		"no kind":   {"the wrong cluster", &meta.NoKindMatchError{}, "install Headstart, or choose another --context"},
	} {
		if got := spec.Explain(tc.err); !errors.Is(got, tc.err) || !strings.Contains(got.Error(), tc.says) {
			t.Errorf("%s: %s: got %v, want %q beside the error", name, tc.reason, got, tc.says)
		}
	}
	if other := errors.New("other"); spec.Explain(other).Error() != "other" || spec.Explain(nil) != nil {
		t.Error("an error of another kind is changed")
	}
}
