package oci

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"headstart.dev/headstart/build/archive"
)

// named are the annotations by which tools name an image that they load: containerd reads the
// first, skopeo and podman read the second.
func named(tag name.Tag) map[string]string {
	return map[string]string{
		"io.containerd.image.name":          tag.Name(),
		"org.opencontainers.image.ref.name": tag.TagStr(),
	}
}

// WriteLayout writes an image for all platforms as an OCI layout, into a folder that it replaces.
// crane, skopeo and oras push such a folder.
func WriteLayout(dir string, index v1.ImageIndex, tag name.Tag) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("replace the image: %w", err)
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(named(tag))); err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	return nil
}

// ReadLayout reads the image that [WriteLayout] wrote.
func ReadLayout(dir string) (v1.ImageIndex, error) {
	path, err := layout.FromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("read the image: %w: make it with make image", err)
	}
	outer, err := path.ImageIndex()
	if err != nil {
		return nil, fmt.Errorf("read the image: %w", err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("read the image: %w", err)
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%s has %d images, want one", dir, len(manifest.Manifests))
	}
	return outer.ImageIndex(manifest.Manifests[0].Digest)
}

// WriteArchive writes the image of one platform as one tar file. It is an OCI layout and what
// docker save writes, both: docker load reads manifest.json, or index.json where containerd stores
// its images; ctr, kind, podman and skopeo read index.json.
//
// Docker's manifest.json knows no platforms: it loads the last image with a name. So each platform
// has a file of its own.
func WriteArchive(file string, date time.Time, image v1.Image, platform v1.Platform, tag name.Tag) error {
	manifest, err := image.Manifest()
	if err != nil {
		return fmt.Errorf("read the image: %w", err)
	}
	raw, err := image.RawManifest()
	if err != nil {
		return fmt.Errorf("read the image: %w", err)
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return fmt.Errorf("read the image: %w", err)
	}
	digest, err := image.Digest()
	if err != nil {
		return fmt.Errorf("read the image: %w", err)
	}
	layers, paths, err := layerFiles(image)
	if err != nil {
		return err
	}
	blobs := append(layers, archive.File{Name: blob(digest), Data: raw},
		archive.File{Name: blob(manifest.Config.Digest), Data: config})
	slices.SortFunc(blobs, func(a, b archive.File) int { return cmp.Compare(a.Name, b.Name) })

	files := []archive.File{{Name: "oci-layout", Data: []byte(`{"imageLayoutVersion":"1.0.0"}`)}}
	descriptor := v1.Descriptor{
		MediaType: manifest.MediaType, Digest: digest, Size: int64(len(raw)), Platform: &platform, Annotations: named(tag),
	}
	for path, content := range map[string]any{
		"index.json": v1.IndexManifest{
			SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{descriptor},
		},
		"manifest.json": []map[string]any{{
			"Config": blob(manifest.Config.Digest), "RepoTags": []string{tag.Name()}, "Layers": paths,
		}},
	} {
		data, err := json.Marshal(content)
		if err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		files = append(files, archive.File{Name: path, Data: data})
	}
	slices.SortFunc(files, func(a, b archive.File) int { return cmp.Compare(b.Name, a.Name) })
	return archive.WriteFile(file, date, append(files, blobs...)...)
}

// layerFiles returns the layers as files of a layout, and their paths from the bottom to the top.
func layerFiles(image v1.Image) (files []archive.File, paths []string, err error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, nil, fmt.Errorf("read the image: %w", err)
	}
	for _, l := range layers {
		digest, err := l.Digest()
		if err != nil {
			return nil, nil, fmt.Errorf("read a layer: %w", err)
		}
		r, err := l.Compressed()
		if err != nil {
			return nil, nil, fmt.Errorf("read a layer: %w", err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, nil, fmt.Errorf("read a layer: %w", err)
		}
		if err := r.Close(); err != nil {
			return nil, nil, fmt.Errorf("read a layer: %w", err)
		}
		files, paths = append(files, archive.File{Name: blob(digest), Data: data}), append(paths, blob(digest))
	}
	return files, paths, nil
}

// blob returns where a layout has a blob.
func blob(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

// Push pushes an image to its registry, with the credentials that docker login has stored.
func Push(ctx context.Context, index v1.ImageIndex, tag name.Tag, transport http.RoundTripper) error {
	err := remote.WriteIndex(tag, index, remote.WithContext(ctx), remote.WithTransport(transport),
		remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return fmt.Errorf("push %s: %w", tag, err)
	}
	return nil
}
