package checkout

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository makes one with two commits and a tag, and returns its folder.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"commit", "--quiet", "--allow-empty", "--message=a: first"},
		{"tag", "v0.1.0"},
		{"commit", "--quiet", "--allow-empty", "--message=b: second"},
	} {
		git(t, dir, args...)
	}
	return dir
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a",
		"GIT_COMMITTER_EMAIL=a@b", "GIT_COMMITTER_DATE=1700000000 +0100", "GIT_CONFIG_GLOBAL=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
}

func TestOpen(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "")
	dir := repository(t)
	c, err := Open(t.Context(), dir, "v0.2.0")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Commit) != 40 || c.Date.Unix() != 1700000000 || c.Date.Location().String() != "UTC" {
		t.Errorf("got %+v", c)
	}
	subjects, since, err := c.Log(t.Context())
	if err != nil || since != "v0.1.0" || strings.Join(subjects, ", ") != "b: second" {
		t.Errorf("since %q: %q, %v", since, subjects, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "add", "new")
	if c, err = Open(t.Context(), dir, "v0.2.0"); err != nil || !strings.HasSuffix(c.Commit, "-dirty") {
		t.Errorf("with a changed file: %+v, %v", c, err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "12")
	if c, err = Open(t.Context(), dir, "v0.2.0"); err != nil || c.Date.Unix() != 12 {
		t.Errorf("with SOURCE_DATE_EPOCH: %+v, %v", c, err)
	}
}

// TestLogOfTaggedCommit: the tag of the version itself is not the last release.
func TestLogOfTaggedCommit(t *testing.T) {
	dir := repository(t)
	git(t, dir, "tag", "v0.2.0")
	c, err := Open(t.Context(), dir, "v0.2.0")
	if err != nil {
		t.Fatal(err)
	}
	subjects, since, err := c.Log(t.Context())
	if err != nil || since != "v0.1.0" || len(subjects) != 1 {
		t.Errorf("since %q: %q, %v", since, subjects, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	for _, version := range []string{"", "0.1.0", "v0.1", "v0.1.0;ls", "latest"} {
		if _, err := Open(t.Context(), dir, version); err == nil || !strings.Contains(err.Error(), "such as v0.1.0") {
			t.Errorf("version %q: error %v", version, err)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "")
	if _, err := Open(t.Context(), dir, "v0.1.0"); err == nil || !strings.Contains(err.Error(), "set SOURCE_DATE_EPOCH") {
		t.Errorf("outside of git: error %v", err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if _, err := Open(t.Context(), dir, "v0.1.0"); err == nil || !strings.Contains(err.Error(), "not a number") {
		t.Errorf("error %v", err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "12")
	if c, err := Open(t.Context(), dir, "v0.1.0"); err != nil || c.Commit != "unknown" {
		t.Errorf("outside of git: %+v, %v", c, err)
	}
}
