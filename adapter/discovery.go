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

// announce adds a group's versions to aggregated discovery. The library adds them to the older documents only, which leaves an
// aggregator that asks for the newer one with a group without resources.
func announce(server *genericapiserver.GenericAPIServer, group string, lister apidiscovery.APIResourceLister) error {
	for _, gv := range cmaserver.Scheme.PrioritizedVersionsForGroup(group) {
		resources, err := genericapi.ConvertGroupVersionIntoToDiscovery(qualified(lister.ListAPIResources(), gv))
		if err != nil {
			return fmt.Errorf("announce %s: %w", gv, err)
		}
		server.AggregatedDiscoveryGroupManager.AddGroupVersion(gv.Group, apidiscoveryv2.APIVersionDiscovery{
			Version:   gv.Version,
			Resources: resources,
			Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent,
		})
	}
	return nil
}

// qualified states the group and version that a resource's kind is of, which the newer document does not imply.
func qualified(resources []metav1.APIResource, gv schema.GroupVersion) []metav1.APIResource {
	for i := range resources {
		resources[i].Group, resources[i].Version = gv.Group, gv.Version
	}
	return resources
}
