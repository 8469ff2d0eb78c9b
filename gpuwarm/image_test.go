package gpuwarm

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const someDigest = "@sha256:0123456789012345678901234567890123456789012345678901234567890123"

func TestHasImage(t *testing.T) {
	const digest, other = someDigest, "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	cases := map[string]struct {
		reason string
		listed []string
		image  string
		want   bool
	}{
		"Same": {
			"The same name matches.", []string{"registry.example/model:1"}, "registry.example/model:1", true,
		},
		"SpelledOut": {
			"Docker Hub and the tag latest may be left out.", []string{"docker.io/library/model:latest"}, "model", true,
		},
		"User": {
			"A user's repository of Docker Hub, too.", []string{"docker.io/us/model:1"}, "us/model:1", true,
		},
		"OtherTag": {
			"Another tag is another image.", []string{"registry.example/model:1"}, "registry.example/model:2", false,
		},
		"Digest": {
			"A digest alone has no implied tag.",
			[]string{"registry.example/model" + digest},
			"registry.example/model" + digest, true,
		},
		"TagAndDigest": {
			"containerd pulls and lists such a reference by its digest.",
			[]string{"registry.example/model" + digest},
			"registry.example/model:1" + digest, true,
		},
		"ListedWithBoth": {
			"A listed name with both means the digest.",
			[]string{"registry.example/model:2" + digest},
			"registry.example/model:1" + digest, true,
		},
		"Port": {
			"A registry's port is no tag.",
			[]string{"localhost:5000/model" + digest},
			"localhost:5000/model:1" + digest, true,
		},
		"PortAlone": {
			"Nor is it with a digest alone.",
			[]string{"localhost:5000/model" + digest},
			"localhost:5000/model" + digest, true,
		},
		"OtherDigest": {
			"The tag moved on: what it names now is another image.",
			[]string{"registry.example/model:1", "registry.example/model" + other},
			"registry.example/model:1" + digest,
			false,
		},
		"TagOnly": {
			"Which digest a listed tag has is not known.",
			[]string{"registry.example/model:1"},
			"registry.example/model:1" + digest, false,
		},
		"OtherPlace": {
			"The same digest of another repository is under another name.",
			[]string{"mirror.example/model" + digest},
			"registry.example/model:1" + digest, false,
		},
		"Nothing": {"No name is no image.", []string{"", "@", ":"}, "registry.example/model:1", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := HasImage(testNode(0, tc.listed...), tc.image); got != tc.want {
				t.Errorf("\nReason: %s\n%q among %q: %t, want %t", tc.reason, tc.image, tc.listed, got, tc.want)
			}
		})
	}
}

func TestRewritten(t *testing.T) {
	const other = "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	cases := map[string]struct {
		reason   string
		from, to string
		want     bool
	}{
		"Same":       {"The name did not change.", "model:1", "model:1", true},
		"SpelledOut": {"It was normalised.", "model", "docker.io/library/model:latest", true},
		"Proxy": {
			"A proxy registry puts the path below a project.", "docker.io/us/model:1",
			"mirror.example/hub/us/model:1", true,
		},
		"Library": {
			"With or without the default path.", "model:1", "1.dkr.ecr.example/docker-hub/library/model:1",
			true,
		},
		"Pinned": {
			"The digest is the same.", "us/model:1" + someDigest, "mirror.example/us/model" + someDigest, true,
		},
		"Resolved": {
			"A webhook may resolve a tag to its digest.", "us/model:1", "us/model:1" + someDigest, true,
		},
		"OtherTag":     {"Another tag is another image.", "us/model:1", "mirror.example/us/model:2", false},
		"OtherName":    {"So is another repository.", "us/model:1", "mirror.example/us/modelling:1", false},
		"OtherDigest":  {"So is another digest.", "us/model:1" + someDigest, "us/model:1" + other, false},
		"DigestAway":   {"A digest is never dropped.", "us/model" + someDigest, "mirror.example/us/model:1", false},
		"NoReference":  {"An invalid reference only equals itself.", "us/Model:1", "mirror.example/us/Model:1", false},
		"IntoNoOne":    {"An empty name is no image.", "us/model:1", "", false},
		"NoneIntoNone": {"It equals itself.", "", "", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Rewritten(tc.from, tc.to); got != tc.want {
				t.Errorf("\nReason: %s\n%q became %q: %t, want %t", tc.reason, tc.from, tc.to, got, tc.want)
			}
		})
	}
}

// Normalising any name twice is the same as once, and every spelling of it is found.
func FuzzImage(f *testing.F) {
	for _, ref := range []string{
		"nginx", "nginx:latest", "us/model:latest", "us/model:1", "localhost:5000/model:1" + someDigest,
		"index.docker.io/model", "library/model", "[::1]:5000/a/b:latest", "UPPER/model", "Model",
		"model@sha256:abc", someDigest[len("@sha256:"):], "sha256:1", "a//b", "", "@", ":", "/",
		"model:" + someDigest, "model@md5:0123456789abcdef0123456789abcdef",
	} {
		f.Add(ref)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		full := normalise(ref)
		if again := normalise(full); again != full {
			t.Errorf("%q is spelled out as %q, and that as %q", ref, full, again)
		}
		if ref == "" {
			return
		}
		for _, listed := range []string{ref, full} {
			for _, asked := range []string{ref, full} {
				if !HasImage(testNode(0, listed), asked) {
					t.Errorf("%q is listed and %q is wanted; both are %q, but do not match", listed, asked, full)
				}
			}
		}
	})
}

// One pass asks thousands of nodes, which list fifty images with two names each. It takes 1 ms in
// the usual case, where no name has to be normalised. In the worst case it takes 0.12 s: half of
// the names have to be, because all have the tag latest, which is left out, and the same suffix as
// the image.
func BenchmarkImageOn(b *testing.B) {
	cases := map[string]func(node, image int) []string{
		"Usual": func(node, image int) []string {
			name := fmt.Sprintf("registry.example/team-%d/model", image)
			return []string{fmt.Sprintf("%s@sha256:%064d", name, node), name + ":1.2.3"}
		},
		"SameRepository": func(node, image int) []string {
			return []string{
				fmt.Sprintf("registry.example/team/wanted@sha256:%064d", 50*node+image),
				fmt.Sprintf("registry.example/team/wanted:1.2.%d", image),
			}
		},
		"Worst": func(node, image int) []string {
			name := fmt.Sprintf("registry.example/team-%d/unwanted", image)
			return []string{fmt.Sprintf("%s@sha256:%064d", name, node), name}
		},
	}
	for name, names := range cases {
		nodes := make([]*corev1.Node, 1000)
		for n := range nodes {
			nodes[n] = testNode(0)
			for i := range 50 {
				nodes[n].Status.Images = append(nodes[n].Status.Images, corev1.ContainerImage{Names: names(n, i)})
			}
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				wanted := ImageOf("registry.example/team/wanted")
				for _, n := range nodes {
					if wanted.ListedOn(n) {
						b.Fatal("no node has it")
					}
				}
			}
		})
	}
}
