package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"headstart.dev/headstart/build/archive"
	"headstart.dev/headstart/build/checkout"
	"headstart.dev/headstart/build/notices"
	"headstart.dev/headstart/build/oci"
	"headstart.dev/headstart/build/rendered"
	"headstart.dev/headstart/build/sbom"
)

// release is one that is being made.
type release struct {
	source    checkout.Checkout
	o         options
	tag       name.Tag
	dir       string // of the release
	platforms []checkout.Platform
	binaries  map[checkout.Platform]string
	licenses  []notices.Component
	license   []byte // Headstart's own
	notices   []byte
	progress  io.Writer
}

// makeRelease writes all files of a release into a folder of its own, which it replaces.
func makeRelease(ctx context.Context, out io.Writer, source checkout.Checkout, o options) error {
	tag, err := o.tag()
	if err != nil {
		return err
	}
	r := release{
		source: source, o: o, tag: tag, dir: filepath.Join(o.dist, o.version), progress: out,
		binaries: map[checkout.Platform]string{},
	}
	if r.platforms, err = checkout.ParsePlatforms(o.platforms); err != nil {
		return err
	}
	if r.license, err = os.ReadFile(source.File("LICENSE")); err != nil {
		return err
	}
	if err := os.RemoveAll(r.dir); err != nil {
		return fmt.Errorf("replace the release: %w", err)
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "headstart-release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	if err := r.build(ctx, temporary); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{r.programs, r.image, r.manifests, r.changes, r.sums} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, r.dir)
	if source.Commit == "unknown" || strings.HasSuffix(source.Commit, "-dirty") {
		fmt.Fprintf(out, "NOTE: files differ from the commit, so nobody else can build this release: %s\n", source.Commit)
	}
	return nil
}

// build builds the binaries, and collects the licences of what they contain.
func (r *release) build(ctx context.Context, dir string) error {
	for _, p := range r.platforms {
		fmt.Fprintf(r.progress, "building headstart for %s\n", p)
		r.binaries[p] = filepath.Join(dir, p.OS+"-"+p.Arch)
		if err := r.source.Build(ctx, p, r.binaries[p]); err != nil {
			return err
		}
	}
	var err error
	if r.licenses, err = licences(ctx, r.source, r.platforms); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := notices.Write(&page, r.licenses); err != nil {
		return err
	}
	r.notices = page.Bytes()
	return nil
}

// programs writes an archive and an SBOM for each platform, and the krew manifest.
func (r *release) programs(context.Context) error {
	var archives []krewArchive
	for _, p := range r.platforms {
		base := fmt.Sprintf("headstart_%s_%s_%s", r.o.version, p.OS, p.Arch)
		file := base + ".tar.gz"
		if p.OS == "windows" {
			file = base + ".zip"
		}
		path := filepath.Join(r.dir, file)
		err := archive.WriteFile(path, r.source.Date,
			archive.File{Name: p.Executable("headstart"), Executable: true, Path: r.binaries[p]},
			archive.File{Name: "LICENSE", Data: r.license},
			archive.File{Name: "THIRD-PARTY-NOTICES.txt", Data: r.notices})
		if err != nil {
			return err
		}
		sum, err := sumOf(path)
		if err != nil {
			return err
		}
		archives = append(archives, krewArchive{p, file, sum})
		data, err := os.ReadFile(r.binaries[p])
		if err != nil {
			return err
		}
		info, err := buildinfo.Read(bytes.NewReader(data))
		if err != nil {
			return fmt.Errorf("read what is linked: %w", err)
		}
		var bom bytes.Buffer
		if err := sbom.Binary(&bom, r.source, p, data, info, r.licenses); err != nil {
			return err
		}
		if err := r.write(base+".cdx.json", bom.Bytes()); err != nil {
			return err
		}
	}
	krew, err := krewManifest(r.o.version, r.o.home, archives)
	if err != nil {
		return err
	}
	return r.write("headstart.krew.yaml", krew)
}

// image writes the image for the Linux platforms, its SBOM, and how to sign both.
func (r *release) image(context.Context) error {
	content := oci.Content{
		Checkout: r.source, Binaries: r.binaries, License: r.license, Notices: r.notices, Home: r.o.home,
	}
	var binaries []*debug.BuildInfo
	for _, p := range r.platforms {
		if p.OS != "linux" {
			continue
		}
		info, err := buildinfo.ReadFile(r.binaries[p])
		if err != nil {
			return fmt.Errorf("read what is linked: %w", err)
		}
		content.Platforms, binaries = append(content.Platforms, p), append(binaries, info)
	}
	if len(binaries) == 0 {
		return nil // no image without a Linux binary
	}
	digest, err := writeImage(r.progress, content, r.dir, r.tag)
	if err != nil {
		return err
	}
	if err := r.layoutArchive(); err != nil {
		return err
	}
	var bom bytes.Buffer
	if err := sbom.Image(&bom, r.source, r.o.image, digest, binaries, r.licenses); err != nil {
		return err
	}
	file := "headstart-image_" + r.o.version + ".cdx.json"
	if err := r.write(file, bom.Bytes()); err != nil {
		return err
	}
	return r.write("sign.sh", fmt.Appendf(nil, signScript, r.o.version, r.o.image, digest, file))
}

// layoutArchive packs the image for all platforms into one file, because a release on a web page
// consists of files.
func (r *release) layoutArchive() error {
	files, err := r.files(layoutFolder(r.dir))
	if err != nil {
		return err
	}
	content := make([]archive.File, 0, len(files))
	for _, name := range files {
		content = append(content, archive.File{Name: name, Path: filepath.Join(layoutFolder(r.dir), name)})
	}
	return archive.WriteFile(filepath.Join(r.dir, "headstart-image_"+r.o.version+"_oci.tar"), r.source.Date, content...)
}

// files lists the files below a folder, by their paths in it.
func (r *release) files(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the files of the release: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

const signScript = `#!/bin/sh
# Signs Headstart %[1]s with cosign. Run it in this folder, after the image was pushed to
# %[2]s.
set -eu
image=${IMAGE:-%[2]s}@%[3]s
cosign sign-blob --yes --bundle SHA256SUMS.sigstore.json SHA256SUMS
cosign sign --yes "$image"
cosign attest --yes --type cyclonedx --predicate %[4]s "$image"
`

// manifests writes what is installed.
func (r *release) manifests(context.Context) error {
	m, err := rendered.Read(r.source.File("manifests"), r.o.version, r.o.image)
	if err != nil {
		return err
	}
	files, err := m.Render()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := r.write(f.Name, f.Data); err != nil {
			return err
		}
	}
	for file, content := range map[string][]archive.File{
		"headstart-" + strings.TrimPrefix(r.o.version, "v") + ".tgz": m.Chart(),
		"headstart-manifests_" + r.o.version + ".tar.gz":             m.Kustomizations(),
	} {
		if err := archive.WriteFile(filepath.Join(r.dir, file), r.source.Date, content...); err != nil {
			return err
		}
	}
	return nil
}

func (r *release) changes(ctx context.Context) error {
	subjects, since, err := r.source.Log(ctx)
	if err != nil {
		return err
	}
	text := changelog(r.o.version, r.source.Date.Format(time.DateOnly), since, subjects)
	return r.write("CHANGELOG.md", []byte(text))
}

// sums writes the checksums of all files, as sha256sum reads them. The image's folder is left out:
// the same is in an archive.
func (r *release) sums(context.Context) error {
	files, err := r.files(r.dir)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, name := range files {
		if strings.HasPrefix(name, "image/") {
			continue
		}
		sum, err := sumOf(filepath.Join(r.dir, name))
		if err != nil {
			return fmt.Errorf("compute the checksums: %w", err)
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, name)
	}
	return r.write("SHA256SUMS", []byte(sums.String()))
}

func (r *release) write(file string, data []byte) error {
	mode := os.FileMode(0o644)
	if strings.HasSuffix(file, ".sh") {
		mode = 0o755
	}
	return os.WriteFile(filepath.Join(r.dir, file), data, mode)
}

func sumOf(file string) (string, error) {
	in, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
