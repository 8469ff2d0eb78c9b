package history_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestKindsAreDocumented checks that the documentation's table has a row for every kind of error:
// it is the reason of a condition, which users look up.
func TestKindsAreDocumented(t *testing.T) {
	code, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../docs/prometheus.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`\tErr\w+ Kind = "(\w+)"`).FindAllSubmatch(code, -1)
	if len(kinds) < 10 {
		t.Errorf("only %d kinds were found in errors.go", len(kinds))
	}
	for _, kind := range kinds {
		if !strings.Contains(string(doc), "\n| `"+string(kind[1])+"` |") {
			t.Errorf("docs/prometheus.md has no row for %s", kind[1])
		}
	}
}
