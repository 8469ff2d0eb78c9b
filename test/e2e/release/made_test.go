package release

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

const version = "v0.9.0-rc.1" // not the one of the manifests, so that a release fills it in

// made is the release that all tests look at.
type made struct {
	commit string
	// dist has the files of the release.
	dist string
	// root is the image's file system.
	root string
	// images are the digests of the image that the two clones made.
	images []string
}

var (
	once   sync.Once
	result made
)

// digestLine is how make says the digest of the image.
var digestLine = regexp.MustCompile(`(?m)^headstart\.dev/headstart:` + version + `@(sha256:[0-9a-f]{64})$`)

// release makes an image in one clone and a release in another, once for all tests.
func release(t *testing.T) made {
	t.Helper()
	once.Do(func() {
		dir, err := os.MkdirTemp("", "headstart-release-test-") //nolint:usetesting // it outlives the first test
		if err != nil {
			t.Fatal(err)
		}
		result = made{commit: commit(t), root: filepath.Join(dir, "root")}
		for i, target := range []string{"image", "release"} {
			clone := filepath.Join(dir, string(rune('a'+i)))
			run(t, env.layout.Root, "git", "clone", "--quiet", "--shared", "--no-checkout", ".", clone)
			run(t, clone, "git", "checkout", "--quiet", "--detach", result.commit)
			out := run(t, clone, "make", "--no-print-directory", target, "VERSION="+version, "PLATFORMS="+*platforms,
				"RELEASE_PLATFORMS="+*platforms)
			found := digestLine.FindStringSubmatch(out)
			if found == nil {
				t.Fatalf("make %s does not say the digest:\n%s", target, out)
			}
			result.images = append(result.images, found[1])
		}
		result.dist = filepath.Join(dir, "b", "dist", version)
		unpack(t, imageFile(result.dist), result.root)
	})
	if len(result.images) != 2 {
		t.Fatal("the release was not made: see the first test")
	}
	return result
}

// commit returns what the clones check out: the working tree where it was changed, without a commit
// of its own in the history, and else the last commit.
func commit(t *testing.T) string {
	t.Helper()
	if stash := strings.TrimSpace(run(t, env.layout.Root, "git", "stash", "create")); stash != "" {
		return stash
	}
	return strings.TrimSpace(run(t, env.layout.Root, "git", "rev-parse", "HEAD"))
}

// run runs a program, and returns what it writes to its output.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	// A name for git stash create, and no variables of the make that runs these tests.
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@headstart.example",
		"GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@headstart.example", "MAKEFLAGS=", "MAKELEVEL=")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// imageFile returns the archive with the image for this machine.
func imageFile(dist string) string {
	return filepath.Join(dist, "headstart-image_"+version+"_linux_"+runtime.GOARCH+".tar")
}

// unpack writes the file system of an image, as docker load reads it.
func unpack(t *testing.T, file, root string) {
	t.Helper()
	blobs := untar(t, file)
	var manifest []struct{ Layers []string }
	if err := json.Unmarshal(blobs["manifest.json"].data, &manifest); err != nil || len(manifest) != 1 {
		t.Fatalf("manifest.json has %d images: %v", len(manifest), err)
	}
	for _, layer := range manifest[0].Layers {
		compressed := filepath.Join(t.TempDir(), "layer.gz")
		if err := os.WriteFile(compressed, blobs[layer].data, 0o600); err != nil {
			t.Fatal(err)
		}
		for name, f := range untar(t, compressed) {
			path := filepath.Join(root, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.data, f.mode); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// file is a file of an archive.
type file struct {
	mode os.FileMode
	data []byte
}

// untar reads all files of an archive, compressed or not.
func untar(t *testing.T, path string) map[string]file {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	in := io.Reader(f)
	if filepath.Ext(path) != ".tar" {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]file{}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			files[h.Name] = file{os.FileMode(h.Mode), data}
		}
	}
}

// TestSameDigest builds a commit a second time, and wants the image that was published.
func TestSameDigest(t *testing.T) {
	r := release(t)
	if r.images[0] != r.images[1] {
		t.Errorf("two clones of %s made the images %s and %s", r.commit, r.images[0], r.images[1])
	}
	const limit = 40 << 20
	info, err := os.Stat(imageFile(r.dist))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= limit {
		t.Errorf("%s has %d bytes, want less than 40 MiB", info.Name(), info.Size())
	}
	t.Logf("%s: %.1f MB", info.Name(), float64(info.Size())/1e6)
	a, err := os.ReadFile(imageFile(filepath.Join(filepath.Dir(r.root), "a", "dist")))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(imageFile(r.dist))
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(a) != sha256.Sum256(b) {
		t.Error("the archives of the two clones differ")
	}
}

// TestFiles: a release has every file, and the checksums of all others.
func TestFiles(t *testing.T) {
	r := release(t)
	sums, err := os.ReadFile(filepath.Join(r.dist, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(sums)) {
		want, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		data, err := os.ReadFile(filepath.Join(r.dist, name))
		if sum := sha256.Sum256(data); err != nil || hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s: its checksum is not that of SHA256SUMS, %v", name, err)
		}
		listed[name] = true
	}
	for _, name := range []string{
		"CHANGELOG.md", "headstart.krew.yaml", "sign.sh", "headstart-0.9.0-rc.1.tgz",
		"headstart-image_" + version + "_oci.tar",
		"headstart-crds.yaml", "headstart-prepare.yaml", "headstart-external-metrics.yaml", "headstart-both-warm.yaml",
		"headstart-keda.yaml", "headstart-monitoring.yaml", "headstart-manifests_" + version + ".tar.gz",
		"headstart-image_" + version + ".cdx.json", "headstart_" + version + "_linux_" + runtime.GOARCH + ".tar.gz",
		"headstart_" + version + "_linux_" + runtime.GOARCH + ".cdx.json",
	} {
		if !listed[name] {
			t.Errorf("the release has no %s", name)
		}
	}
	program := untar(t, filepath.Join(r.dist, "headstart_"+version+"_linux_"+runtime.GOARCH+".tar.gz"))
	binary, err := os.ReadFile(filepath.Join(r.root, "headstart"))
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(program["headstart"].data) != sha256.Sum256(binary) {
		t.Error("the binary of the archive is not that of the image")
	}
	for _, name := range []string{"LICENSE", "THIRD-PARTY-NOTICES.txt"} {
		if len(program[name].data) < 1000 {
			t.Errorf("the archive's %s has %d bytes", name, len(program[name].data))
		}
	}
}
