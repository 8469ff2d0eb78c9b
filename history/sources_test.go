package history_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/history"
)

// write puts content into a file of a new folder and returns its path.
func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExampleConfig loads the example of the documentation, beside the files that it names.
func TestExampleConfig(t *testing.T) {
	example, err := os.ReadFile("testdata/sources.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, "sources.yaml", string(example))
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	ca := certPEM(server.Certificate())
	for name, text := range map[string]string{"ca.crt": ca, "token": "t", "password": "p", "client-secret": "s"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := history.LoadSources(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"default", "hosted", "platform", "sso"}, s.Names()); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	doc, err := os.ReadFile("../docs/prometheus.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), string(example)) {
		t.Error("docs/prometheus.md does not show history/testdata/sources.yaml as it is")
	}
}

func TestSourcesFor(t *testing.T) {
	s, err := history.LoadSources(write(t, "sources.yaml", `
sources:
- {name: default, url: "http://127.0.0.1:9090", namespaces: ["*"]}
- {name: team, url: "http://127.0.0.1:9091", namespaces: [a, b]}
`))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		namespace, source string
		kind              history.Kind
		want              string
	}{
		"anybody":     {"x", "default", "", ""},
		"a member":    {"b", "team", "", ""},
		"a stranger":  {"x", "team", history.ErrSourceForbidden, `"team" is not open to namespace "x": add it`},
		"no such one": {"x", "other", history.ErrSourceUnknown, "the configuration file has default, team"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := s.For(tc.namespace, tc.source)
			if history.KindOf(err) != tc.kind || (tc.kind == "") != (err == nil) {
				t.Fatalf("got %v, want %q", err, tc.kind)
			}
			if err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %q, want %q in it", err, tc.want)
			}
		})
	}
}

func TestLoadSourcesErrors(t *testing.T) {
	one := func(more string) string {
		return "sources:\n- name: default\n  url: http://127.0.0.1:9090\n  namespaces: ['*']\n" + more
	}
	at := func(url string) string { return "sources:\n- name: x\n  url: " + url + "\n  namespaces: ['*']\n" }
	const twoKinds = "  httpClientConfig: {basic_auth: {username: u, password: hunter2}, bearer_token: hunter2}\n"
	cases := map[string]struct{ in, want string }{
		"empty":             {"", `"sources" is empty`},
		"not YAML":          {"sources: [", "line 1"},
		"unknown field":     {one("  tls: true\n"), "line 5: field tls not found"},
		"unknown auth":      {one("  httpClientConfig:\n    basic: {}\n"), "line 6: field basic not found"},
		"no name":           {"sources:\n- url: http://x\n", "name is missing"},
		"no url":            {"sources:\n- name: x\n  namespaces: ['*']\n", "url is missing"},
		"no scheme":         {at("prometheus:9090"), "must begin with http://"},
		"unparsable":        {at("'http://u:hunter2@[x'"), "url cannot be parsed"},
		"credentials":       {at("http://u:hunter2@x"), "put them into basic_auth of the source's httpClientConfig"},
		"nobody":            {"sources:\n- name: x\n  url: http://x\n", "namespaces is empty"},
		"twice":             {one("- name: default\n  url: http://y\n  namespaces: ['*']\n"), "used twice"},
		"label":             {one("  enforceNamespaceLabel: 'a b'\n"), "is not a label name"},
		"timeout":           {one("  timeout: 1h\n"), "timeout 1h must be"},
		"concurrency":       {one("  concurrency: -1\n"), "concurrency -1 must be"},
		"points":            {one("  maxPointsPerRequest: 20000\n"), "between 1 and 11000"},
		"two kinds of auth": {one(twoKinds), "at most one of"},
		"no such CA":        {one("  httpClientConfig: {tls_config: {ca_file: missing.crt}}\n"), "missing.crt"},
		"misplaced secret":  {one("  httpClientConfig: {basic_auth: hunter2}\n"), "line 5: cannot unmarshal"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := history.LoadSources(write(t, "sources.yaml", tc.in))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "sources.yaml") {
				t.Fatalf("got %v, want %q in it", err, tc.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the secret is in the message: %v", err)
			}
		})
	}
	if _, err := history.LoadSources(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestReload checks that existing sources follow the file, and that an invalid file changes
// nothing.
func TestReload(t *testing.T) {
	first := httptest.NewServer(&fakePrometheus{value: func(int, time.Time) (float64, bool) { return 1, true }})
	defer first.Close()
	second := httptest.NewServer(&fakePrometheus{value: func(int, time.Time) (float64, bool) { return 2, true }})
	defer second.Close()
	config := func(url, namespace string) string {
		return fmt.Sprintf("sources:\n- {name: default, url: %q, namespaces: [%s]}\n", url, namespace)
	}
	path := write(t, "sources.yaml", config(first.URL, "a"))
	s, err := history.LoadSources(path)
	if err != nil {
		t.Fatal(err)
	}
	src, err := s.For("a", "default")
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		reason, file string
		changed, bad bool
		value        float64
		kind         history.Kind
	}{
		{"nothing happened", config(first.URL, "a"), false, false, 1, ""},
		{"the server moved", config(second.URL, "a"), true, false, 2, ""},
		{"a broken file is not used", "sources: [", false, true, 2, ""},
		{"the namespace lost its right", config(second.URL, "b"), true, false, 0, history.ErrSourceForbidden},
		{"the namespace has it again", config(first.URL, "a"), true, false, 1, ""},
	}
	for _, step := range steps {
		if err := os.WriteFile(path, []byte(step.file), 0o600); err != nil {
			t.Fatal(err)
		}
		changed, err := s.Reload()
		if changed != step.changed || (err != nil) != step.bad {
			t.Errorf("%s: changed %v, %v", step.reason, changed, err)
		}
		got, err := src.Latest(t.Context(), "up", from)
		if got.Value != step.value || history.KindOf(err) != step.kind {
			t.Errorf("%s: got %v, %v", step.reason, got.Value, err)
		}
	}
}

