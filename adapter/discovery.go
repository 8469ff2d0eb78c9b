package adapter

import (
	"fmt"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapi "k8s.io/apiserver/pkg/endpoints"
	apidiscovery "k8s.io/apiserver/pkg/endpoints/discovery"
	genericapiserver "k8s.io/apiserver/pkg/server"
	cmaserver "sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
)

// addToDiscovery adds the versions of an API group to aggregated discovery. The library adds them
// to the older documents only, so an aggregator that reads the newer one would see a group without
// resources.
func addToDiscovery(
	server *genericapiserver.GenericAPIServer, group string, lister apidiscovery.APIResourceLister,
) error {
	for _, gv := range cmaserver.Scheme.PrioritizedVersionsForGroup(group) {
		resources, err := genericapi.ConvertGroupVersionIntoToDiscovery(withGroupVersion(lister.ListAPIResources(), gv))
		if err != nil {
			return fmt.Errorf("add %s to discovery: %w", gv, err)
		}
		server.AggregatedDiscoveryGroupManager.AddGroupVersion(gv.Group, apidiscoveryv2.APIVersionDiscovery{
			Version:   gv.Version,
			Resources: resources,
			Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent,
		})
	}
	return nil
}

// withGroupVersion sets the group and version of each resource's kind. Unlike the older document,
// the newer one does not imply them.
func withGroupVersion(resources []metav1.APIResource, gv schema.GroupVersion) []metav1.APIResource {
	for i := range resources {
		resources[i].Group, resources[i].Version = gv.Group, gv.Version
	}
	return resources
}
