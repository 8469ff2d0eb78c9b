package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// An object is created with its owner and labels, updated as mutate says, and left alone where it is
// another WarmPool's.
func TestCreateOrUpdate(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	foreign := &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "foreign"}}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(foreign).Build()
	var made []string
	c := Client{Client: api, Live: api, Made: func(kind string) { made = append(made, kind) }}
	pool := &v1alpha1.WarmPool{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "warm", UID: "uid"}}
	ensure := func(name, value string) (*corev1.PodTemplate, error) {
		o := &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		err := c.CreateOrUpdate(t.Context(), pool, "demand", o, func() error {
			o.Annotations["key"] = value
			return nil
		})
		return o, err
	}
	for _, value := range []string{"one", "one", "two"} {
		if _, err := ensure("own", value); err != nil {
			t.Fatal(err)
		}
		var got corev1.PodTemplate
		if err := api.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "own"}, &got); err != nil {
			t.Fatal(err)
		}
		if got.Annotations["key"] != value || got.Labels[names.LabelPool] != names.Pool("shop", "warm") ||
			len(got.OwnerReferences) != 1 || got.OwnerReferences[0].UID != "uid" {
			t.Errorf("%+v", got)
		}
	}
	if len(made) != 1 || made[0] != "PodTemplate" {
		t.Errorf("%v were created", made)
	}
	if _, err := ensure("foreign", "one"); err == nil ||
		err.Error() != "shop/foreign is there and not of this WarmPool: remove it" {
		t.Errorf("another's object should be left alone: %v", err)
	}
}
