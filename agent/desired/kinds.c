/* desired/kinds.c - what is known of kinds without a cluster: their order, and the built-in
 * ones. */
#include "base/text.h"
#include "desired/desired.h"

/* ---- Order ---- */

#define RBAC  "rbac.authorization.k8s.io"
#define ADMIT "admissionregistration.k8s.io"
#define STORE "storage.k8s.io"
#define NET   "networking.k8s.io"
#define OURS  "modelsync.dev"

enum tier {
	TIER_NAMESPACE,
	TIER_CRD,
	TIER_CLASS,
	TIER_LIMIT,
	TIER_CONFIG,
	TIER_VOLUME,
	TIER_ROLE,
	TIER_BINDING, /* after roles: the server looks up what a binding grants */
	TIER_SERVICE,
	TIER_WORKLOAD,
	TIER_CUSTOM, /* whatever is not listed */
	TIER_APISERVICE,
	TIER_ADMISSION, /* last: a webhook of this commit must not judge its own backend */
};

static const struct {
	const char *group, *kind;
	enum tier tier;
} tiers[] = {
	{"", "Namespace", TIER_NAMESPACE},
	{"apiextensions.k8s.io", "CustomResourceDefinition", TIER_CRD},
	{"scheduling.k8s.io", "PriorityClass", TIER_CLASS},
	{STORE, "StorageClass", TIER_CLASS},
	{STORE, "VolumeAttributesClass", TIER_CLASS},
	{STORE, "CSIDriver", TIER_CLASS},
	{"node.k8s.io", "RuntimeClass", TIER_CLASS},
	{NET, "IngressClass", TIER_CLASS},
	{"resource.k8s.io", "DeviceClass", TIER_CLASS},
	{"", "ResourceQuota", TIER_LIMIT},
	{"", "LimitRange", TIER_LIMIT},
	{NET, "NetworkPolicy", TIER_LIMIT},
	{"", "ServiceAccount", TIER_CONFIG},
	{"", "Secret", TIER_CONFIG},
	{"", "ConfigMap", TIER_CONFIG},
	{"", "PersistentVolume", TIER_VOLUME},
	{"", "PersistentVolumeClaim", TIER_VOLUME},
	{RBAC, "ClusterRole", TIER_ROLE},
	{RBAC, "Role", TIER_ROLE},
	{RBAC, "ClusterRoleBinding", TIER_BINDING},
	{RBAC, "RoleBinding", TIER_BINDING},
	{"", "Service", TIER_SERVICE},
	{"", "Endpoints", TIER_SERVICE},
	{"discovery.k8s.io", "EndpointSlice", TIER_SERVICE},
	{"", "Pod", TIER_WORKLOAD},
	{"", "ReplicationController", TIER_WORKLOAD},
	{"apps", "DaemonSet", TIER_WORKLOAD},
	{"apps", "Deployment", TIER_WORKLOAD},
	{"apps", "ReplicaSet", TIER_WORKLOAD},
	{"apps", "StatefulSet", TIER_WORKLOAD},
	{"policy", "PodDisruptionBudget", TIER_WORKLOAD},
	{"autoscaling", "HorizontalPodAutoscaler", TIER_WORKLOAD},
	{"batch", "Job", TIER_WORKLOAD},
	{"batch", "CronJob", TIER_WORKLOAD},
	{NET, "Ingress", TIER_WORKLOAD},
	{"apiregistration.k8s.io", "APIService", TIER_APISERVICE},
	{ADMIT, "MutatingWebhookConfiguration", TIER_ADMISSION},
	{ADMIT, "ValidatingWebhookConfiguration", TIER_ADMISSION},
	{ADMIT, "MutatingAdmissionPolicy", TIER_ADMISSION},
	{ADMIT, "MutatingAdmissionPolicyBinding", TIER_ADMISSION},
	{ADMIT, "ValidatingAdmissionPolicy", TIER_ADMISSION},
	{ADMIT, "ValidatingAdmissionPolicyBinding", TIER_ADMISSION},
};

int kind_tier(const char *group, const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(tiers); i++)
		if (!strcmp(tiers[i].kind, kind) && !strcmp(tiers[i].group, group))
			return (int)tiers[i].tier;
	return TIER_CUSTOM;
}

/* ---- Removed APIs ---- */

