package explain

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRunbooks(t *testing.T) {
	r := runbooksOf("# Alerts\n\nintro\n\n## Away\nLook at [pods](install.md#the-image) and `x`:\n" +
		"```sh\nkubectl get pods\n```\nThen wait.\n\n## Late\nWait.\n")
	if diff := cmp.Diff([]string{"Away", "Late"}, r.Names()); diff != "" {
		t.Errorf("names: -want, +got\n%s", diff)
	}
	var out strings.Builder
	if !r.Write(&out, "away") {
		t.Fatal("the case of a name matters")
	}
	const want = "Away is an alert.\n\nLook at pods (docs/install.md) and x:\n\n    kubectl get pods\n\nThen wait.\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
	if r.Write(&out, "Nothing") {
		t.Error("an alert that is not there is explained")
	}
}