func TestEnforceNamespaceLabel(t *testing.T) {
	f := &fakePrometheus{value: one}
	server := httptest.NewServer(f)
	defer server.Close()
	s, err := history.LoadSources(write(t, "sources.yaml", fmt.Sprintf(
		"sources:\n- {name: default, url: %q, namespaces: ['*'], enforceNamespaceLabel: namespace}\n", server.URL)))
	if err != nil {
		t.Fatal(err)
	}
	src, err := s.For("team-a", "default")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		query, sent string
		kind        history.Kind
	}{
		"added": {`sum(rate(x[2m]))`, `sum(rate(x{namespace="team-a"}[2m]))`, ""},
		"kept":  {`sum(x{namespace="team-a"})`, `sum(x{namespace="team-a"})`, ""},
		"every selector": {
			`sum(x) / on () group_left () max(y offset 5m) > 0 or z`,
			`sum(x{namespace="team-a"}) / on () group_left () max(y{namespace="team-a"} offset 5m) > 0 or ` +
				`z{namespace="team-a"}`,
			"",
		},
		"in a subquery":     {`max_over_time(sum(x)[1h:5m])`, `max_over_time(sum(x{namespace="team-a"})[1h:5m])`, ""},
		"by name matcher":   {`sum({__name__=~"x|y"})`, `sum({__name__=~"x|y",namespace="team-a"})`, ""},
		"twice in one":      {`x{namespace="team-a",namespace="team-b"}`, "", history.ErrNamespaceLabel},
		"another value":     {`sum(x{namespace="team-b"})`, "", history.ErrNamespaceLabel},
		"a pattern":         {`sum(x{namespace=~"team-.*"})`, "", history.ErrNamespaceLabel},
		"anything but":      {`sum(x{namespace!="team-a"})`, "", history.ErrNamespaceLabel},
		"alternatives":      {`x{namespace="team-a" or namespace="team-b"}`, "", history.ErrBadQuery},
		"hidden in absent":  {`absent(x{namespace="team-b"})`, "", history.ErrNamespaceLabel},
		"info reads series": {`info(x, {namespace="team-b"})`, "", history.ErrBadQuery},
		"not PromQL":        {`sum(`, "", history.ErrBadQuery},
		"injection":         {`x} or y{namespace="team-b"`, "", history.ErrBadQuery},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f.take()
			_, _, err := src.Range(t.Context(), tc.query, from, to, time.Minute, nil)
			if history.KindOf(err) != tc.kind || (tc.kind == "") != (err == nil) {
				t.Fatalf("got %v, want %q", err, tc.kind)
			}
			sent := ""
			if q := f.take(); len(q) > 0 {
				sent = q[0].Query
			}
			if sent != tc.sent {
				t.Errorf("sent %s\nwant %s", sent, tc.sent)
			}
		})
	}
}

// Where the series lack the enforced label, the error says that it is the source that adds it.
func TestNoSeriesNamesTheEnforcedLabel(t *testing.T) {
	none := &fakePrometheus{value: func(int, time.Time) (float64, bool) { return 0, false }}
	server := httptest.NewServer(none)
	defer server.Close()
	s, err := history.LoadSources(write(t, "sources.yaml", fmt.Sprintf(
		"sources:\n- {name: default, url: %q, namespaces: ['*'], enforceNamespaceLabel: namespace}\n", server.URL)))
	if err != nil {
		t.Fatal(err)
	}
	src, err := s.For("team-a", "default")
	if err != nil {
		t.Fatal(err)
	}
	const want = `the source adds namespace="team-a" to every selector`
	if _, _, err := src.Range(t.Context(), "up", from, to, time.Minute, nil); !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("got %v", err)
	}
	if _, err := src.Latest(t.Context(), "up", from); !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("got %v", err)
	}
}