static const struct {
	const char *group, *version, *kind /* NULL: all */, *instead;
} removed[] = {
#define GONE(release, group, version, kind, instead)                                      \
	{                                                                                 \
		group, version, kind, instead ", since Kubernetes " release " removed it" \
	}
	GONE("1.16", "extensions", "v1beta1", "Deployment", "apps/v1"),
	GONE("1.16", "extensions", "v1beta1", "DaemonSet", "apps/v1"),
	GONE("1.16", "extensions", "v1beta1", "ReplicaSet", "apps/v1"),
	GONE("1.16", "extensions", "v1beta1", "NetworkPolicy", "networking.k8s.io/v1"),
	GONE("1.16", "apps", "v1beta1", NULL, "apps/v1"),
	GONE("1.16", "apps", "v1beta2", NULL, "apps/v1"),
	GONE("1.16", "extensions", "v1beta1", "PodSecurityPolicy",
	     "Pod Security labels on the namespace"),
	GONE("1.25", "policy", "v1beta1", "PodSecurityPolicy",
	     "Pod Security labels on the namespace"),
	GONE("1.22", "extensions", "v1beta1", "Ingress", "networking.k8s.io/v1"),
	GONE("1.22", NET, "v1beta1", "Ingress", "networking.k8s.io/v1"),
	GONE("1.22", NET, "v1beta1", "IngressClass", "networking.k8s.io/v1"),
	GONE("1.22", ADMIT, "v1beta1", "MutatingWebhookConfiguration",
	     "admissionregistration.k8s.io/v1"),
	GONE("1.22", ADMIT, "v1beta1", "ValidatingWebhookConfiguration",
	     "admissionregistration.k8s.io/v1"),
	GONE("1.22", "apiextensions.k8s.io", "v1beta1", NULL, "apiextensions.k8s.io/v1"),
	GONE("1.22", "apiregistration.k8s.io", "v1beta1", NULL, "apiregistration.k8s.io/v1"),
	GONE("1.22", "certificates.k8s.io", "v1beta1", "CertificateSigningRequest",
	     "certificates.k8s.io/v1"),
	GONE("1.22", "coordination.k8s.io", "v1beta1", "Lease", "coordination.k8s.io/v1"),
	GONE("1.22", RBAC, "v1beta1", NULL, "rbac.authorization.k8s.io/v1"),
	GONE("1.22", "scheduling.k8s.io", "v1beta1", "PriorityClass", "scheduling.k8s.io/v1"),
	GONE("1.22", STORE, "v1beta1", "CSIDriver", "storage.k8s.io/v1"),
	GONE("1.22", STORE, "v1beta1", "CSINode", "storage.k8s.io/v1"),
	GONE("1.22", STORE, "v1beta1", "StorageClass", "storage.k8s.io/v1"),
	GONE("1.22", STORE, "v1beta1", "VolumeAttachment", "storage.k8s.io/v1"),
	GONE("1.25", "batch", "v1beta1", "CronJob", "batch/v1"),
	GONE("1.21", "batch", "v2alpha1", "CronJob", "batch/v1"),
	GONE("1.25", "discovery.k8s.io", "v1beta1", NULL, "discovery.k8s.io/v1"),
	GONE("1.25", "events.k8s.io", "v1beta1", NULL, "events.k8s.io/v1"),
	GONE("1.25", "autoscaling", "v2beta1", NULL, "autoscaling/v2"),
	GONE("1.26", "autoscaling", "v2beta2", NULL, "autoscaling/v2"),
	GONE("1.25", "policy", "v1beta1", "PodDisruptionBudget", "policy/v1"),
	GONE("1.25", "node.k8s.io", "v1beta1", NULL, "node.k8s.io/v1"),
	GONE("1.26", "flowcontrol.apiserver.k8s.io", "v1beta1", NULL,
	     "flowcontrol.apiserver.k8s.io/v1"),
	GONE("1.29", "flowcontrol.apiserver.k8s.io", "v1beta2", NULL,
	     "flowcontrol.apiserver.k8s.io/v1"),
	GONE("1.32", "flowcontrol.apiserver.k8s.io", "v1beta3", NULL,
	     "flowcontrol.apiserver.k8s.io/v1"),
	GONE("1.27", STORE, "v1beta1", "CSIStorageCapacity", "storage.k8s.io/v1"),
#undef GONE
};

const char *kind_replacement(const char *group, const char *version, const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(removed); i++)
		if (!strcmp(removed[i].group, group) && !strcmp(removed[i].version, version) &&
		    (!removed[i].kind || !strcmp(removed[i].kind, kind)))
			return removed[i].instead;
	return NULL;
}

/* ---- Built-in kinds: what Kubernetes 1.36 serves by default, and ours ---- */

#define KIND(g, v, k, p, ns)                                                                  \
	{                                                                                     \
		.group = (g), .version = (v), .kind = (k), .plural = (p), .namespaced = (ns), \
		.served = true, .preferred = true, .can_list_watch = true, .can_patch = true  \
	}

