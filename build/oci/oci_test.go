package oci

import (
	"archive/tar"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"headstart.dev/headstart/build/checkout"
)

var (
	amd64 = checkout.Platform{OS: "linux", Arch: "amd64"}
	arm64 = checkout.Platform{OS: "linux", Arch: "arm64"}
)

// content is a small image, with a binary that is a text.
func content(t *testing.T) Content {
	t.Helper()
	c := Content{
		Checkout: checkout.Checkout{
			Version: "v1.2.3", Commit: "0123", Date: time.Date(2026, 11, 30, 20, 16, 21, 0, time.UTC),
		},
		Platforms: []checkout.Platform{amd64, arm64}, Binaries: map[checkout.Platform]string{},
		License: []byte("licence"), Notices: []byte("notices"), Home: "https://headstart.example",
	}
	for _, p := range c.Platforms {
		c.Binaries[p] = filepath.Join(t.TempDir(), "binary")
		// A mode and a date of this machine, which must not show.
		if err := os.WriteFile(c.Binaries[p], []byte("binary for "+p.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func index(t *testing.T, c Content) v1.ImageIndex {
	t.Helper()
	i, err := c.Index()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// first returns the image for amd64.
func first(t *testing.T, i v1.ImageIndex) v1.Image {
	t.Helper()
	m, err := i.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := i.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func digest(t *testing.T, d interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// TestReproducible: equal content has an equal digest, and other content another one.
func TestReproducible(t *testing.T) {
	want := digest(t, index(t, content(t)))
	if got := digest(t, index(t, content(t))); got != want {
		t.Errorf("the same content twice: %s and %s", want, got)
	}
	for name, change := range map[string]func(*Content){
		"commit":  func(c *Content) { c.Checkout.Commit = "4567" },
		"date":    func(c *Content) { c.Checkout.Date = c.Checkout.Date.Add(time.Second) },
		"binary":  func(c *Content) { c.Binaries[arm64] = c.Binaries[amd64] },
		"notices": func(c *Content) { c.Notices = []byte("more") },
	} {
		c := content(t)
		change(&c)
		if digest(t, index(t, c)) == want {
			t.Errorf("another %s has the same digest", name)
		}
	}
}

// TestImage checks what a container gets.
func TestImage(t *testing.T) {
	i := index(t, content(t))
	image := first(t, i)
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config
	if c.User != "65532:65532" || strings.Join(append(c.Entrypoint, c.Cmd...), " ") != "/headstart serve" {
		t.Errorf("runs %q %q as %q", c.Entrypoint, c.Cmd, c.User)
	}
	if config.OS != "linux" || config.Architecture != "amd64" || config.Created.Unix() != content(t).Checkout.Date.Unix() {
		t.Errorf("an image for %s/%s of %s", config.OS, config.Architecture, config.Created)
	}
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, labels := range []map[string]string{config.Config.Labels, manifest.Annotations} {
		if labels["org.opencontainers.image.version"] != "v1.2.3" || labels["org.opencontainers.image.revision"] != "0123" {
			t.Errorf("labels %v", labels)
		}
	}
	files := extract(t, image)
	if got := files["headstart"]; got != "0755 0 binary for linux/amd64" {
		t.Errorf("the binary is %q", got)
	}
	if files["licenses/LICENSE"] != "0644 0 licence" || files["licenses/THIRD-PARTY-NOTICES.txt"] != "0644 0 notices" {
		t.Errorf("the licences are %q", files)
	}
	roots := x509.NewCertPool()
	pem := []byte(strings.TrimPrefix(files["etc/ssl/certs/ca-certificates.crt"], "0644 0 "))
	if !roots.AppendCertsFromPEM(pem) || strings.Count(string(pem), "BEGIN CERTIFICATE") < 80 {
		t.Errorf("%d root certificates", strings.Count(string(pem), "BEGIN CERTIFICATE"))
	}
}

// extract returns the files of an image, each as its mode, its owner and its content.
func extract(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for in := tar.NewReader(r); ; {
			h, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			if h.Typeflag == tar.TypeReg {
				files[h.Name] = strings.Join([]string{octal(h.Mode), octal(int64(h.Uid + h.Gid))[3:], string(data)}, " ")
			}
		}
	}
	return files
}

func octal(n int64) string {
	const digits = "01234567"
	return string([]byte{digits[n>>9&7], digits[n>>6&7], digits[n>>3&7], digits[n&7]})
}

// TestArchive reads the archive of a platform as docker load does, and as everybody else does.
func TestArchive(t *testing.T) {
	c, dir := content(t), t.TempDir()
	image := first(t, index(t, c))
	tag, err := name.NewTag("registry.example/team/headstart:v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "image.tar")
	platform := v1.Platform{OS: "linux", Architecture: "amd64"}
	if err := WriteArchive(file, c.Checkout.Date, image, platform, tag); err != nil {
		t.Fatal(err)
	}
	loaded, err := tarball.ImageFromPath(file, &tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(loaded); err != nil {
		t.Error(err)
	}
	want, _ := image.ConfigName()
	if got, err := loaded.ConfigName(); err != nil || got != want {
		t.Errorf("docker loads %s, %v; want %s", got, err, want)
	}
	untar(t, file, dir)
	path, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(unpacked); err != nil {
		t.Error(err)
	}
	m, err := unpacked.IndexManifest()
	if err != nil || len(m.Manifests) != 1 {
		t.Fatalf("%v, %v", m, err)
	}
	if got := m.Manifests[0]; got.Digest.String() != digest(t, image) ||
		got.Annotations["io.containerd.image.name"] != tag.Name() ||
		got.Annotations["org.opencontainers.image.ref.name"] != "v1.2.3" {
		t.Errorf("containerd loads %v", got)
	}
}

func untar(t *testing.T, file, dir string) {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPush pushes what was written to a registry on this machine, and pulls it for one platform.
func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo))))
	defer server.Close()
	tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/team/headstart:v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "image")
	want := index(t, content(t))
	for range 2 { // the second replaces the first
		if err := WriteLayout(dir, want, tag); err != nil {
			t.Fatal(err)
		}
	}
	read, err := ReadLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(read); err != nil {
		t.Error(err)
	}
	if err := Push(t.Context(), read, tag, http.DefaultTransport); err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(tag, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := digest(t, pulled); got != digest(t, first(t, want)) {
		t.Errorf("pulled %s, pushed %s", got, digest(t, first(t, want)))
	}
	descriptor, err := remote.Get(tag)
	if err != nil || descriptor.Digest.String() != digest(t, want) {
		t.Errorf("the tag is %v, %v; want %s", descriptor, err, digest(t, want))
	}
	if _, err := ReadLayout(t.TempDir()); err == nil || !strings.Contains(err.Error(), "make image") {
		t.Errorf("without an image: error %v, want one that says how to make it", err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Push(stopped, read, tag, http.DefaultTransport); err == nil {
		t.Error("a push goes on after it was stopped")
	}
}