static const struct kube_kind builtin[] = {
	KIND("", "v1", "ConfigMap", "configmaps", true),
	KIND("", "v1", "Endpoints", "endpoints", true),
	KIND("", "v1", "Event", "events", true),
	KIND("", "v1", "LimitRange", "limitranges", true),
	KIND("", "v1", "Namespace", "namespaces", false),
	KIND("", "v1", "Node", "nodes", false),
	KIND("", "v1", "PersistentVolume", "persistentvolumes", false),
	KIND("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true),
	KIND("", "v1", "Pod", "pods", true),
	KIND("", "v1", "PodTemplate", "podtemplates", true),
	KIND("", "v1", "ReplicationController", "replicationcontrollers", true),
	KIND("", "v1", "ResourceQuota", "resourcequotas", true),
	KIND("", "v1", "Secret", "secrets", true),
	KIND("", "v1", "Service", "services", true),
	KIND("", "v1", "ServiceAccount", "serviceaccounts", true),
	KIND("apps", "v1", "ControllerRevision", "controllerrevisions", true),
	KIND("apps", "v1", "DaemonSet", "daemonsets", true),
	KIND("apps", "v1", "Deployment", "deployments", true),
	KIND("apps", "v1", "ReplicaSet", "replicasets", true),
	KIND("apps", "v1", "StatefulSet", "statefulsets", true),
	KIND("batch", "v1", "CronJob", "cronjobs", true),
	KIND("batch", "v1", "Job", "jobs", true),
	KIND("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
	KIND("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
	KIND("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true),
	KIND(NET, "v1", "Ingress", "ingresses", true),
	KIND(NET, "v1", "IngressClass", "ingressclasses", false),
	KIND(NET, "v1", "IPAddress", "ipaddresses", false),
	KIND(NET, "v1", "NetworkPolicy", "networkpolicies", true),
	KIND(NET, "v1", "ServiceCIDR", "servicecidrs", false),
	KIND(RBAC, "v1", "ClusterRole", "clusterroles", false),
	KIND(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", false),
	KIND(RBAC, "v1", "Role", "roles", true),
	KIND(RBAC, "v1", "RoleBinding", "rolebindings", true),
	KIND(STORE, "v1", "CSIDriver", "csidrivers", false),
	KIND(STORE, "v1", "CSINode", "csinodes", false),
	KIND(STORE, "v1", "CSIStorageCapacity", "csistoragecapacities", true),
	KIND(STORE, "v1", "StorageClass", "storageclasses", false),
	KIND(STORE, "v1", "VolumeAttachment", "volumeattachments", false),
	KIND(STORE, "v1", "VolumeAttributesClass", "volumeattributesclasses", false),
	KIND("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", false),
	KIND("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", false),
	KIND("coordination.k8s.io", "v1", "Lease", "leases", true),
	KIND("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", true),
	KIND("events.k8s.io", "v1", "Event", "events", true),
	KIND("certificates.k8s.io", "v1", "CertificateSigningRequest",
	     "certificatesigningrequests", false),
	KIND("apiextensions.k8s.io", "v1", "CustomResourceDefinition",
	     "customresourcedefinitions", false),
	KIND("apiregistration.k8s.io", "v1", "APIService", "apiservices", false),
	KIND(ADMIT, "v1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies", false),
	KIND(ADMIT, "v1", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings",
	     false),
	KIND(ADMIT, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations",
	     false),
	KIND(ADMIT, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", false),
	KIND(ADMIT, "v1", "ValidatingAdmissionPolicyBinding",
	     "validatingadmissionpolicybindings", false),
	KIND(ADMIT, "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations",
	     false),
	KIND("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", "flowschemas", false),
	KIND("flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration",
	     "prioritylevelconfigurations", false),
	KIND("resource.k8s.io", "v1", "DeviceClass", "deviceclasses", false),
	KIND("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims", true),
	KIND("resource.k8s.io", "v1", "ResourceClaimTemplate", "resourceclaimtemplates", true),
	KIND("resource.k8s.io", "v1", "ResourceSlice", "resourceslices", false),
	KIND(OURS, "v1alpha1", "Application", "applications", true),
	KIND(OURS, "v1alpha1", "ModelDeployment", "modeldeployments", true),
	KIND(OURS, "v1alpha1", "ModelVerdict", "modelverdicts", true),
	KIND(OURS, "v1alpha1", "Project", "projects", true),
	KIND(OURS, "v1alpha1", "SyncState", "syncstates", true),
	KIND(OURS, "v1alpha1", "TrustPolicy", "trustpolicies", true),
	KIND(OURS, "v1alpha1", "ValidationPolicy", "validationpolicies", true),
	KIND("mlops.mycorp.com", "v1alpha1", "TensorFlowDeployment", "tensorflowdeployments",
	     true),
	KIND("ai.example.com", "v1alpha1", "AIInference", "aiinferences", true),
};

static const struct kube_kind *find_builtin(void *arg, const char *group, const char *version,
					    const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		if (!strcmp(builtin[i].kind, kind) && !strcmp(builtin[i].group, group) &&
		    (!version || !strcmp(builtin[i].version, version)))
			return &builtin[i];
	return NULL;
}

const struct kind_source kind_source_builtin = {.find = find_builtin, .generation = 1};
